"""Properties of indexing and broadcasting, with NumPy as the reference."""

import numpy as np
import pytest
import rbe
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inputs import waves
from strategies import FULL_SHAPES, SHAPES, broadcastable, indices, without_arrays

PROPERTIES = settings(max_examples=300, deadline=None, derandomize=True)


def in_two_steps(index, ndim):
    """The index as torch reads it: integers first, which give a view; then the rest. NumPy takes integers for arrays."""
    taken = sum(i.ndim if isinstance(i, np.ndarray) and i.dtype == bool else i is not None and i is not ... for i in index)
    first, second = [], []
    for item in index:
        if isinstance(item, int):
            first.append(item)
        elif item is ...:
            first.append(item)
            second.append(item)
        elif item is None:
            second.append(item)
        else:
            first += [slice(None)] * (item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1)
            second.append(item)
    if ... not in [i for i in index if not isinstance(i, np.ndarray)] and taken < ndim:
        first.append(...)
    return tuple(first), tuple(second)


def read(a, index):
    first, second = in_two_steps(index, a.ndim)
    return a[first][second]


def write(a, index, values):
    first, second = in_two_steps(index, a.ndim)
    view = a[first] if a[first].base is not None else None
    if view is None:  # NumPy gives an element, not a view, for integers alone
        a[first] = values
    else:
        view[second] = values


def ours(index):
    return tuple(rbe.tensor(i) if isinstance(i, np.ndarray) else i for i in index)


@st.composite
def tensors_and_indices(draw):
    shape = draw(SHAPES)
    return shape, draw(indices(shape, negative_steps=True))


def broadcasts(index):
    """Whether the index arrays broadcast, which NumPy alone decides."""
    arrays = [i.nonzero()[0] if i.dtype == bool else i for i in index if isinstance(i, np.ndarray)]
    try:
        np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        return False
    return True


@PROPERTIES
@given(tensors_and_indices())
def test_reading_and_its_gradient(case):
    shape, index = case
    a = waves(shape)
    t = rbe.tensor(a, requires_grad=True)
    if not broadcasts(index):
        with pytest.raises(rbe.ShapeError):
            t[ours(index)]
        return
    want, got = read(a, index), t[ours(index)]
    assert got.shape == want.shape
    np.testing.assert_array_equal(got.detach().numpy(), want)
    dy, dx = waves(want.shape, 0.5), np.zeros(shape)
    np.add.at(dx.reshape(-1), read(np.arange(a.size).reshape(shape), index), dy)
    got.backward(rbe.tensor(np.asarray(dy)))
    np.testing.assert_allclose(t.grad.numpy(), dx, rtol=1e-12, atol=1e-12)


@PROPERTIES
@given(tensors_and_indices(), st.data(), st.booleans())
def test_writing_and_its_gradients(case, data, recorded):
    shape, index = case
    assume(broadcasts(index))
    a = waves(shape)
    places = read(np.arange(a.size).reshape(shape), index)
    value = data.draw(broadcastable(places.shape))
    x, w = rbe.tensor(a, requires_grad=True), rbe.tensor(waves(value, 0.3), requires_grad=True)
    h = x * 2.0 if recorded else x.detach() * 2.0
    h[ours(index)] = w
    want = np.array(a * 2.0)
    want.reshape(-1)[places] = np.broadcast_to(waves(value, 0.3), places.shape)
    np.testing.assert_array_equal(h.detach().numpy(), want)
    dy = waves(shape, 0.7)
    h.backward(rbe.tensor(dy))
    # Of values for one place the last stays and has the gradient.
    left, spread = dy.reshape(-1).copy(), np.zeros(places.size)
    for i, place in reversed(list(enumerate(places.reshape(-1)))):
        spread[i], left[place] = left[place], 0.0
    dw = spread.reshape(places.shape)
    dw = dw.sum(axis=tuple(range(dw.ndim - len(value)))) if dw.ndim > len(value) else dw
    dw = dw.sum(axis=tuple(i for i, n in enumerate(value) if n == 1 and dw.shape[i] != 1), keepdims=True)
    np.testing.assert_allclose(w.grad.numpy(), dw.reshape(value), rtol=1e-12, atol=1e-12)
    if recorded:
        np.testing.assert_allclose(x.grad.numpy(), 2.0 * left.reshape(shape), rtol=1e-12, atol=1e-12)


@PROPERTIES
@given(FULL_SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), indices(shape), indices(shape))), st.data())
def test_views_follow_writes_and_writes_through_views_reach_the_base(case, data):
    shape, seen, written = case
    basic = without_arrays(seen)
    assume(broadcasts(written))
    a = waves(shape)
    h, x = rbe.tensor(a), rbe.tensor(waves(shape, 0.2), requires_grad=True)
    view = h[basic]
    places = read(np.arange(a.size).reshape(shape), written)
    h[ours(written)] = x[ours(written)] * 3.0
    values = a.copy()
    values.reshape(-1)[places] = 3.0 * waves(shape, 0.2).reshape(-1)[places]
    np.testing.assert_array_equal(view.detach().numpy(), values[basic])
    if view.numel():
        view.mul_(2.0)
        values[basic] *= 2.0
        np.testing.assert_allclose(h.detach().numpy(), values, rtol=1e-15)
    if h.requires_grad:
        dy = waves(shape, 0.9)
        h.backward(rbe.tensor(dy))
        factor = np.zeros(shape)
        factor.reshape(-1)[places] = 3.0
        if view.numel():
            factor[basic] *= 2.0
        np.testing.assert_allclose(x.grad.numpy(), dy * factor, rtol=1e-12, atol=1e-12)


@PROPERTIES
@given(SHAPES.flatmap(lambda shape: st.tuples(broadcastable(shape), broadcastable(shape), broadcastable(shape))))
def test_broadcasting_and_its_gradients(shapes):
    a, b, c = (waves(shape, i) for i, shape in enumerate(shapes))
    x, y, z = (rbe.tensor(v, requires_grad=True) for v in (a, b, c))
    got, want = x * y + rbe.where(z > 0, z, x), a * b + np.where(c > 0, c, a)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-15, atol=1e-15)
    dy = waves(want.shape, 0.4)
    got.backward(rbe.tensor(np.asarray(dy)))
    for tensor, value, d in ((x, a, dy * (b + np.where(c > 0, 0, 1))), (y, b, dy * a), (z, c, dy * np.where(c > 0, 1, 0))):
        d = np.broadcast_to(d, want.shape)
        d = d.sum(axis=tuple(range(d.ndim - value.ndim)))
        d = d.sum(axis=tuple(i for i, n in enumerate(value.shape) if n == 1), keepdims=True).reshape(value.shape)
        np.testing.assert_allclose(tensor.grad.numpy(), d, rtol=1e-12, atol=1e-12)


@PROPERTIES
@given(SHAPES, SHAPES)
def test_shapes_that_do_not_broadcast_are_refused(one, other):
    try:
        want = np.broadcast_shapes(one, other)
    except ValueError:
        for op in (lambda a, b: a + b, lambda a, b: a.maximum(b), lambda a, b: rbe.where(a > 0, a, b), lambda a, b: a == b):
            with pytest.raises(rbe.ShapeError):
                op(rbe.zeros(one), rbe.zeros(other))
        return
    assert (rbe.zeros(one) + rbe.zeros(other)).shape == want


@PROPERTIES
@given(SHAPES, st.integers(-(2**70), 2**70), st.integers(0, 3))
def test_integers_outside_an_axis_are_refused(shape, at, axis):
    t = rbe.zeros(shape)
    index = (slice(None),) * axis + (at,)
    if axis < len(shape) and -shape[axis] <= at < shape[axis]:
        assert t[index].ndim == len(shape) - 1
        return
    with pytest.raises(rbe.OutOfRangeError):
        t[index]
    with pytest.raises(rbe.OutOfRangeError):
        t[index] = 1.0
