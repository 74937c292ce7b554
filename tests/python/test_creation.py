"""Tensors from values and ranges: types, exactness, arguments, against NumPy."""

import math

import numpy as np
import pytest
import rbe
from hypothesis import given, settings
from hypothesis import strategies as st

BIG = 2**60 + 1


def test_large_integers_are_exact():
    assert rbe.full((2,), BIG).tolist() == [BIG, BIG]
    assert rbe.full_like(rbe.tensor([1]), BIG).tolist() == [BIG]
    assert rbe.arange(2**53, 2**53 + 3).tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert rbe.arange(2**63 - 3, 2**63 - 1).tolist() == [2**63 - 3, 2**63 - 2]
    assert rbe.arange(-(2**63), -(2**63) + 2, 1).tolist() == [-(2**63), -(2**63) + 1]
    assert rbe.tensor([BIG, -BIG]).tolist() == [BIG, -BIG]


@settings(deadline=None, max_examples=200)
@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_ranges_of_integers(start, end, step):
    if (end - start) * step < 0:
        with pytest.raises(rbe.TensorError, match="towards"):
            rbe.arange(start, end, step)
    else:
        assert rbe.arange(start, end, step).tolist() == list(range(start, end, step))


@settings(deadline=None, max_examples=200)
@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 30))
def test_spaced_numbers(start, end, steps):
    got = rbe.linspace(start, end, steps, dtype=rbe.float64).numpy()
    np.testing.assert_allclose(got, np.linspace(start, end, steps), rtol=1e-12, atol=1e-12)
    if steps > 1:
        assert (got[0], got[-1]) == (start, end)


def test_ranges():
    assert rbe.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert rbe.arange(3.0).dtype is rbe.float32
    assert rbe.arange(np.int64(3)).dtype is rbe.arange(rbe.tensor(3)).dtype is rbe.int64
    assert rbe.arange(2.1, -2.9, -1, dtype=rbe.int64).tolist() == [2, 1, 0, -1, -2]
    assert rbe.linspace(-2, -3, 5, dtype=rbe.int64).tolist() == [-2, -2, -2, -2, -3]  # truncated
    assert rbe.linspace(0, 10, 4, dtype=rbe.int64).tolist() == [0, 3, 6, 10]
    assert rbe.arange(0).tolist() == rbe.arange(5, 5, -1).tolist() == rbe.linspace(0, 1, 0).tolist() == []
    assert rbe.arange(3.0, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    "call",
    [
        lambda: rbe.arange(0, 5, -1),
        lambda: rbe.arange(5, 1),
        lambda: rbe.arange(0, 5, 0),
        lambda: rbe.arange(0, math.inf),
        lambda: rbe.arange(math.nan),
        lambda: rbe.arange(10**400),
        lambda: rbe.linspace(0, 3, -1),
        lambda: rbe.eye(-1),
        lambda: rbe.eye(2, -1),
        lambda: rbe.zeros(-1),
        lambda: rbe.zeros(2, -1),
        lambda: rbe.randperm(-1),
        lambda: rbe.tensor([math.nan], dtype=rbe.int64),
        lambda: rbe.tensor(math.inf, dtype=rbe.int64),
        lambda: rbe.tensor([1e30], dtype=rbe.int64),
        lambda: rbe.tensor(np.array([math.nan]), dtype=rbe.int64),
        lambda: rbe.tensor([2**63]),
        lambda: rbe.full((2,), math.nan, dtype=rbe.int64),
        lambda: rbe.full((2,), 2**70),
        lambda: rbe.full_like(rbe.tensor([1]), math.nan),
        lambda: rbe.randint(0, 2**70, (1,)),
        lambda: rbe.zeros(2, size=(3,)),
        lambda: rbe.zeros_like(rbe.ones(2), memory_format="channels_last"),
    ],
)
def test_values_that_make_no_sense(call):
    with pytest.raises(rbe.TensorError):
        call()


@pytest.mark.parametrize(
    "call", [lambda: rbe.arange(10**30), lambda: rbe.arange(0, 1, 1e-30), lambda: rbe.linspace(0, 1, 2**62)]
)
def test_ranges_that_no_memory_holds(call):
    with pytest.raises(rbe.OutOfMemoryError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: rbe.zeros(2.5),
        lambda: rbe.zeros(None),
        lambda: rbe.zeros("two"),
        lambda: rbe.zeros(True),
        lambda: rbe.eye(2.5),
        lambda: rbe.linspace(0, 1, 2.5),
        lambda: rbe.arange("five"),
        lambda: rbe.arange(2, dtype=rbe.bool),
        lambda: rbe.linspace(0, 1, 2, dtype=rbe.bool),
        lambda: rbe.full((2,), "one"),
        lambda: rbe.full((2,), [1.0]),
        lambda: rbe.randint(2.5, (2,)),
        lambda: rbe.randperm(2.5),
        lambda: rbe.zeros_like([1.0]),
        lambda: rbe.randn(2, generator=1),
        lambda: rbe.arange(3, requires_grad=True),
        lambda: rbe.eye(2, dtype=rbe.int64, requires_grad=True),
    ],
)
def test_arguments_of_another_kind(call):
    with pytest.raises(rbe.DTypeError):
        call()


def test_types_of_values():
    for value, dtype in (
        (1, rbe.int64),
        (True, rbe.bool),
        (1.5, rbe.float32),
        ([], rbe.float32),
        ([True, 2], rbe.int64),
        ([1, 2.5], rbe.float32),
        ([np.float64(1.5), 2], rbe.float64),
        ([np.float32(1.5), 2], rbe.float32),
        ([np.int64(1), 2.5], rbe.float32),
        ([np.bool_(True)], rbe.bool),
        (np.float64(1.5), rbe.float64),
        ([rbe.tensor(1.0), 2], rbe.float32),
        ([rbe.tensor(1.0, dtype=rbe.float64), 2], rbe.float64),
    ):
        assert rbe.tensor(value).dtype is dtype, value
    assert rbe.tensor([1.7, -1.7], dtype=rbe.int64).tolist() == [1, -1]
    assert rbe.tensor([2**70], dtype=rbe.float64).item() == 2.0**70
    for value, dtype in (
        (2, rbe.int64),
        (True, rbe.bool),
        (2.5, rbe.float32),
        (np.float64(2), rbe.float32),
        (rbe.tensor(3), rbe.int64),
    ):
        assert rbe.full((2,), value).dtype is dtype
    assert rbe.full((1,), 2.5, dtype=rbe.int64).item() == 2
    assert rbe.full((1,), -0.5, dtype=rbe.bool).item() is True
    assert rbe.zeros(1, dtype=float).dtype is rbe.zeros(1).to(float).dtype is rbe.float64  # as in torch and NumPy
    assert (rbe.float, rbe.double, rbe.long) == (rbe.float32, rbe.float64, rbe.int64)


def test_keywords():
    assert rbe.zeros(size=(2, 3)).shape == rbe.ones(size=[2, 3]).shape == rbe.empty(size=(2, 3)).shape == (2, 3)
    assert rbe.rand(size=(2,)).shape == rbe.randn(size=(2,)).shape == rbe.randint(5, size=(2,)).shape == (2,)
    assert rbe.zeros(np.int64(2), rbe.tensor(3)).shape == (2, 3)
    x = rbe.ones(2)
    for f in (rbe.zeros_like, rbe.ones_like, rbe.rand_like, rbe.randn_like):
        t = f(x, dtype=rbe.float64, requires_grad=True, device="cpu", memory_format=rbe.preserve_format)
        assert (t.dtype, t.requires_grad, t.shape) == (rbe.float64, True, (2,))
    assert rbe.eye(2, 3, requires_grad=True).shape == (2, 3)
    assert rbe.as_tensor([1.0], device="cpu").tolist() == [1]
    assert rbe.randperm(4, dtype=rbe.float32, device="cpu").dtype is rbe.float32
    assert x.clone(memory_format=rbe.contiguous_format).tolist() == x.contiguous(memory_format=rbe.contiguous_format).tolist()
    assert x.to(rbe.float32, memory_format=rbe.preserve_format) is x


def test_generators_give_their_own_numbers():
    for make in (
        lambda g: rbe.rand(3, generator=g),
        lambda g: rbe.randn(3, generator=g),
        lambda g: rbe.randint(100, (3,), generator=g),
        lambda g: rbe.randperm(20, generator=g),
        lambda g: rbe.rand_like(rbe.zeros(3), generator=g),
    ):
        before = rbe.get_rng_state()
        g = rbe.Generator(1)
        first, second = make(g), make(g)
        assert not rbe.equal(first, second)
        assert rbe.equal(make(rbe.Generator(1)), first)
        assert rbe.get_rng_state() == before
