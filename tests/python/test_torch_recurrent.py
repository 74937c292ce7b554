"""Recurrent layers and cells against torch, weights copied; `make test-torch` installs torch."""

import functools

import beside_torch
import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, backward, load_torch, pair, torch, torch_dtype
from inputs import Inputs
from rbe import nn

# These are sums of many products, whose terms cancel.
assert_same = functools.partial(beside_torch.assert_same, least=1.0)
assert_same_gradients = functools.partial(beside_torch.assert_same_gradients, least=1.0)

pytestmark = pytest.mark.torch

RNG = Inputs()
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
    rng = Inputs(5)
    theirs = getattr(torch.nn, name)(4, 5, **extra, **options).to(torch_dtype(dtype))
    ours = getattr(nn, name)(4, 5, **extra, **options, dtype=np.dtype(dtype).name)
    load_torch(ours, theirs, RNG, 0.4)
    n = (3,) if batched else ()
    x = pair(rng.array((*n, 6, 4) if options.get("batch_first") else (6, *n, 4)), dtype)
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    lengths = [extra.get("proj_size", 5), 5][: 1 + (name == "LSTM")]
    states = [pair(rng.array(count, *n, length), dtype) for length in lengths]
    first = [tuple(s[i] for s in states) if name == "LSTM" else states[0][i] for i in (0, 1)] if given else [None, None]
    (y, last), (z, their_last) = ours(x[0], first[0]), theirs(x[1], first[1])
    assert_same(y, z, 3)
    for a, b in zip(both(last), both(their_last), strict=True):
        assert_same(a, b, 3)
    # The last states take part in the loss as well as the outputs.
    total = [y.sum(-1), z.sum(-1)]
    for i, ends in enumerate((last, their_last)):
        for k, e in enumerate(both(ends)):
            total[i] = total[i] + (k + 2) * (e * e).sum()
    backward(*total)
    assert_same(x[0].grad, x[1].grad, 5)
    for a, b in states if given else []:
        assert_same(a.grad, b.grad, 5)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "extra"), [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {})]
)
def test_cells(name, extra, bias, dtype):
    rng = Inputs(6)
    theirs = getattr(torch.nn, name)(4, 5, bias=bias, **extra).to(torch_dtype(dtype))
    ours = getattr(nn, name)(4, 5, bias=bias, **extra, dtype=np.dtype(dtype).name)
    load_torch(ours, theirs, RNG, 0.4)
    x = pair(rng.array(3, 4), dtype)
    a, b = ours(x[0]), theirs(x[1])
    for _ in range(2):
        a, b = ours(x[0], a), theirs(x[1], b)
    for y, z in zip(both(a), both(b), strict=True):
        assert_same(y, z, 3)
    backward(both(a)[-1], both(b)[-1])
    assert_same(x[0].grad, x[1].grad, 5)
    assert_same_gradients(ours, theirs)
    single = ours(rbe.tensor(x[0].detach().numpy()[0]))
    np.testing.assert_allclose(both(single)[0].detach().numpy(), both(ours(x[0]))[0].detach().numpy()[0], rtol=1e-5, atol=1e-6)
