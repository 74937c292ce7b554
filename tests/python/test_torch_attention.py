"""Attention against torch, weights copied; `make test-torch` installs torch."""

import functools
import math

import beside_torch
import numpy as np
import pytest
from beside_torch import DTYPES, backward, load_torch, pair, torch, torch_dtype
from inputs import Inputs
from rbe import nn

# These are sums of many products, whose terms cancel.
assert_same = functools.partial(beside_torch.assert_same, least=1.0)
assert_same_gradients = functools.partial(beside_torch.assert_same_gradients, least=1.0)

pytestmark = pytest.mark.torch

F, TF = nn.functional, torch.nn.functional
RNG = Inputs()
SEEN = RNG.random((5, 7)) < 0.7
SEEN[:, 0] = True
CASES = [
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6), {}),
    ((5, 4), (7, 4), (7, 4), {}),
    ((2, 5, 4), (2, 7, 4), (2, 7, 4), {"is_causal": True}),
    ((2, 7, 4), (2, 5, 4), (2, 5, 4), {"is_causal": True, "scale": 0.3}),
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4), {"attn_mask": SEEN}),
    ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4), {"attn_mask": RNG.array(2, 1, 5, 7)}),
    ((1, 2, 150, 16), (1, 2, 150, 16), (1, 2, 150, 8), {"is_causal": True}),
    ((1, 2, 70, 8), (1, 2, 130, 8), (1, 2, 130, 8), {"attn_mask": RNG.random((70, 130)) < 0.5}),
    ((2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4), {"enable_gqa": True}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("q", "k", "v", "options"), CASES)
def test_scaled_dot_product_attention(q, k, v, options, dtype):
    rng = Inputs(2)
    inputs = [pair(rng.array(shape), dtype) for shape in (q, k, v)]
    mask = [pair(options["attn_mask"], dtype)] if "attn_mask" in options else []
    a, b = dict(options), dict(options)
    if mask:
        a["attn_mask"], b["attn_mask"] = mask[0]
    y = F.scaled_dot_product_attention(*(p[0] for p in inputs), **a)
    z = TF.scaled_dot_product_attention(*(p[1] for p in inputs), **b)
    assert_same(y, z)
    backward(y, z)
    for ours, theirs in inputs + mask:
        if theirs.grad is not None:
            assert_same(ours.grad, theirs.grad, 3)


PADDING = np.array([[False] * 5 + [True] * 2, [False] * 7])
AFTER = np.triu(np.ones((7, 7), bool), 1)
LAYERS = [
    ({}, {}, "self"),
    ({"batch_first": True, "bias": False}, {"need_weights": False}, "self"),
    ({"batch_first": True}, {"need_weights": False, "key_padding_mask": PADDING}, "self"),
    ({}, {"key_padding_mask": PADDING, "average_attn_weights": False}, "self"),
    ({"batch_first": True}, {"need_weights": False, "attn_mask": AFTER, "is_causal": True}, "self"),
    ({"batch_first": True}, {"attn_mask": AFTER, "key_padding_mask": PADDING[::-1].copy()}, "self"),
    ({}, {"attn_mask": RNG.array(6, 7, 7), "need_weights": False}, "self"),
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
    rng = Inputs(3)
    kind_of = {"dtype": torch_dtype(dtype)}
    theirs = torch.nn.MultiheadAttention(6, 3, **options, **kind_of)
    ours = nn.MultiheadAttention(6, 3, **options, dtype=np.dtype(dtype).name)
    load_torch(ours, theirs, RNG, 0.4)
    lead = (2,) if kind != "unbatched" else ()
    shape = lambda n, e: (*lead, n, e) if options.get("batch_first") else (n, *lead, e)  # noqa: E731
    inputs = [pair(rng.array(shape(7, 6)), dtype)]
    if kind == "cross":
        inputs = [pair(rng.array(shape(4, 6)), dtype)]
        inputs += [pair(rng.array(shape(7, options.get(n, 6))), dtype) for n in ("kdim", "vdim")]
    a, b = dict(call), dict(call)
    for name in ("attn_mask", "key_padding_mask"):
        if name in call:
            a[name], b[name] = pair(call[name], dtype, grad=False)
    triple = lambda i: [p[i] for p in (inputs if kind == "cross" else inputs * 3)]  # noqa: E731
    y, ours_weights = ours(*triple(0), **a)
    z, their_weights = theirs(*triple(1), **b)
    assert_same(y, z, 3)
    assert (ours_weights is None) == (their_weights is None)
    if their_weights is not None:
        assert_same(ours_weights, their_weights, 3)
    backward(y, z)
    for ours_input, their_input in inputs:
        assert_same(ours_input.grad, their_input.grad, 5)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "norm_first": True, "activation": "gelu"}, {"bias": False}])
@pytest.mark.parametrize("masked", [False, True])
def test_encoder_layer(options, masked, dtype):
    kind_of = {"dtype": torch_dtype(dtype)}
    theirs = torch.nn.TransformerEncoderLayer(6, 2, 10, 0.0, **options, **kind_of)
    ours = nn.TransformerEncoderLayer(6, 2, 10, 0.0, **options, dtype=np.dtype(dtype).name)
    load_torch(ours, theirs, RNG, 0.4)
    shape = (2, 7, 6) if options.get("batch_first") else (7, 2, 6)
    x = pair(Inputs(4).array(shape), dtype)
    mask = np.where(AFTER, -math.inf, 0.0)
    masks = [pair(m, dtype, grad=False) for m in (mask, np.where(PADDING, -math.inf, 0.0))] if masked else [(None, None)] * 2
    y, z = ours(x[0], masks[0][0], masks[1][0]), theirs(x[1], masks[0][1], masks[1][1])
    assert_same(y, z, 3)
    backward(y, z)
    assert_same(x[0].grad, x[1].grad, 5)
    assert_same_gradients(ours, theirs)
