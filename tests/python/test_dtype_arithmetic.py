"""Arithmetic of element types that kernels do not compute in: float16 and bfloat16 by way of float32, short integers by int64."""

import numpy as np
import pytest
import rbe
import rbe.nn.functional as F

INTEGERS = [rbe.int8, rbe.int16, rbe.int32, rbe.uint8]
SHORT = [rbe.float16, rbe.bfloat16]
RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((2, 6, 8)).astype(np.float32)


@pytest.mark.parametrize("dtype", SHORT, ids=str)
@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x + y,
        lambda x, y: x * y - 0.1,
        lambda x, y: x / y,
        lambda x, y: x.exp(),
        lambda x, y: F.gelu(x),
        lambda x, y: x.sum(),
        lambda x, y: x.mean(0),
        lambda x, y: x.softmax(-1),
        lambda x, y: x @ y.T,
        lambda x, y: F.layer_norm(x, (8,)),
        lambda x, y: rbe.maximum(x, y),
        lambda x, y: x.clamp(-0.5, 0.5),
        lambda x, y: x.sort(1)[0],
        lambda x, y: x.cumsum(0),
        lambda x, y: F.linear(x, y),
        lambda x, y: x.var(),
        lambda x, y: rbe.where(x > y, x, y),
    ],
)
def test_floats_of_16_bits_compute_in_float32_and_round(f, dtype):
    # Operations of one step: their result is that in float32, rounded once. The second has two steps.
    x, y = rbe.tensor(X).to(dtype), rbe.tensor(Y).to(dtype)
    found, wide = f(x, y), f(x.float(), y.float())
    assert found.dtype is dtype
    steps = 2 if f(rbe.zeros(6, 8), rbe.ones(6, 8)).flatten()[0].item() == pytest.approx(-0.1) else 1
    if steps == 1:
        assert rbe.equal(found, wide.to(dtype))
    else:
        assert (found.float() - wide).abs().max().item() <= 2 * rbe.finfo(dtype).eps * wide.abs().max().item()


@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_gradients_have_the_type_of_their_tensors(dtype):
    x = rbe.tensor(X).to(dtype).requires_grad_()
    w = rbe.tensor(Y).requires_grad_()
    y = (x.float() @ w.T).to(dtype)
    y.sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (dtype, rbe.float32)
    expected = np.broadcast_to(Y.sum(0), X.shape)
    np.testing.assert_allclose(x.grad.float().numpy(), expected, rtol=rbe.finfo(dtype).eps)
    first = x.grad
    (x * 1.0).sum().backward()  # adds up, in the memory of the gradient that is there
    np.testing.assert_allclose(first.float().numpy(), expected + 1, rtol=2 * rbe.finfo(dtype).eps, atol=4e-2)
    assert rbe.equal(first, x.grad)


@pytest.mark.parametrize("dtype", SHORT, ids=str)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[[0, 0, 2]],
        lambda x: x[1:4],
        lambda x: x.gather(0, rbe.zeros(2, 8, dtype=rbe.int64)),
        lambda x: F.embedding(rbe.tensor([0, 1, 1]), x),
        lambda x: rbe.cat([x, x]),
        lambda x: x.expand(3, 6, 8),
        lambda x: rbe.where(x > 0, x, x * 2),
        lambda x: x.scatter_add(0, rbe.zeros(6, 8, dtype=rbe.int64), x),
        lambda x: x.sort(0)[0] * 3,
        lambda x: x.amax(0),
        lambda x: x + x * x,
    ],
)
def test_gradients_of_moved_elements_are_those_of_float32_rounded(f, dtype):
    x = rbe.tensor(X).to(dtype).requires_grad_()
    wide = x.detach().float().requires_grad_()
    f(x).sum().backward()
    f(wide).sum().backward()
    assert x.grad.dtype is dtype
    rbe.testing.assert_close(x.grad.float(), wide.grad, rtol=4 * rbe.finfo(dtype).eps, atol=0.02)


def test_views_written_in_place_are_recorded():
    x = rbe.tensor(X).half().requires_grad_()
    y = x * 1.0
    y[0] = 2.0
    y[1].mul_(3)
    (y * y).sum().backward()
    expected = 2 * X.astype(np.float16).astype(np.float32)
    expected[0], expected[1] = 0, expected[1] * 9
    np.testing.assert_allclose(x.grad.float().numpy(), expected, rtol=3e-3)
    rbe.nn.utils.clip_grad_value_(x, 0.5)
    assert x.grad.abs().max().item() == 0.5


def test_models_compute_in_short_floats_and_packed_layers_take_them():
    model = rbe.nn.Sequential(rbe.nn.Linear(8, 16), rbe.nn.ReLU(), rbe.nn.Linear(16, 4))
    wide = model(rbe.tensor(X))
    assert model.half()(rbe.tensor(X).half()).dtype is rbe.float16
    np.testing.assert_allclose(model(rbe.tensor(X).half()).detach().float().numpy(), wide.detach().numpy(), atol=0.01)
    packed = rbe.RBELinear(64, 8)
    x = rbe.randn(3, 64).bfloat16()
    assert rbe.equal(packed(x), packed(x.float()).bfloat16()) or packed.bias is not None
    assert packed(x).dtype in (rbe.bfloat16, rbe.float32)
    for make in (rbe.optim.SGD, rbe.optim.HybridOptimizer):
        with pytest.raises(rbe.DTypeError, match="float32"):
            make([rbe.nn.Parameter(rbe.ones(2).half())], lr=0.1)


def test_scripted_functions_take_short_floats():
    @rbe.jit.script
    def f(x, y):
        return (x * y + x).relu()

    x, y = rbe.tensor(X).half(), rbe.tensor(Y).half()
    assert rbe.equal(f(x, y), (x * y + x).relu())


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_keep_their_type_and_overflow_as_in_numpy(dtype):
    a = np.array([1, 2, 100, np.iinfo(dtype.numpy).max, np.iinfo(dtype.numpy).min]).astype(dtype.numpy)
    b = a[::-1].copy()
    x, y = rbe.tensor(a), rbe.tensor(b)
    with np.errstate(over="ignore"):
        cases = [
            (x + y, a + b),
            (x - y, a - b),
            (x * y, a * b),
            (-x, -a),
            (x & y, a & b),
            (~x, ~a),
            (x * 3, a * dtype.numpy.type(3)),
        ]
        cases += [(rbe.maximum(x, y), np.maximum(a, b)), (x.abs(), np.abs(a)), (x.sort()[0], np.sort(a)), (x.max(), a.max())]
        cases += [(x.clamp(0, 5), np.clip(a, 0, 5)), (x // 7, a // dtype.numpy.type(7)), (x % 7, a % dtype.numpy.type(7))]
    for found, expected in cases:
        assert found.dtype is dtype
        np.testing.assert_array_equal(found.numpy(), expected)
    assert [t.dtype for t in (x.sum(), x.prod(), x.cumsum(0), x.argmax(), x.argsort())] == [rbe.int64] * 5
    assert x.sum().item() == a.astype(np.int64).sum()
    assert ((x / 2).dtype, x.exp().dtype, (x + 0.5).dtype) == (rbe.float32,) * 3
    np.testing.assert_array_equal((x < y).numpy(), a < b)
    assert rbe.zeros(5)[x.clamp(0, 4)].shape == (5,) if dtype is not rbe.uint8 else True
    grown = x.clone()
    grown += y
    np.testing.assert_array_equal(grown.numpy(), cases[0][1], strict=True)
    with pytest.raises(rbe.DTypeError):
        grown += 0.5


def test_integers_of_any_signed_type_index():
    x = rbe.tensor(X)
    for dtype in (rbe.int8, rbe.int16, rbe.int32):
        places = rbe.tensor([3, 0, -1], dtype=dtype)
        assert rbe.equal(x[places], x[[3, 0, -1]])
        assert rbe.equal(F.embedding(places.abs(), x), x[[3, 0, 1]])
        assert x[places[0]].shape == (8,)
    assert F.cross_entropy(x, rbe.tensor([1] * 6, dtype=rbe.int32)).item() == F.cross_entropy(x, rbe.tensor([1] * 6)).item()


def test_numbers_beside_short_floats_are_not_rounded_first():
    x = rbe.tensor([3.0]).bfloat16()
    assert (x * 1.001).item() == rbe.tensor([3.0 * 1.001]).bfloat16().item()
    assert rbe.tensor([0.1]).half().eq(0.1).item()  # but where they are compared
    one = rbe.tensor(2.0, dtype=rbe.float16)
    assert (one * 0.5).dtype is rbe.float16
    assert (rbe.tensor(2, dtype=rbe.int32) + 1).dtype is rbe.int32
