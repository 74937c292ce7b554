"""Arithmetic of every pair of element types: values, types and gradients, against NumPy and Python."""

import itertools
import math
import operator

import numpy as np
import pytest
import rbe

KINDS = {"bool": 0, "int64": 1, "float32": 2, "float64": 3}
VALUES = {
    "bool": np.array([True, False, True]),
    "int64": np.array([7, -3, 2**53 + 1]),
    "float32": np.array([0.75, -2.5, 3.0], dtype=np.float32),
    "float64": np.array([0.1, -2.5, 1e17]),
}


def wider(a, b):
    return max(a, b, key=KINDS.__getitem__)


def floating(a):
    return a if a.startswith("float") else "float32"


@pytest.mark.parametrize(("a", "b"), list(itertools.product(KINDS, repeat=2)))
def test_types_of_results(a, b):
    x, y = rbe.tensor(VALUES[a]), rbe.tensor(VALUES[b])
    common = wider(a, b)
    for f in (operator.add, operator.mul, rbe.maximum, rbe.minimum, operator.pow):
        assert f(x, y).dtype.name == common
    assert (x / y).dtype.name == floating(common)
    assert rbe.copysign(x, y).dtype.name == floating(common)
    divisor = y + 10 if b != "bool" else y.logical_or(True)
    for f in (operator.floordiv, operator.mod, rbe.fmod, lambda p, q: rbe.div(p, q, rounding_mode="trunc")):
        if common == "bool":
            with pytest.raises(rbe.DTypeError, match="bool"):
                f(x, divisor)
        else:
            assert f(x, divisor).dtype.name == common
    if common == "bool":
        with pytest.raises(rbe.DTypeError, match="sub"):
            x - y
    else:
        assert (x - y).dtype.name == common


@pytest.mark.parametrize("a", KINDS)
def test_types_beside_numbers(a):
    x = rbe.tensor(VALUES[a])
    for scalar, kind in ((True, "bool"), (2, "int64"), (2.5, "float32"), (np.float64(2.5), "float32"), (np.int64(2), "int64")):
        want = a if KINDS[kind] < 2 <= KINDS[a] or (kind, a) == ("float32", "float64") else wider(a, kind)
        for result in (x + scalar, scalar * x, rbe.maximum(x, scalar), rbe.add(scalar, x)):
            assert result.dtype.name == want, (a, scalar)


@pytest.mark.parametrize("a", KINDS)
def test_types_of_functions(a):
    x = rbe.tensor(VALUES[a])
    for name in ("neg", "abs", "relu", "floor", "ceil", "round", "trunc"):
        if a == "bool":
            with pytest.raises(rbe.DTypeError, match=name):
                getattr(x, name)()
        else:
            assert getattr(x, name)().dtype.name == a
    assert x.sign().dtype.name == a
    assert x.square().dtype.name == wider(a, "int64")
    assert (x**2).dtype.name == wider(a, "int64")
    assert (x**2.0).dtype.name == floating(a)
    assert x.sum().dtype.name == x.prod().dtype.name == x.cumsum(0).dtype.name == wider(a, "int64")
    for name in ("exp", "sqrt", "reciprocal", "sigmoid", "tanh", "log1p", "mean", "var", "std", "norm", "rsqrt"):
        assert getattr(x, name)().dtype.name == floating(a)
    for name in ("isnan", "isinf", "isfinite", "logical_not"):
        assert getattr(x, name)().dtype is rbe.bool


def test_integers_are_exact():
    n = 2**53 + 1
    x = rbe.tensor([n, -n, 3])
    assert (-x).tolist() == [-n, n, -3]
    assert x.abs().tolist() == [n, n, 3]
    assert x.relu().tolist() == [n, 0, 3]
    assert rbe.tensor([3, -3]).square().tolist() == [9, 9]
    assert (rbe.tensor([3, -3]) ** 33).tolist() == [3**33, -(3**33)]
    assert (3 ** rbe.tensor([0, 33])).tolist() == [1, 3**33]
    assert (x + 1).tolist() == [n + 1, 1 - n, 4]
    assert x.maximum(0).tolist() == [n, 0, 3]
    assert rbe.clamp(x, 0, 2**60).tolist() == [n, 0, 3]
    assert (x * rbe.tensor([True, True, False])).tolist() == [n, -n, 0]
    assert x.round().tolist() == x.floor().tolist() == x.tolist()
    assert rbe.arange(6)[-rbe.tensor([1, 2])].tolist() == [5, 4]


def test_integers_wrap_around():
    low = -(2**63)
    x = rbe.tensor([low])
    assert (-x).tolist() == [low]
    assert x.abs().tolist() == [low]
    assert (x - 1).tolist() == [2**63 - 1]
    assert (x // -1).tolist() == [low]
    assert (x % -1).tolist() == [0]
    assert (rbe.tensor([2]) ** 64).tolist() == [0]
    assert rbe.full((3,), 2**62).sum().item() == 3 * 2**62 - 2**64


def test_powers_of_integers():
    x = rbe.tensor([2, -1, 1, 0])
    with pytest.raises(rbe.TensorError, match="pow"):
        x**-1
    assert (rbe.tensor([2, -1, 1]) ** rbe.tensor([-1, -3, -5])).tolist() == [0, -1, 1]
    np.testing.assert_array_equal((x**-1.0).numpy(), np.float32([0.5, -1, 1, np.inf]))
    assert (x**0).tolist() == [1, 1, 1, 1]


def test_masks():
    a, b = rbe.tensor([True, True, False]), rbe.tensor([True, False, False])
    assert (a + b).tolist() == [True, True, False]
    assert (a * b).tolist() == rbe.minimum(a, b).tolist() == [True, False, False]
    assert rbe.maximum(a, b).tolist() == [True, True, False]
    assert a.sign().tolist() == a.tolist()
    a *= b
    assert a.tolist() == [True, False, False]
    counts = rbe.tensor([3, 4])
    counts **= 2
    assert counts.tolist() == [9, 16]
    assert (1.5 - b).tolist() == [0.5, 1.5, 1.5]


def quotients(dtype):
    """Numbers whose quotients are large, near integers, zero or infinite."""
    some = [0.0, 1.0, -1.0, 0.1, -0.3, 3.0, 7.5, 1e17, -1e-30, 0.25, 0.001, np.inf, -np.inf, np.nan, 12345.678, 2.0**40]
    return np.array(some, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_division_with_a_remainder_is_exact(dtype):
    a, b = np.meshgrid(quotients(dtype), quotients(dtype))
    x, y = rbe.tensor(a), rbe.tensor(b)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(rbe.fmod(x, y).numpy(), np.fmod(a, b))
        np.testing.assert_array_equal((x % y).numpy(), np.mod(a, b))
        np.testing.assert_array_equal((x // y).numpy(), np.floor_divide(a, b))
        np.testing.assert_array_equal(rbe.div(x, y, rounding_mode="trunc").numpy(), np.trunc(a / b))
    rest = (x % y).numpy()
    zero = rest == 0
    np.testing.assert_array_equal(np.signbit(rest[zero]), np.signbit(b[zero]))


def test_division_as_python_divides():
    assert (rbe.tensor([1.0], dtype=rbe.float64) % 0.1).item() == 1.0 % 0.1
    assert (rbe.tensor([0.25], dtype=rbe.float64) // 0.001).item() == 0.25 // 0.001
    assert (rbe.tensor([5.0]) % math.inf).item() == 5
    assert (-rbe.tensor([5.0]) // math.inf).item() == -1
    for a, b in itertools.product((7, -7, 6, 0), (2, -2, 3)):
        t = rbe.tensor([a])
        assert ((t // b).item(), (t % b).item()) == divmod(a, b)
        assert rbe.fmod(t, b).item() == math.fmod(a, b)
        assert rbe.div(t, b, rounding_mode="trunc").item() == int(a / b)
    for f in (operator.floordiv, operator.mod, rbe.fmod):
        with pytest.raises(rbe.TensorError, match="divisor"):
            f(rbe.tensor([1, 2]), rbe.tensor([1, 0]))
    with pytest.raises(rbe.TensorError, match="rounding_mode"):
        rbe.div(rbe.ones(1), 2, rounding_mode="up")


def test_gradients_of_remainders():
    x = rbe.tensor([5.3, -5.3], dtype=rbe.float64, requires_grad=True)
    n = rbe.tensor([2.0, 2.0], dtype=rbe.float64, requires_grad=True)
    (x % n + x).sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert n.grad.tolist() == [-2, 3]  # of x - n floor(x / n)
    x.grad = n.grad = None
    rbe.fmod(x, n).sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert n.grad.tolist() == [-2, 2]
    x.grad = n.grad = None
    (x // n * x).sum().backward()
    assert x.grad.tolist() == [2, -3]  # the quotient itself: it counts as constant
    assert n.grad.tolist() == [0, 0]


def test_functions_that_step_stay_on_the_tape():
    for f in (rbe.floor, rbe.ceil, rbe.round, rbe.trunc, rbe.sign, lambda t: t.round(decimals=1), lambda t: t // 1.0):
        x = rbe.tensor([1.26, -2.74, math.inf], dtype=rbe.float64, requires_grad=True)
        f(x).sum().backward()
        assert x.grad.tolist() == [0, 0, 0]
        x.grad = None
        (f(x)[:2] * x[:2]).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy()[:2], f(x.detach()).numpy()[:2])


def test_rounding_to_places():
    a = np.array([1.25, -1.35, 1234.5678])
    for places in (0, 1, 2, -1, -2):
        np.testing.assert_allclose(rbe.tensor(a).round(decimals=places).numpy(), np.round(a, places), rtol=1e-15)
    assert rbe.round(rbe.tensor([0.5, 1.5, 2.5, -0.5])).tolist() == [0, 2, 2, 0]
    assert rbe.tensor([15]).round().tolist() == [15]
    with pytest.raises(rbe.DTypeError, match="decimals"):
        rbe.tensor([15]).round(decimals=-1)


def test_gradients_at_bounds_and_beside_nan():
    x = rbe.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, math.nan], requires_grad=True)
    for f, want in (
        (lambda: x.clamp(0, 1), [0, 0, 1, 0, 0, 0]),
        (lambda: x.clamp(min=0), [0, 0, 1, 1, 1, 0]),
        (lambda: x.clamp(max=1), [1, 1, 1, 0, 0, 0]),
        (lambda: x.clamp(1, 0), [0, 0, 0, 0, 0, 0]),
        (lambda: x.relu(), [0, 0, 1, 1, 1, 1]),
        (lambda: x.elu(2.0), [2 * math.exp(-1), 2, 1, 1, 1, 1]),
        (lambda: x.maximum(0.5), [0, 0, 0.5, 1, 1, 1]),
        (lambda: x.minimum(0.5), [1, 1, 0.5, 0, 0, 1]),
    ):
        x.grad = None
        f().sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.float32(want), rtol=1e-6)
    assert x.detach().clamp(1, 0)[:5].tolist() == [0] * 5  # the upper bound, where it is the lower
    assert rbe.tensor([1.0]).clamp(min=math.nan).isnan().all()
    with pytest.raises(rbe.TensorError, match="bound"):
        x.clamp()


def test_scaled_sums():
    x, y = rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0])
    assert x.add(y, alpha=2).tolist() == [7, 10]
    assert rbe.sub(x, 1, alpha=0.5).tolist() == [0.5, 1.5]
    assert rbe.add(rbe.tensor([1]), rbe.tensor([2]), alpha=3).tolist() == [7]
    with pytest.raises(rbe.DTypeError, match="alpha"):
        rbe.add(rbe.tensor([1]), rbe.tensor([2]), alpha=0.5)


def test_numbers_beyond_int64():
    assert (rbe.zeros(1, dtype=rbe.float64) + 2**70).item() == 2.0**70
    with pytest.raises(rbe.TensorError, match="int64"):
        rbe.tensor([1]) + 2**70


def test_the_default_type_is_that_of_python_floats():
    x = rbe.tensor([1, 2])
    rbe.set_default_dtype(rbe.float64)
    try:
        for t in (x + 0.5, x / 2, x.exp(), x.mean(), x.softmax(0), rbe.tensor([0.1, 2]), rbe.linspace(0, 1, 3)):
            assert t.dtype is rbe.float64
        assert (rbe.ones(2, dtype=rbe.float32) + 0.5).dtype is rbe.float32
    finally:
        rbe.set_default_dtype(rbe.float32)
    assert (x + 0.5).dtype is rbe.float32
