"""Properties of operations on tensors of any type and shape, against NumPy."""

import operator

import numpy as np
import pytest
import rbe
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = (np.bool_, np.int64, np.float32, np.float64)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
settings.register_profile("rbe", deadline=None, max_examples=150, derandomize=True)
settings.load_profile("rbe")


@st.composite
def arrays(draw, shape=SHAPES, kinds=KINDS):
    kind, shape = draw(st.sampled_from(kinds)), draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    values = draw(st.lists(st.integers(-40, 40), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    a = np.array(values, dtype=np.int64).reshape(shape)
    return a % 2 == 0 if kind is np.bool_ else (a / (1 if kind is np.int64 else 8)).astype(kind)


@st.composite
def pairs(draw):
    """Two arrays whose shapes broadcast."""
    shape = draw(SHAPES)

    def part():
        lengths = [1 if draw(st.booleans()) else n for n in shape]
        return tuple(lengths[draw(st.integers(0, len(lengths))) :])

    return draw(arrays(part())), draw(arrays(part()))


def result_type(a, b):
    """The type of a sum: the wider kind; of two of one kind the wider type, where what has no axes does not count."""
    rank = {kind: i for i, kind in enumerate(map(np.dtype, KINDS))}
    x, y = a.dtype, b.dtype
    if x.kind == y.kind and (a.ndim == 0) != (b.ndim == 0):
        return x if a.ndim else y
    return max(x, y, key=rank.__getitem__)


FUNCTIONS = {
    "add": (operator.add, lambda a, b: a + b),
    "sub": (operator.sub, lambda a, b: a - b),
    "mul": (operator.mul, lambda a, b: a * b),
    "maximum": (rbe.maximum, np.maximum),
    "minimum": (rbe.minimum, np.minimum),
    "mod": (operator.mod, np.mod),
    "fmod": (rbe.fmod, np.fmod),
    "floordiv": (operator.floordiv, np.floor_divide),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(pairs())
def test_two_operands(name, pair):
    a, b = pair
    ours, theirs = FUNCTIONS[name]
    dtype = result_type(a, b)
    if name in ("mod", "fmod", "floordiv"):
        b = np.where(b == 0, np.ones_like(b), b)
    if dtype == np.bool_ and name in ("sub", "mod", "fmod", "floordiv"):
        with pytest.raises(rbe.DTypeError):
            ours(rbe.tensor(a), rbe.tensor(b))
        return
    got = ours(rbe.tensor(a), rbe.tensor(b)).numpy()
    want = theirs(a.astype(dtype), b.astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)


@given(pairs())
def test_division_and_comparison(pair):
    a, b = pair
    dtype = result_type(a, b)
    x, y = rbe.tensor(a), rbe.tensor(b)
    floats = dtype if dtype.kind == "f" else np.float32
    with np.errstate(all="ignore"):
        got, want = (x / y).numpy(), a.astype(floats) / b.astype(floats)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        np.testing.assert_array_equal(compare(x, y).numpy(), compare(a.astype(dtype), b.astype(dtype)))
    np.testing.assert_array_equal(rbe.where(x > 0, x, y).numpy(), np.where(a > 0, a.astype(dtype), b.astype(dtype)))


@st.composite
def reductions(draw):
    a = draw(arrays())
    axes = draw(st.one_of(st.none(), st.sets(st.integers(0, max(a.ndim - 1, 0)), min_size=1).map(sorted))) if a.ndim else None
    turned = draw(st.permutations(range(a.ndim)))
    return a, None if axes is None else tuple(axes), draw(st.booleans()), tuple(turned)


@given(reductions())
def test_sums_and_extremes_over_any_axes(case):
    a, axes, keep, turned = case
    x, a = rbe.tensor(a).permute(*turned) if a.ndim else rbe.tensor(a), a.transpose(turned)
    whole = a.astype(np.int64) if a.dtype.kind in "bi" else a
    got = x.sum(axes, keep).numpy()
    assert got.dtype == whole.dtype
    np.testing.assert_allclose(got, whole.sum(axes, keepdims=keep), rtol=1e-6)
    np.testing.assert_allclose(x.prod(axes, keep).numpy(), whole.prod(axes, keepdims=keep), rtol=1e-6)
    assert x.any(axes, keep).tolist() == a.any(axes, keepdims=keep).tolist()
    assert x.all(axes, keep).tolist() == a.all(axes, keepdims=keep).tolist()
    if 0 not in (a.size, *a.shape):
        np.testing.assert_allclose(x.mean(axes, keep).numpy(), a.mean(axes, keepdims=keep), rtol=1e-6)
        np.testing.assert_allclose(x.var(axes, 0, keep).numpy(), a.astype(np.float64).var(axes, keepdims=keep), rtol=1e-5)
        for ours, theirs in (("amax", "max"), ("amin", "min")):
            got = getattr(x, ours)(axes, keep).numpy()
            assert got.dtype == a.dtype
            np.testing.assert_array_equal(got, getattr(a, theirs)(axes, keepdims=keep))


@given(pairs())
def test_gradients_have_the_operands_shapes(pair):
    a, b = (v.astype(np.float64) for v in pair)
    x, y = rbe.tensor(a, requires_grad=True), rbe.tensor(b, requires_grad=True)
    z = x * y + x
    z.sum().backward()
    ones = np.ones(z.shape)

    def back(value, shape):
        lead = value.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and value.shape[lead + i] != 1)
        return value.sum(axes).reshape(shape)

    np.testing.assert_allclose(x.grad.numpy(), back(ones * b + ones, a.shape), rtol=1e-12)
    np.testing.assert_allclose(y.grad.numpy(), back(ones * a, b.shape), rtol=1e-12)


@given(arrays(kinds=(np.int64, np.float32, np.float64)), st.integers(0, 6))
def test_powers(a, p):
    got = (rbe.tensor(a) ** p).numpy()
    assert got.dtype == a.dtype
    np.testing.assert_allclose(got, a**p, rtol=1e-6)
