"""Cases of indexing, beside the properties in test_indexing_properties.py."""

import numpy as np
import pytest
import rbe
from inputs import Inputs


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
    rng = Inputs(axes)
    a = rng.array(3, 4, 5)
    mask = rng.random(a.shape[:axes] if place == "first" else a.shape[3 - axes :]) < 0.5
    index = mask if place == "first" else (..., mask)
    ours = rbe.tensor(mask) if place == "first" else (..., rbe.tensor(mask))
    np.testing.assert_array_equal(rbe.tensor(a)[ours].numpy(), a[index])
    t, values = rbe.tensor(a), rng.array(a[index].shape)
    t[ours] = rbe.tensor(values)
    a[index] = values
    np.testing.assert_array_equal(t.numpy(), a)


def test_integers_beside_index_arrays_are_taken_first():
    """NumPy counts the integer as an array and puts the picked axis first; torch takes the integer first."""
    a = rbe.arange(24).reshape(2, 3, 4)
    for zero in (0, np.int64(0), rbe.tensor(0)):
        assert a[zero, :, [1, 3]].tolist() == [[1, 3], [5, 7], [9, 11]]
        assert a[[0, 1], :, zero].tolist() == [[0, 4, 8], [12, 16, 20]]
        assert a[[1, 0], zero, [2, 3]].tolist() == [14, 3]
        assert a[[0, 1], None, zero].shape == (2, 1, 4)
    a[0, :, [1, 3]] = rbe.tensor([[-1, -2], [-3, -4], [-5, -6]])
    assert a[0].tolist() == [[0, -1, 2, -2], [4, -3, 6, -4], [8, -5, 10, -6]]


@pytest.mark.parametrize("index", [2**63, -(2**63) - 1, 1 << 64, 10**30])
def test_integers_of_more_than_64_bits_are_outside_every_axis(index):
    with pytest.raises(IndexError, match=str(index)):
        rbe.zeros(3)[index]


def test_an_empty_list_is_an_index_and_an_empty_tensor_of_floats_is_none():
    assert rbe.zeros(3, 2)[[]].shape == (0, 2)
    with pytest.raises(rbe.DTypeError):
        rbe.zeros(3, 2)[rbe.tensor([])]


def test_values_may_have_more_leading_axes_of_length_1_than_their_place():
    t = rbe.zeros(2, 3)
    t[0] = rbe.ones(1, 1, 3)
    t[[1]] = rbe.full((1, 1, 3), 2.0)
    assert t.tolist() == [[1.0] * 3, [2.0] * 3]
    with pytest.raises(rbe.ShapeError):
        t[0] = rbe.ones(2, 3)


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
