"""Comparisons and fixtures for tests."""

import numpy as np
import pytest
import rbe
from rbe.testing import assert_close

pytest_plugins = ["rbe.testing.plugin"]


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 2.0000001])),
        (rbe.tensor([1, 2]), np.array([1, 2])),
        (1.0, 1.0),
        ([rbe.ones(2), {"a": rbe.zeros(1)}], [rbe.ones(2), {"a": rbe.zeros(1)}]),
        (rbe.tensor([float("inf"), -1.0]), rbe.tensor([float("inf"), -1.0])),
        (rbe.zeros(0, 3), rbe.zeros(0, 3)),
        (rbe.tensor(True), np.bool_(True)),
    ],
)
def test_close(actual, expected):
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "text"),
    [
        (rbe.ones(2), rbe.ones(3), r"shapes differ: \(2,\) and \(3,\)"),
        (rbe.ones(2), rbe.ones(2).double(), "dtypes differ: float32 and float64"),
        (rbe.tensor([1.0, float("nan")]), rbe.tensor([1.0, float("nan")]), "1 of 2"),
        (rbe.tensor([float("inf")]), rbe.tensor([float("-inf")]), "1 of 1"),
        (rbe.tensor([5.0]), rbe.tensor([float("inf")]), "1 of 1"),
        (rbe.tensor([2**53 + 1]), rbe.tensor([2**53]), "1 of 1"),
        ({"a": 1.0}, {"b": 1.0}, r"keys differ: \['a'\] and \['b'\]"),
        ({"a": [0.0, 1.0]}, {"a": [0.0, 1.5]}, "in 'a':\nin 1:\ntensors differ"),
        ([1.0], [1.0, 2.0], "lengths differ: 1 and 2"),
        ([1.0], {"a": 1.0}, "keys differ: list"),
        (rbe.zeros(10), rbe.ones(10), "and 5 more"),
    ],
)
def test_what_differs_is_said(actual, expected, text):
    with pytest.raises(AssertionError, match=text):
        assert_close(actual, expected)


def test_the_worst_elements_come_first():
    a = np.arange(12.0).reshape(3, 4)
    b = a.copy()
    b[1, 2] += 0.5
    b[2, 0] += 4
    b[0, 1] = np.nan
    with pytest.raises(AssertionError) as caught:
        assert_close(a, b, msg="weights")
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["weights", "tensors differ in 3 of 12 elements (25.0 %)"]
    assert "difference nan at (0, 1)" in lines[2]
    assert [line.split(")")[0].strip() for line in lines[4:7]] == ["(0, 1", "(2, 0", "(1, 2"]
    assert lines[-1] == "allowed: 1e-07 + 1e-07 * |expected|"


def test_tolerances():
    assert_close(1.0, 1.05, rtol=0.1, atol=0.0)
    assert_close(rbe.tensor([float("nan")]), rbe.tensor([float("nan")]), equal_nan=True)
    assert_close(rbe.ones(2), rbe.ones(2).double(), check_dtype=False)
    with pytest.raises(ValueError, match="both rtol and atol"):
        assert_close(1.0, 1.0, rtol=1.0)


def test_packed_tensors_compare_by_their_weights():
    w = rbe.RBELinear(64, 3).weight
    assert_close(w, w.to_dense())
    other = w.to_dense().detach().numpy().copy()
    other[2, 5] *= -1
    with pytest.raises(AssertionError, match=r"1 of 192[\s\S]*\(2, 5\)"):
        assert_close(w, other)


def test_gradcheck_passes_and_fails(gradcheck):
    gradcheck(lambda x, w: (x @ w.T).tanh(), (3, 4), (5, 4))
    wrong = rbe.register_operation("wrong", lambda x: x * x, lambda dy, y, x: dy * x)
    with pytest.raises(pytest.fail.Exception, match="gradcheck"):
        gradcheck(wrong, (3,))
    with pytest.raises(pytest.fail.Exception, match="no input"):
        gradcheck(lambda x: x, rbe.ones(2))


def test_inputs_are_the_same_in_every_run(float64_inputs):
    before = rbe.get_rng_state()
    a, b = float64_inputs((2, 3), (4,))
    assert (a.shape, b.shape, a.dtype, a.requires_grad) == ((2, 3), (4,), rbe.float64, True)
    assert rbe.equal(float64_inputs((2, 3))[0], a)
    assert rbe.get_rng_state() == before


def test_seeded(seeded):
    assert rbe.get_rng_state()[0] == 0
