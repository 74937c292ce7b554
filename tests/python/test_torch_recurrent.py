"""Recurrent layers and cells against torch, weights copied; `make test-torch` installs torch."""

import numpy as np
import pytest
import rbe
from rbe import nn
from test_torch_attention import DTYPES, backward, copy_state, gradients_agree, pair, same

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

OPTIONS = [
    {},
    {"bidirectional": True, "num_layers": 2},
    {"batch_first": True, "num_layers": 3, "bias": False},
    {"batch_first": True, "bidirectional": True},
]


def both(x):
    return x if isinstance(x, tuple) else (x,)


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    ("name", "extra"),
    [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("LSTM", {"proj_size": 3}), ("GRU", {})],
)
def test_layers(name, extra, options, given, batched, dtype):
    rng = np.random.default_rng(5)
    theirs = getattr(torch.nn, name)(4, 5, **extra, **options).to(torch.float64 if dtype == np.float64 else torch.float32)
    ours = getattr(nn, name)(4, 5, **extra, **options, dtype=np.dtype(dtype).name)
    copy_state(ours, theirs)
    n = (3,) if batched else ()
    x = pair(rng.standard_normal((*n, 6, 4) if options.get("batch_first") else (6, *n, 4)), dtype)
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    lengths = [extra.get("proj_size", 5), 5][: 1 + (name == "LSTM")]
    states = [pair(rng.standard_normal((count, *n, length)), dtype) for length in lengths]
    first = [tuple(s[i] for s in states) if name == "LSTM" else states[0][i] for i in (0, 1)] if given else [None, None]
    (y, last), (z, their_last) = ours(x[0], first[0]), theirs(x[1], first[1])
    same(y, z, dtype, 3)
    for a, b in zip(both(last), both(their_last), strict=True):
        same(a, b, dtype, 3)
    # The last states take part in the loss as well as the outputs.
    total = [y.sum(-1), z.sum(-1)]
    for i, ends in enumerate((last, their_last)):
        for k, e in enumerate(both(ends)):
            total[i] = total[i] + (k + 2) * (e * e).sum()
    backward(*total, dtype)
    same(x[0].grad, x[1].grad, dtype, 5)
    for a, b in states if given else []:
        same(a.grad, b.grad, dtype, 5)
    gradients_agree(ours, theirs, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "extra"), [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {})]
)
def test_cells(name, extra, bias, dtype):
    rng = np.random.default_rng(6)
    theirs = getattr(torch.nn, name)(4, 5, bias=bias, **extra).to(torch.float64 if dtype == np.float64 else torch.float32)
    ours = getattr(nn, name)(4, 5, bias=bias, **extra, dtype=np.dtype(dtype).name)
    copy_state(ours, theirs)
    x = pair(rng.standard_normal((3, 4)), dtype)
    a, b = ours(x[0]), theirs(x[1])
    for _ in range(2):
        a, b = ours(x[0], a), theirs(x[1], b)
    for y, z in zip(both(a), both(b), strict=True):
        same(y, z, dtype, 3)
    backward(both(a)[-1], both(b)[-1], dtype)
    same(x[0].grad, x[1].grad, dtype, 5)
    gradients_agree(ours, theirs, dtype)
    single = ours(rbe.tensor(x[0].detach().numpy()[0]))
    np.testing.assert_allclose(both(single)[0].detach().numpy(), both(ours(x[0]))[0].detach().numpy()[0], rtol=1e-5, atol=1e-6)
