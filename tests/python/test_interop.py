"""Memory shared with NumPy and through DLPack, and the lives of those who share it."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest
import rbe

DTYPES = ["float32", "float64", "int64", "bool"]


class Owned(np.ndarray):
    """An array whose end can be watched."""


def owned(values):
    return np.array(values).view(Owned)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_shares_memory_both_ways(dtype):
    a = np.arange(12).reshape(3, 4).astype(dtype)
    t = rbe.from_dlpack(a)
    assert (t.dtype.name, t.shape) == (dtype, (3, 4))
    a[1, 2] = 0
    assert t[1, 2].item() == 0
    back = np.from_dlpack(t)
    assert np.shares_memory(back, a)
    assert rbe.zeros(1).__dlpack_device__() == (1, 0)


def test_dlpack_keeps_strides():
    a = np.arange(24.0).reshape(4, 6)[::2, ::-3]
    np.testing.assert_array_equal(rbe.from_dlpack(a).numpy(), a)
    t = rbe.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(np.from_dlpack(t.T), t.numpy().T)
    np.testing.assert_array_equal(np.from_dlpack(t[1:, ::2]), t.numpy()[1:, ::2])


def test_dlpack_of_what_cannot_be_shared_is_refused():
    with pytest.raises(rbe.GraphError, match="detach"):
        np.from_dlpack(rbe.ones(2, requires_grad=True))
    with pytest.raises(rbe.DTypeError, match="packed"):
        np.from_dlpack(rbe.RBELinear(64, 2).weight.detach())
    with pytest.raises(rbe.DTypeError, match="__dlpack__"):
        rbe.from_dlpack([1.0])
    with pytest.raises(rbe.DTypeError, match="uint16"):
        rbe.from_dlpack(np.zeros(2, np.uint16))


def test_an_array_lives_as_long_as_a_tensor_of_its_memory():
    a = owned([1.0, 2.0, 3.0])
    gone = weakref.ref(a)
    t = rbe.from_numpy(a)
    view = t[1:]
    del a, t
    gc.collect()
    assert gone() is not None
    assert view.tolist() == [2, 3]
    back = view.numpy()
    del view
    gc.collect()
    assert gone() is not None
    assert back.tolist() == [2, 3]
    del back
    gc.collect()
    assert gone() is None


def test_the_tape_keeps_what_it_saved():
    a = owned([1.0, 2.0])
    gone = weakref.ref(a)
    x = rbe.ones(2, dtype=rbe.float64, requires_grad=True)
    y = (x * rbe.from_numpy(a)).sum()
    del a
    gc.collect()
    assert gone() is not None
    y.backward()
    assert x.grad.tolist() == [1, 2]
    del y
    gc.collect()
    assert gone() is None


def test_an_array_outlives_the_tensor_that_lent_its_memory():
    arrays = []
    for i in range(50):
        arrays.append(rbe.full((1000,), float(i)).numpy())
        gc.collect(0)
    for i, a in enumerate(arrays):
        assert (a == i).all()


def test_owners_may_end_on_any_thread():
    a = owned(np.ones(100_000))
    gone = weakref.ref(a)
    box = [rbe.from_numpy(a)]
    del a
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert gone() is None


def test_references_do_not_pile_up():
    a = np.ones(10)
    before = sys.getrefcount(a)
    for _ in range(100):
        rbe.from_numpy(a).numpy().sum()
    gc.collect()
    assert sys.getrefcount(a) == before


def test_numpy_functions_take_tensors():
    t = rbe.tensor([1.0, 4.0])
    assert np.sqrt(t).tolist() == [1, 2]
    assert np.asarray(t).dtype == np.float32
    assert np.array(t, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(np.asarray(t), t.numpy())
    assert not np.shares_memory(np.array(t), t.numpy())
    assert np.stack([t, t]).shape == (2, 2)
    assert np.concatenate([t, np.zeros(1)]).tolist() == [1, 4, 0]


def test_operators_with_arrays_give_tensors():
    t, a = rbe.tensor([1.0, 2.0], dtype=rbe.float64), np.array([3.0, 4.0])
    for got, want in [
        (a + t, [4, 6]),
        (t + a, [4, 6]),
        (a - t, [2, 2]),
        (a @ t, 11),
        (a == t, [False, False]),
        (a > t, [True, True]),
        (np.float64(2.0) * t, [2, 4]),
        (np.float32(2.0) / t, [2, 1]),
        (np.int64(2) ** t, [2, 4]),
    ]:
        assert isinstance(got, rbe.RBETensor)
        assert got.tolist() == want


def test_numpy_scalars_do_not_widen():
    t = rbe.ones(2)
    for scalar in (np.float64(0.5), 0.5, 2, np.int64(2), True):
        assert (t * scalar).dtype is rbe.float32
        assert (scalar * t).dtype is rbe.float32


def test_numpy_data_keeps_its_type_or_finds_one():
    for given, want in [("float16", "float16"), ("int8", "int8"), ("uint32", "int64"), (">f8", "float64"), ("bool", "bool")]:
        t = rbe.tensor(np.ones(3, given))
        assert t.dtype.name == want
        assert t.tolist() == [1, 1, 1]
    with pytest.raises(rbe.DTypeError, match="complex"):
        rbe.tensor(np.ones(1, complex))
    with pytest.raises(rbe.DTypeError, match="int64 holds"):
        rbe.tensor(np.array([2**63], np.uint64))
    with pytest.raises(rbe.DTypeError, match="uint32"):
        rbe.from_numpy(np.zeros(2, np.uint32))
    with pytest.raises(rbe.DTypeError, match="NumPy array"):
        rbe.from_numpy([1.0])


def test_unaligned_and_oddly_strided_arrays_are_copied():
    raw = np.zeros(17, np.uint8)
    odd = raw[1:].view(np.float64)
    assert not odd.flags.aligned
    t = rbe.from_numpy(odd)
    t.fill_(1.0)
    assert odd.sum() == 0
    records = np.zeros(3, dtype=[("a", "f4"), ("b", "i2")])
    assert rbe.from_numpy(records["a"]).shape == (3,)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 3), (1, 1, 1)])
def test_empty_and_small_shapes_pass(shape):
    a = np.ones(shape)
    t = rbe.from_numpy(a)
    assert t.shape == shape
    assert t.numpy().shape == shape
    assert np.from_dlpack(t).shape == shape
    assert t.tolist() == a.tolist()


def test_broadcast_views_show_their_strides():
    t = rbe.ones(1, 3).expand(2, 3)
    assert t.numpy().strides == (0, 4)
    assert t.stride() == (0, 1)


def read_only(kind, tmp_path):
    """An array whose memory must not be written, and a copy of it."""
    a = np.arange(6.0, dtype=np.float32)
    if kind == "flag":
        a.flags.writeable = False
    elif kind == "bytes":
        a = np.frombuffer(a.tobytes(), np.float32)
    elif kind == "map":
        a.tofile(tmp_path / "x")
        a = np.memmap(tmp_path / "x", np.float32, "r")
    elif kind == "map of npy":
        np.save(tmp_path / "x.npy", a)
        a = np.load(tmp_path / "x.npy", mmap_mode="r")
    elif kind == "broadcast":
        a = np.broadcast_to(np.float32(1), (6,))
    elif kind == "view":
        a.flags.writeable = False
        a = a[::-2]
    elif kind == "view of bytes":
        a = np.asarray(memoryview(a.tobytes()).cast("f"))
    return a, a.copy()


KINDS = ["flag", "bytes", "map", "map of npy", "broadcast", "view", "view of bytes"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "take", [rbe.from_dlpack, rbe.from_numpy, rbe.as_tensor, rbe.tensor, rbe.RBETensor], ids=lambda f: f.__name__
)
def test_read_only_memory_is_never_written(kind, take, tmp_path):
    a, before = read_only(kind, tmp_path)
    t = take(a)
    np.testing.assert_array_equal(t.numpy(), before)
    t.add_(1)
    t[0] = 7
    t.numpy()[-1] = 9
    np.from_dlpack(t)[...].flags.writeable  # noqa: B018 (may be read-only, must not be the array's memory)
    np.testing.assert_array_equal(a, before)
    assert t[0].item() == 7
    assert not np.shares_memory(t.numpy(), a)


def test_writable_memory_is_shared_through_dlpack(tmp_path):
    np.zeros(3, np.float32).tofile(tmp_path / "x")
    for a in (np.zeros(3, np.float32), np.memmap(tmp_path / "x", np.float32, "r+"), np.frombuffer(bytearray(12), np.float32)):
        rbe.from_dlpack(a).add_(1)
        assert a.tolist() == [1, 1, 1]


class Old:
    """A producer of the time before DLPack 1.0, which takes no arguments."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)


def test_producers_before_dlpack_1_share_what_they_lend():
    a = np.zeros(2)
    rbe.from_dlpack(Old(a)).add_(1)
    assert a.tolist() == [1, 1]
    a.flags.writeable = False
    with pytest.raises(rbe.TensorError, match="from_dlpack"):
        rbe.from_dlpack(Old(a))  # NumPy lends it to nobody who could not be told


class Odd:
    def __init__(self, capsule=None, device=(1, 0), error=None):
        self.capsule, self.device, self.error = capsule, device, error

    def __dlpack__(self, **_):
        if self.error:
            raise self.error
        return self.capsule

    def __dlpack_device__(self):
        return self.device


def test_what_lends_no_memory_is_a_typed_error():
    for x in (
        Odd(),
        Odd("capsule"),
        Odd(error=BufferError("no")),
        Odd(error=RuntimeError("no")),
        Odd(device="x"),
        Odd(device=()),
    ):
        with pytest.raises(rbe.TensorError, match="from_dlpack"):
            rbe.from_dlpack(x)
    with pytest.raises(rbe.DeviceError, match="from_dlpack"):
        rbe.from_dlpack(Odd(device=(2, 0)))
    with pytest.raises(KeyboardInterrupt):
        rbe.from_dlpack(Odd(error=KeyboardInterrupt()))


def test_memory_that_was_lent_lives_as_long_as_its_borrower():
    a = owned([1.0, 2.0, 3.0])
    gone = weakref.ref(a)
    t = rbe.from_dlpack(a)
    del a
    gc.collect()
    assert t.tolist() == [1, 2, 3]
    arrays = [np.from_dlpack(t), np.asarray(t), t.numpy()]
    del t
    gc.collect()
    junk = [rbe.full((3,), 7.0, dtype=rbe.float64) for _ in range(100)]  # would take memory that was given back
    assert all(b.tolist() == [1, 2, 3] for b in arrays)
    del arrays, junk
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("hi", "lo", "shape", "error"),
    [
        (np.zeros(2, np.uint64), np.zeros((2, 1, 2)), (2, 64), "hi"),
        (np.zeros((2, 1), np.uint64), np.zeros(4), (2, 64), "lo"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 2)), (2, 64), "lo"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (2.5, 64), "integers"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), ("2", "64"), "integers"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (-2, 64), "lengths"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (2, 2**70), "lengths"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (2, 2**62, 4), "addresses"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (2**40, 2**40), "addresses"),
        (np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2)), (3, 64), "hi"),
    ],
)
def test_parts_that_make_no_packed_tensor_are_typed_errors(hi, lo, shape, error):
    with pytest.raises(rbe.OutOfMemoryError if error == "addresses" else rbe.ShapeError, match=error):
        rbe.RBETensor.packed(hi, lo, shape)
