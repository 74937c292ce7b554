"""Attention against torch, weights copied; `make test-torch` installs torch."""

import math

import numpy as np
import pytest
import rbe
from rbe import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

F, TF = nn.functional, torch.nn.functional
TOLERANCE = {np.float64: (1e-10, 1e-11), np.float32: (1e-5, 2e-6)}
DTYPES = [np.float64, np.float32]


def same(ours, theirs, dtype, scale=1.0):
    rtol, atol = TOLERANCE[dtype]
    theirs = theirs.detach().numpy()
    largest = max(float(np.nanmax(np.abs(theirs), initial=0.0)), 1.0)
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=rtol * scale, atol=atol * scale * largest)


def pair(array, dtype, grad=True):
    array = array.astype(dtype) if array.dtype.kind == "f" else array
    grad = grad and array.dtype.kind == "f"
    return rbe.tensor(array, requires_grad=grad), torch.tensor(array, requires_grad=grad)


def backward(y, z, dtype):
    up = np.random.default_rng(1).standard_normal(tuple(z.shape)).astype(dtype)
    y.backward(rbe.tensor(up))
    z.backward(torch.tensor(up))


RNG = np.random.default_rng(0)
SEEN = RNG.random((5, 7)) < 0.7
SEEN[:, 0] = True
CASES = [
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6), {}),
    ((5, 4), (7, 4), (7, 4), {}),
    ((2, 5, 4), (2, 7, 4), (2, 7, 4), {"is_causal": True}),
    ((2, 7, 4), (2, 5, 4), (2, 5, 4), {"is_causal": True, "scale": 0.3}),
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4), {"attn_mask": SEEN}),
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4), {"attn_mask": RNG.standard_normal((2, 1, 5, 7))}),
    ((1, 2, 150, 16), (1, 2, 150, 16), (1, 2, 150, 8), {"is_causal": True}),
    ((1, 2, 70, 8), (1, 2, 130, 8), (1, 2, 130, 8), {"attn_mask": RNG.random((70, 130)) < 0.5}),
    ((2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4), {"enable_gqa": True}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("q", "k", "v", "options"), CASES)
def test_scaled_dot_product_attention(q, k, v, options, dtype):
    rng = np.random.default_rng(2)
    inputs = [pair(rng.standard_normal(shape), dtype) for shape in (q, k, v)]
    mask = [pair(options["attn_mask"], dtype)] if "attn_mask" in options else []
    a, b = dict(options), dict(options)
    if mask:
        a["attn_mask"], b["attn_mask"] = mask[0]
    y = F.scaled_dot_product_attention(*(p[0] for p in inputs), **a)
    z = TF.scaled_dot_product_attention(*(p[1] for p in inputs), **b)
    same(y, z, dtype)
    backward(y, z, dtype)
    for ours, theirs in inputs + mask:
        if theirs.grad is not None:
            same(ours.grad, theirs.grad, dtype, 3)


def copy_state(ours, theirs):
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.tensor(RNG.standard_normal(tuple(p.shape)) * 0.4))
    ours.load_state_dict({k: rbe.tensor(v.numpy()) for k, v in theirs.state_dict().items()})


def gradients_agree(ours, theirs, dtype):
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            same(p.grad, q.grad, dtype, 5)


PADDING = np.array([[False] * 5 + [True] * 2, [False] * 7])
AFTER = np.triu(np.ones((7, 7), bool), 1)
LAYERS = [
    ({}, {}, "self"),
    ({"batch_first": True, "bias": False}, {"need_weights": False}, "self"),
    ({"batch_first": True}, {"need_weights": False, "key_padding_mask": PADDING}, "self"),
    ({}, {"key_padding_mask": PADDING, "average_attn_weights": False}, "self"),
    ({"batch_first": True}, {"need_weights": False, "attn_mask": AFTER, "is_causal": True}, "self"),
    ({"batch_first": True}, {"attn_mask": AFTER, "key_padding_mask": PADDING[::-1].copy()}, "self"),
    ({}, {"attn_mask": RNG.standard_normal((6, 7, 7)), "need_weights": False}, "self"),
    ({"batch_first": True}, {}, "cross"),
    ({"kdim": 5, "vdim": 9}, {"need_weights": False}, "cross"),
    ({"add_bias_kv": True, "add_zero_attn": True}, {"attn_mask": AFTER[:4]}, "cross"),
    ({"add_zero_attn": True}, {"need_weights": False}, "self"),
    ({}, {}, "unbatched"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("options", "call", "kind"), LAYERS)
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_multihead_attention(options, call, kind, dtype):
    rng = np.random.default_rng(3)
    kind_of = {"dtype": torch.float64 if dtype == np.float64 else torch.float32}
    theirs = torch.nn.MultiheadAttention(6, 3, **options, **kind_of)
    ours = nn.MultiheadAttention(6, 3, **options, dtype=np.dtype(dtype).name)
    copy_state(ours, theirs)
    lead = (2,) if kind != "unbatched" else ()
    shape = lambda n, e: (*lead, n, e) if options.get("batch_first") else (n, *lead, e)  # noqa: E731
    inputs = [pair(rng.standard_normal(shape(7, 6)), dtype)]
    if kind == "cross":
        inputs = [pair(rng.standard_normal(shape(4, 6)), dtype)]
        inputs += [pair(rng.standard_normal(shape(7, options.get(n, 6))), dtype) for n in ("kdim", "vdim")]
    a, b = dict(call), dict(call)
    for name in ("attn_mask", "key_padding_mask"):
        if name in call:
            a[name], b[name] = pair(call[name], dtype, grad=False)
    triple = lambda i: [p[i] for p in (inputs if kind == "cross" else inputs * 3)]  # noqa: E731
    y, ours_weights = ours(*triple(0), **a)
    z, their_weights = theirs(*triple(1), **b)
    same(y, z, dtype, 3)
    assert (ours_weights is None) == (their_weights is None)
    if their_weights is not None:
        same(ours_weights, their_weights, dtype, 3)
    backward(y, z, dtype)
    for ours_input, their_input in inputs:
        same(ours_input.grad, their_input.grad, dtype, 5)
    gradients_agree(ours, theirs, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "norm_first": True, "activation": "gelu"}, {"bias": False}])
@pytest.mark.parametrize("masked", [False, True])
def test_encoder_layer(options, masked, dtype):
    kind_of = {"dtype": torch.float64 if dtype == np.float64 else torch.float32}
    theirs = torch.nn.TransformerEncoderLayer(6, 2, 10, 0.0, **options, **kind_of)
    ours = nn.TransformerEncoderLayer(6, 2, 10, 0.0, **options, dtype=np.dtype(dtype).name)
    copy_state(ours, theirs)
    shape = (2, 7, 6) if options.get("batch_first") else (7, 2, 6)
    x = pair(np.random.default_rng(4).standard_normal(shape), dtype)
    mask = np.where(AFTER, -math.inf, 0.0)
    masks = [pair(m, dtype, grad=False) for m in (mask, np.where(PADDING, -math.inf, 0.0))] if masked else [(None, None)] * 2
    y, z = ours(x[0], masks[0][0], masks[1][0]), theirs(x[1], masks[0][1], masks[1][1])
    same(y, z, dtype, 3)
    backward(y, z, dtype)
    same(x[0].grad, x[1].grad, dtype, 5)
    gradients_agree(ours, theirs, dtype)
