"""Gradients scaled to a norm or held within bounds, compared with NumPy."""

import math

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.nn.utils import clip_grad_norm_, clip_grad_value_

NORMS = [0.5, 1.0, 1.5, 2.0, 3.0, 7.0, math.inf]


def with_grads(*grads):
    out = []
    for g in grads:
        g = np.asarray(g)
        p = nn.Parameter(rbe.zeros(*g.shape, dtype=getattr(rbe, g.dtype.name)))
        p.grad = rbe.from_numpy(g.copy())
        out.append(p)
    return out


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_are_numpys(norm_type, dtype):
    rng = Inputs()
    grads = [rng.array(shape, dtype=dtype) for shape in ((3, 4), (50_000,), (), (2, 0))]
    want = np.linalg.norm(np.concatenate([g.ravel().astype(np.float64) for g in grads]), norm_type)
    for max_norm in (want / 2, want * 2, math.inf):
        params = with_grads(*grads)
        norm = clip_grad_norm_(iter(params), max_norm, norm_type)
        assert norm.dtype is getattr(rbe, np.dtype(dtype).name)
        np.testing.assert_allclose(norm.item(), want, rtol=1e-6 if dtype is np.float32 else 1e-12)
        scale = min(1.0, max_norm / (want + 1e-6))
        for p, g in zip(params, grads, strict=True):
            np.testing.assert_allclose(p.grad.numpy(), g * scale, rtol=2e-6 if dtype is np.float32 else 1e-12)


@pytest.mark.parametrize("norm_type", NORMS)
def test_powers_beyond_the_range_of_numbers(norm_type):
    for dtype, sizes in ((np.float32, (1e-38, 1e-25, 1e25, 1e38)), (np.float64, (1e-300, 1e-160, 1e160, 1e300))):
        for size in sizes:
            g = np.full(2, size, dtype)
            norm = clip_grad_norm_(with_grads(g), math.inf, norm_type).item()
            with np.errstate(over="ignore"):
                want = dtype(size * (1.0 if norm_type == math.inf else 2.0 ** (1 / norm_type)))
            np.testing.assert_allclose(norm, want, rtol=1e-6)


@pytest.mark.parametrize("norm_type", [*NORMS, "inf"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_is_seen_in_every_norm_and_place(norm_type, bad, place):
    grads = [np.ones(3, np.float32), np.ones(20_000, np.float32), np.ones(2, np.float32)]
    grads[place][-1] = bad
    params = with_grads(*grads)
    with pytest.raises(rbe.NonFiniteError, match="clip_grad_norm"):
        clip_grad_norm_(params, 1.0, norm_type, error_if_nonfinite=True)
    for p, g in zip(params, grads, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
    norm = clip_grad_norm_(params, 1.0, norm_type).item()
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    # As torch: NaN everywhere, or zeros but where infinity times zero is NaN.
    for p, g in zip(params, grads, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), np.where(np.isfinite(g) & np.isinf(bad), 0.0, np.nan).astype(np.float32))


def test_mixed_dtypes_and_none():
    assert clip_grad_norm_([], 1.0).item() == 0.0
    assert clip_grad_norm_(nn.Parameter(rbe.ones(2)), 1.0).dtype is rbe.float32
    assert clip_grad_norm_(with_grads(np.ones(2, np.float32), np.ones(2)), 9.0).dtype is rbe.float64


def test_numbers_of_other_types_and_what_is_none():
    for one in (np.float32(1), np.array(1), rbe.tensor(1.0), 1):
        p = with_grads(np.array([3.0, 4.0], np.float32))[0]
        clip_grad_norm_(p, one, 2 * one, foreach=False)
        np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)
        p = with_grads(np.array([3.0, -4.0], np.float32))[0]
        clip_grad_value_([p], one, foreach=None)
        np.testing.assert_array_equal(p.grad.numpy(), [1.0, -1.0])
    p = with_grads(np.ones(2, np.float32))[0]
    for call in (
        lambda: clip_grad_norm_(p, "1"),
        lambda: clip_grad_norm_(p, None),
        lambda: clip_grad_norm_(p, 1.0, "2"),
        lambda: clip_grad_norm_(p, 1.0, error_if_nonfinite="no"),
        lambda: clip_grad_norm_([1.0], 1.0),
        lambda: clip_grad_norm_(3, 1.0),
        lambda: clip_grad_value_(p, [1.0, 2.0]),
        lambda: clip_grad_value_(None, 1.0),
    ):
        with pytest.raises(rbe.DTypeError, match="clip_grad_"):
            call()
    for call in (
        lambda: clip_grad_norm_(p, -1.0),
        lambda: clip_grad_norm_(p, math.nan),
        lambda: clip_grad_norm_(p, 1.0, 0.0),
        lambda: clip_grad_norm_(p, 1.0, -math.inf),
        lambda: clip_grad_value_(p, -1.0),
        lambda: clip_grad_value_(p, math.nan),
    ):
        with pytest.raises(rbe.TensorError, match="clip_grad_"):
            call()
    assert p.grad.tolist() == [1.0, 1.0]


def test_bounded_values_keep_nan():
    for dtype in (np.float32, np.float64):
        p = with_grads(np.array([math.nan, math.inf, -math.inf, 0.25, -3.0], dtype))[0]
        clip_grad_value_(p, 0.5)
        np.testing.assert_array_equal(p.grad.numpy(), np.array([math.nan, 0.5, -0.5, 0.25, -0.5], dtype))
        clip_grad_value_(p, math.inf)


def test_packed_gradients_count_in_the_2_norm_alone():
    layer = nn.RBELinear(64, 4)
    layer(rbe.ones(2, 64)).sum().backward()
    for norm_type in (1.0, math.inf):
        with pytest.raises(rbe.DTypeError, match="2-norm"):
            clip_grad_norm_(layer.parameters(), 1.0, norm_type)
    want = math.hypot(np.linalg.norm(layer.weight.grad.hi), np.linalg.norm(layer.bias.grad.numpy()))
    assert clip_grad_norm_(layer.parameters(), 1.0).item() == pytest.approx(want, rel=1e-5)
    layer.weight.grad = None
    clip_grad_norm_(layer.parameters(), 1.0, math.inf)  # without a gradient it does not count
