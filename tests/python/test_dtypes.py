"""Element types that kernels do not compute in: conversion, exchange with NumPy and DLPack, files, and their arithmetic."""

import copy
import pickle

import numpy as np
import pytest
import rbe

INTEGERS = [rbe.int8, rbe.int16, rbe.int32, rbe.uint8]
SHORT = [rbe.float16, rbe.bfloat16]
ALL = rbe.dtypes.ALL
BITS = np.arange(1 << 16, dtype=np.uint16)


def brain(bits):
    """Return a bfloat16 tensor of the given bits."""
    return rbe.from_numpy(np.array(bits, np.uint16).view(np.int16))._reinterpret("bfloat16")


def bits_of(t):
    return t._reinterpret("int16").numpy().view(np.uint16)


def brain_values(bits):
    """Return the numbers of bfloat16 bits: those are the upper halves of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


# ------------------------------------------------------------------------------------------------------------------ conversion


def test_all_halves_convert_as_in_numpy_and_back():
    halves = BITS.view(np.float16)
    t = rbe.from_numpy(halves.copy())
    for dtype in (rbe.float32, rbe.float64):
        np.testing.assert_array_equal(t.to(dtype).numpy(), halves.astype(dtype.numpy), strict=True)
        back = t.to(dtype).half()
        assert back.dtype is rbe.float16
        np.testing.assert_array_equal(back.numpy(), halves)


@pytest.mark.filterwarnings("ignore:invalid value")  # NumPy's, of signalling NaNs
def test_all_bfloat16_are_the_upper_halves_of_float32_and_come_back():
    t = brain(BITS)
    for dtype in (rbe.float32, rbe.float64):
        np.testing.assert_array_equal(t.to(dtype).numpy(), brain_values(BITS).astype(dtype.numpy), strict=True)
        found, nan = bits_of(t.to(dtype).bfloat16()), np.isnan(brain_values(BITS))
        np.testing.assert_array_equal(found[~nan], BITS[~nan])
        assert np.isnan(brain_values(found[nan])).all()


@pytest.mark.parametrize("dtype", [rbe.float32, rbe.float64])
def test_numbers_between_halves_are_rounded_to_nearest_even_as_in_numpy(dtype):
    low = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    high = np.append(low[1:], 65536.0)
    middle = (low + high) / 2
    with np.errstate(over="ignore"):
        for v in (middle, np.nextafter(middle.astype(dtype.numpy), 0), np.nextafter(middle.astype(dtype.numpy), np.inf)):
            for signed in (v.astype(dtype.numpy), -v.astype(dtype.numpy)):
                np.testing.assert_array_equal(rbe.tensor(signed).half().numpy(), signed.astype(np.float16), strict=True)
    assert rbe.tensor([65519.0, 65520.0, -1e30, 1e-8]).half().tolist() == [65504.0, float("inf"), -float("inf"), 0.0]


@pytest.mark.parametrize("dtype", [rbe.float32, rbe.float64])
def test_numbers_between_bfloat16_are_rounded_to_nearest_even(dtype):
    bits = np.arange(0x7F80, dtype=np.uint16)
    low, high = brain_values(bits).astype(np.float64), np.append(brain_values(bits[1:]), np.float64(2.0**128))
    middle = ((low + high) / 2).astype(dtype.numpy)
    exact = middle.astype(np.float64) == (low + high) / 2  # not below the smallest float32
    even = bits + bits % 2
    for sign in (1, -1):
        offset = 0 if sign > 0 else 0x8000
        np.testing.assert_array_equal(bits_of(rbe.tensor(sign * middle[exact]).bfloat16()), even[exact] + offset)
        below, above = np.nextafter(middle, dtype.numpy.type(0)), np.nextafter(middle, dtype.numpy.type(np.inf))
        np.testing.assert_array_equal(bits_of(rbe.tensor(sign * below[exact]).bfloat16()), bits[exact] + offset)
        np.testing.assert_array_equal(bits_of(rbe.tensor(sign * above[exact]).bfloat16()), bits[exact] + 1 + offset)


def test_float64_is_rounded_once():
    # Rounded to float32 first, these would be ties and go to the even neighbour below.
    v = 1 + 2.0**-11 + 2.0**-40
    assert rbe.tensor([v], dtype=rbe.float64).half().item() == 1 + 2.0**-10
    v = 1 + 2.0**-8 + 2.0**-40
    assert rbe.tensor([v], dtype=rbe.float64).bfloat16().item() == 1 + 2.0**-7


@pytest.mark.filterwarnings("ignore:invalid value")
def test_bfloat16_converts_as_in_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    theirs = x.astype(ml_dtypes.bfloat16)
    ours = bits_of(rbe.from_numpy(x).bfloat16())
    nan = np.isnan(x)
    np.testing.assert_array_equal(ours[~nan], theirs.view(np.uint16)[~nan])
    taken = rbe.from_numpy(theirs)
    assert taken.dtype is rbe.bfloat16
    np.testing.assert_array_equal(bits_of(taken), theirs.view(np.uint16))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_keep_the_lowest_bits(dtype):
    wide = np.array([0, 1, -1, 127, 128, 255, 256, 2**15, 2**31, -(2**31) - 1, 2**40 + 3])
    t = rbe.tensor(wide).to(dtype)
    np.testing.assert_array_equal(t.numpy(), wide.astype(dtype.numpy), strict=True)
    for other in (rbe.int64, rbe.float32, rbe.float64, rbe.bool, *INTEGERS):
        np.testing.assert_array_equal(t.to(other).numpy(), t.numpy().astype(other.numpy), strict=True)
    assert rbe.tensor([1.9, -1.9 if dtype.is_signed else 0.5]).to(dtype).tolist() == [1, -1 if dtype.is_signed else 0]
    assert t.half().dtype is rbe.float16


# -------------------------------------------------------------------------------------------------------------------- exchange


@pytest.mark.parametrize("dtype", [*INTEGERS, rbe.float16], ids=str)
def test_memory_is_shared_with_numpy_and_dlpack(dtype):
    a = np.arange(24).reshape(2, 3, 4).astype(dtype.numpy)
    for take in (rbe.from_numpy, rbe.from_dlpack, rbe.as_tensor):
        t = take(a)
        a[0, 0, 0] += 1
        assert (t.dtype, t.nbytes, t[0, 0, 0].item()) == (dtype, a.nbytes, a[0, 0, 0])
    assert t.numpy().ctypes.data == a.ctypes.data
    np.testing.assert_array_equal(np.from_dlpack(t), a, strict=True)
    np.testing.assert_array_equal(rbe.from_numpy(a[::-1, :, ::2]).numpy(), a[::-1, :, ::2], strict=True)
    swapped = a.astype(a.dtype.newbyteorder())
    np.testing.assert_array_equal(rbe.from_numpy(swapped).numpy(), a, strict=True)
    assert rbe.tensor(a).dtype is dtype
    assert rbe.tensor(a).numpy().ctypes.data != a.ctypes.data


def test_bfloat16_goes_by_dlpack_and_is_refused_where_numpy_has_none():
    t = brain(BITS)
    again = rbe.from_dlpack(t)
    assert again.dtype is rbe.bfloat16
    t[5] = 2.0
    assert again[5].item() == 2.0
    for refused in (t.numpy, lambda: np.asarray(t), lambda: rbe.bfloat16.numpy):
        with pytest.raises(rbe.DTypeError, match=r"\.float\(\)"):
            refused()


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_type_is_made_copied_pickled_saved_and_shown(dtype, tmp_path):
    t = rbe.tensor([[1, 0, 1], [0, 1, 1]], dtype=dtype)
    assert t.dtype is dtype
    assert t.itemsize == dtype.itemsize
    numbers = [[1, 0, 1], [0, 1, 1]]
    rbe.save(tmp_path / "x", {"a": t, "columns": t.T})
    found = rbe.load(tmp_path / "x")
    for same in (
        t.clone(),
        copy.deepcopy(t),
        pickle.loads(pickle.dumps(t)),
        found["a"],
        found["columns"].T,
        t.to(dtype, copy=True),
    ):
        assert (same.dtype, same.tolist()) == (dtype, numbers)
        assert rbe.equal(same, t)
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert eval(repr(t), {"tensor": rbe.tensor, "rbe": rbe, "True": True, "False": False}).tolist() == numbers
    for made in (rbe.zeros(2, dtype=dtype), rbe.ones(2, dtype=dtype), rbe.full((2,), 1, dtype=dtype), rbe.eye(2, dtype=dtype)):
        assert made.dtype is dtype
    if dtype is not rbe.bool:
        assert rbe.arange(4, dtype=dtype).tolist() == [0, 1, 2, 3]
        assert rbe.linspace(0, 4, 3, dtype=dtype).tolist() == [0, 2, 4]
    assert rbe.zeros(3, dtype=dtype).to(dtype.name).dtype is dtype


def test_files_of_other_programs_keep_their_types(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    arrays = {d.name: np.array([1, 2, 3]).astype(d.numpy) for d in (*INTEGERS, rbe.float16)}
    numpy_files.save_file(arrays, tmp_path / "x")
    found = rbe.load(tmp_path / "x")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].numpy(), array, strict=True)
    rbe.save(tmp_path / "y", found)
    again = numpy_files.load_file(tmp_path / "y")
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, strict=True)


def test_numbers_that_a_type_does_not_hold_are_refused():
    for dtype, bad in ((rbe.int8, 128), (rbe.int16, -(2**15) - 1), (rbe.int32, 2**31), (rbe.uint8, -1)):
        for make in (lambda v, d: rbe.tensor([v], dtype=d), lambda v, d: rbe.full((2,), v, dtype=d)):
            with pytest.raises(rbe.TensorError, match=dtype.name):
                make(bad, dtype)
            with pytest.raises(rbe.TensorError):
                make(float("nan"), dtype)


@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_random_numbers_stay_below_1_and_spread(dtype):
    rbe.manual_seed(0)
    x = rbe.rand(50_000, dtype=dtype)
    assert x.dtype is dtype
    assert float(x.max()) < 1
    assert float(x.min()) == 0 or dtype is rbe.float16
    assert abs(float(x.float().mean()) - 0.5) < 0.01
    assert abs(float(rbe.randn(50_000, dtype=dtype).float().std()) - 1) < 0.02
    with pytest.raises(rbe.DTypeError):
        rbe.rand(2, dtype=rbe.int32)
