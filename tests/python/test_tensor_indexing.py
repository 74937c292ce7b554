"""Indexing against NumPy: whatever NumPy reads or writes, tensors read and write."""

import numpy as np
import pytest
import rbe


def random_index(rng, shape):
    """An index of random kind for every axis, with new axes and an ellipsis thrown in."""
    items, axis, picked = [], 0, int(rng.integers(1, 4))
    ellipsis = bool(rng.random() < 0.3)
    while axis < len(shape):
        n, kind = shape[axis], rng.integers(0, 7)
        if kind == 0:
            items.append(int(rng.integers(-n, n)))
        elif kind == 1:
            start, stop = (int(v) for v in rng.integers(-n - 1, n + 2, 2))
            items.append(slice(start, stop, int(rng.choice([-2, -1, 1, 2]))))
        elif kind == 2:
            items.append(rng.integers(-n, n, rng.choice([1, picked])))
        elif kind == 3:
            items.append(np.int64(rng.integers(-n, n)))
        elif kind == 4:
            items.append(slice(None))
        elif kind == 5 and ellipsis:
            items.append(...)
            ellipsis = False
            axis += int(rng.integers(0, len(shape) - axis + 1))
            continue
        else:
            items.append(None)
            continue
        axis += 1
    return tuple(items[: int(rng.integers(1, len(items) + 1))])


def as_ours(index):
    """The same index with tensors in the place of arrays."""
    return tuple(rbe.tensor(i) if isinstance(i, np.ndarray) else i for i in index)


def test_random_indices_read_and_write_as_numpy():
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(3000):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
        a = rng.standard_normal(shape)
        index = random_index(rng, shape)
        try:
            want = np.asarray(a[index])
        except IndexError:
            with pytest.raises((IndexError, rbe.ShapeError)):
                rbe.tensor(a)[as_ours(index)]
            continue
        got = rbe.tensor(a)[as_ours(index)]
        assert got.shape == want.shape, index
        np.testing.assert_array_equal(got.numpy(), want, err_msg=str(index))
        # Positions named twice take the last value, in both.
        b, t, values = a.copy(), rbe.tensor(a), rng.standard_normal(want.shape)
        b[index] = values
        t[as_ours(index)] = values
        np.testing.assert_array_equal(t.numpy(), b, err_msg=str(index))
        compared += 1
    assert compared > 2000


def test_gradients_of_indexing_add_up():
    rng = np.random.default_rng(1)
    for _ in range(200):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
        index = random_index(rng, shape)
        x = rbe.tensor(rng.standard_normal(shape), requires_grad=True)
        try:
            y = x[as_ours(index)]
        except (IndexError, rbe.ShapeError):
            continue
        dy, want = rng.standard_normal(y.shape), np.zeros(shape)
        np.add.at(want, index, dy)
        y.backward(rbe.tensor(dy))
        np.testing.assert_allclose(x.grad.numpy(), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("index", [True, False, (True, 0), (0, True), np.array(True), (slice(1), False), (None, True, [0, 1])])
def test_truth_values_are_masks_without_axes(index):
    a = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(rbe.tensor(a)[index].numpy(), a[index])
    t = rbe.tensor(a)
    t[index] = -1
    a[index] = -1
    np.testing.assert_array_equal(t.numpy(), a)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("place", ["first", "last"])
def test_masks_of_several_axes(axes, place):
    rng = np.random.default_rng(axes)
    a = rng.standard_normal((3, 4, 5))
    mask = rng.random(a.shape[:axes] if place == "first" else a.shape[3 - axes :]) < 0.5
    index = mask if place == "first" else (..., mask)
    ours = rbe.tensor(mask) if place == "first" else (..., rbe.tensor(mask))
    np.testing.assert_array_equal(rbe.tensor(a)[ours].numpy(), a[index])
    t, values = rbe.tensor(a), rng.standard_normal(a[index].shape)
    t[ours] = rbe.tensor(values)
    a[index] = values
    np.testing.assert_array_equal(t.numpy(), a)


def test_integers_of_any_kind_give_views():
    for i in (1, np.int64(1), np.int32(1), rbe.tensor(1)):
        t = rbe.zeros(3, 4)
        t[i].fill_(5.0)
        t[:, i].add_(1.0)
        assert t.tolist() == [[0, 1, 0, 0], [5, 6, 5, 5], [0, 1, 0, 0]]


def test_lists_may_hold_tensors_and_numpy_integers():
    t = rbe.arange(5)
    assert t[[rbe.tensor(0), 2, np.int64(4)]].tolist() == [0, 2, 4]
    assert t[[]].tolist() == []
    assert t[range(2)].tolist() == [0, 1]


def test_overlapping_assignments_read_before_they_write():
    t = rbe.arange(6)
    t[1:] = t[:-1]
    assert t.tolist() == [0, 0, 1, 2, 3, 4]
    t[:] = t[::-1]
    assert t.tolist() == [4, 3, 2, 1, 0, 0]
    t[[1, 2]] = t[[2, 1]]
    assert t.tolist() == [4, 2, 3, 1, 0, 0]
    m = rbe.arange(9).reshape(3, 3)
    m.copy_(m.T)
    assert m.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_assignments_convert_to_the_type_of_the_target():
    t = rbe.zeros(3, dtype=rbe.int64)
    t[0] = 1.7
    t[1] = True
    t[2:] = rbe.tensor([2**53 + 1])
    assert t.tolist() == [1, 1, 2**53 + 1]


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        ((..., ...), rbe.OutOfRangeError, "one ellipsis"),
        (1.5, rbe.DTypeError, "got float32"),
        ("a", rbe.DTypeError, "str"),
        (slice(None, None, 0), ValueError, "zero"),
        ([[True, False]], rbe.OutOfRangeError, "mask of shape"),
        (([0, 1, 2], [0, 1]), rbe.ShapeError, "broadcasts"),
        ((0, 0, 0), rbe.OutOfRangeError, "at most 2 indices"),
    ],
)
def test_what_is_no_index_is_refused(index, error, text):
    t = rbe.zeros(3, 3)
    with pytest.raises(error, match=text):
        t[index]
    with pytest.raises(error, match=text):
        t[index] = 1.0
    assert t.sum().item() == 0


def test_values_that_do_not_fit_change_nothing():
    t = rbe.zeros(3, 4)
    for index, value in [(0, rbe.ones(3)), (slice(None), rbe.ones(2, 4)), ([0, 1], rbe.ones(3, 4)), (t == 0, rbe.ones(5))]:
        with pytest.raises(rbe.ShapeError):
            t[index] = value
    with pytest.raises(rbe.DTypeError):
        t[0] = "text"
    with pytest.raises(rbe.GraphError, match="no_grad"):
        rbe.ones(2, requires_grad=True)[0] = 1.0
    assert t.sum().item() == 0


def test_packed_tensors_have_no_elements_to_index():
    w = rbe.RBELinear(70, 3).weight
    with pytest.raises(rbe.DTypeError, match="to_dense"):
        w[0]
    with pytest.raises(rbe.DTypeError, match="to_dense"):
        w.detach()[0] = 1.0
