"""Tensors from values and from NumPy; filled ones and ranges."""

import math
import operator
import sys
from collections.abc import Sequence
from typing import Any, SupportsFloat

import numpy as np

from . import _rbe, dtypes
from ._rbe import RBETensor
from .device import check_device as check_device
from .dtypes import DTypeLike, as_dtype
from .errors import DeviceError, DTypeError, OutOfMemoryError, RBEError, ShapeError, TensorError

Shape = int | Sequence[int]

_default_dtype = dtypes.float32


def get_default_dtype() -> dtypes.dtype:
    """Return the element type of tensors made from floats when none is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.get_default_dtype()
    rbe.float32
    """
    return _default_dtype


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the element type of tensors made from floats when none is given: float32 or float64.

    Raises
    ------
    DTypeError
        For another type.

    Examples
    --------
    >>> import rbe
    >>> rbe.set_default_dtype("float64")
    >>> rbe.zeros(1).dtype
    rbe.float64
    >>> rbe.set_default_dtype("float32")
    """
    global _default_dtype
    chosen = as_dtype(dtype)
    if not chosen.is_floating_point:
        raise DTypeError("set_default_dtype", "float32 or float64", chosen.name)
    _default_dtype = chosen


def finish(t: RBETensor, requires_grad: bool) -> RBETensor:
    """Return a fresh tensor, recorded from here on if wanted."""
    if requires_grad:
        t.requires_grad = True
    return t


def check_memory(op: str, shape: Sequence[int], dtype: dtypes.dtype) -> None:
    """Raise where a tensor would have more bytes than there are addresses. What the system refuses, the core reports.

    Raises
    ------
    OutOfMemoryError
    """
    if math.prod(shape) * dtype.itemsize > sys.maxsize or any(n > sys.maxsize for n in shape):
        got = f"{dtype.name} {list(shape)}: more bytes than there are addresses"
        raise OutOfMemoryError(op, "results and scratch that fit in memory", got)


def sizes(op: str, size: tuple[Any, ...], dtype: dtypes.dtype) -> list[int]:
    """Return the lengths that `size`, given as numbers or as a sequence, stands for, checked."""
    if len(size) == 1 and not isinstance(size[0], int | np.integer):
        size = tuple(size[0])
    lengths = [operator.index(n) for n in size]
    if any(n < 0 for n in lengths):
        raise ShapeError(op, "lengths of at least 0", str(tuple(lengths)))
    check_memory(op, lengths, dtype)
    return lengths


def default_float(dtype: DTypeLike) -> dtypes.dtype:
    """Return `dtype`, or the default one."""
    return _default_dtype if dtype is None else as_dtype(dtype)


def from_numpy(array: "np.ndarray[Any, Any]") -> RBETensor:
    """Return a tensor that shares the memory of a NumPy array.

    Writing to one changes the other. The array is kept alive. A read-only, unaligned or byte-swapped array is copied.

    Parameters
    ----------
    array : numpy.ndarray
        Of float32, float64, int64 or bool.

    Raises
    ------
    DTypeError
        For another element type.

    Examples
    --------
    >>> import rbe
    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> t = rbe.from_numpy(a)
    >>> a[0] = 5.0
    >>> t
    tensor([5., 0.], dtype=rbe.float64)
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError("from_numpy", "a NumPy array", type(array).__name__)
    dtype = as_dtype(array.dtype.newbyteorder("="))
    size = array.itemsize
    if not array.flags.writeable or not array.flags.aligned or not array.dtype.isnative or any(s % size for s in array.strides):
        array = np.array(array, dtype=dtype.numpy)
    address = array.__array_interface__["data"][0]
    return _rbe._from_memory(array, address, dtype, list(array.shape), [s // size for s in array.strides])


def own(array: "np.ndarray[Any, Any]") -> RBETensor:
    """Return a tensor over the memory of an array that nobody else holds or views."""
    t = from_numpy(array)
    t._own()
    return t


def tensor(data: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return a tensor of a copy of `data`.

    Parameters
    ----------
    data : number, nested lists, NumPy array or tensor
        Floats become the default dtype (float32), integers int64, bools bool; arrays and tensors keep their own type.
    dtype : dtype, optional
        The element type instead.
    requires_grad : bool
        Whether operations on the tensor are recorded.

    Raises
    ------
    ShapeError
        For lists of unequal length.
    DTypeError
        For an element type that tensors do not have.

    Examples
    --------
    >>> import rbe
    >>> rbe.tensor([[1.0, 2.0], [3.0, 4.0]]).sum()
    tensor(10.)
    """
    check_device("tensor", device)
    if isinstance(data, RBETensor):
        t = data.detach().clone() if dtype is None else data.detach()._cast(as_dtype(dtype)).clone()
        return finish(t, requires_grad)
    if isinstance(data, np.ndarray | np.generic):
        return finish(own(_supported(np.array(data), dtype)), requires_grad)
    try:
        if dtype is None and _default_dtype is not dtypes.float32:
            t = _rbe.tensor_from_list(data)
            t = _rbe.tensor_from_list(data, _default_dtype) if t.dtype.is_floating_point else t
        else:
            t = _rbe.tensor_from_list(data, None if dtype is None else as_dtype(dtype))
    except (AttributeError, TypeError) as e:
        if isinstance(e, DTypeError):
            raise
        array = np.asarray(data)
        if array.dtype == object or array.dtype.kind in "SU":
            raise DTypeError("tensor", "numbers", type(data).__name__) from None
        t = own(_supported(array.copy(), dtype))
    return finish(t, requires_grad)


def _supported(array: "np.ndarray[Any, Any]", dtype: DTypeLike) -> "np.ndarray[Any, Any]":
    """Convert to `dtype`, or integers and half floats to the type that holds them."""
    if dtype is not None:
        return array.astype(as_dtype(dtype).numpy)
    if array.dtype.kind in "iu" and array.dtype != np.int64:
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise DTypeError("tensor", "integers that int64 holds", "uint64 beyond it")
        return array.astype(np.int64)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array


def as_tensor(data: Any, dtype: DTypeLike = None) -> RBETensor:
    """Return `data` as a tensor, without a copy where it is one or a NumPy array of a supported type.

    Examples
    --------
    >>> import rbe
    >>> rbe.as_tensor([1, 2])
    tensor([1, 2])
    """
    if isinstance(data, RBETensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        return from_numpy(_supported(data, dtype))
    return tensor(data, dtype)


class _Producer:
    """What NumPy takes over DLPack from in place of an object: notes whether the capsule says if its memory is read-only."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.says_read_only = False

    def __dlpack__(self, **wanted: Any) -> Any:
        try:
            capsule = self.x.__dlpack__(**wanted)
        except TypeError:
            if not wanted:
                raise
            capsule = self.x.__dlpack__()  # a producer of the time before DLPack 1.0
        self.says_read_only = _rbe._says_read_only(capsule)
        return capsule

    def __dlpack_device__(self) -> Any:
        return self.x.__dlpack_device__()


def from_dlpack(x: Any) -> RBETensor:
    """Return a tensor that shares the memory of any object with `__dlpack__` on the CPU (torch, NumPy, JAX).

    Memory that the object says is read-only is copied, as `from_numpy` does: writing to the tensor never changes it.
    Objects of the time before DLPack 1.0 cannot say so, and share what they lend, as with torch.

    Raises
    ------
    DTypeError
        For what has no `__dlpack__`, or another element type.
    DeviceError
        For one that is elsewhere than on the CPU.
    TensorError
        For one whose memory cannot be shared.

    Examples
    --------
    >>> import rbe
    >>> import numpy as np
    >>> rbe.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise DTypeError("from_dlpack", "an object with __dlpack__ and __dlpack_device__", type(x).__name__)
    producer = _Producer(x)
    try:
        kind = int(x.__dlpack_device__()[0])
        if kind == 1:
            array = np.from_dlpack(producer)
    except RBEError:
        raise
    except (BufferError, RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as e:
        raise TensorError("from_dlpack", "an object that lends its memory", f"{type(x).__name__}: {e}") from e
    if kind != 1:
        raise DeviceError("from_dlpack", "an object on the CPU", f"one on DLPack's device {kind}")
    if array.flags.writeable or producer.says_read_only or not array.flags.aligned:
        return from_numpy(array)
    # NumPy marks all as read-only that comes from a producer which cannot say whether it is.
    size = array.itemsize
    address = array.__array_interface__["data"][0]
    strides = [s // size for s in array.strides]
    return _rbe._from_memory(array, address, as_dtype(array.dtype), list(array.shape), strides)


def full(
    size: Shape, fill_value: SupportsFloat, *, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return a tensor of shape `size` whose every element is `fill_value`.

    Examples
    --------
    >>> import rbe
    >>> rbe.full((2,), 7.0)
    tensor([7., 7.])
    """
    check_device("full", device)
    if dtype is None:
        chosen = (
            dtypes.bool if isinstance(fill_value, bool) else dtypes.int64 if isinstance(fill_value, int) else _default_dtype
        )
    else:
        chosen = as_dtype(dtype)
    lengths = sizes("full", (size,), chosen)
    if chosen is dtypes.int64 and isinstance(fill_value, int):
        # Not through a float, which would round what is beyond 2^53.
        return finish(_rbe.tensor_from_list(fill_value, chosen).broadcast_to(lengths).clone(), requires_grad)
    return finish(_rbe.full(lengths, float(fill_value), chosen), requires_grad)


def zeros(*size: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return zeros of shape `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros(2)
    tensor([0., 0.])
    """
    check_device("zeros", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("zeros", size, chosen), 0.0, chosen, "zeros"), requires_grad)


def ones(*size: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return ones of shape `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones(2)
    tensor([1., 1.])
    """
    check_device("ones", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("ones", size, chosen), 1.0, chosen, "ones"), requires_grad)


def empty(*size: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return a tensor of shape `size` to be filled; its elements are zero.

    Examples
    --------
    >>> import rbe
    >>> rbe.empty(2, 3).shape
    (2, 3)
    """
    check_device("empty", device)
    return zeros(*size, dtype=dtype, requires_grad=requires_grad)


def zeros_like(t: RBETensor, *, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return zeros of the shape and (unless given) dtype of `t`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros_like(rbe.tensor([1, 2]))
    tensor([0, 0])
    """
    check_device("zeros_like", device)
    return _rbe.full(list(t.shape), 0.0, t.dtype if dtype is None else as_dtype(dtype), "zeros_like")


def ones_like(t: RBETensor, *, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return ones of the shape and (unless given) dtype of `t`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones_like(rbe.tensor([1, 2]))
    tensor([1, 1])
    """
    check_device("ones_like", device)
    return _rbe.full(list(t.shape), 1.0, t.dtype if dtype is None else as_dtype(dtype), "ones_like")


def full_like(t: RBETensor, fill_value: SupportsFloat, *, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return a tensor of the shape and (unless given) dtype of `t` whose every element is `fill_value`.

    Examples
    --------
    >>> import rbe
    >>> rbe.full_like(rbe.tensor([1, 2]), 5)
    tensor([5, 5])
    """
    check_device("full_like", device)
    return _rbe.full(list(t.shape), float(fill_value), t.dtype if dtype is None else as_dtype(dtype), "full_like")


def arange(
    start: float, end: float | None = None, step: float = 1, *, dtype: DTypeLike = None, device: object = None
) -> RBETensor:
    """Return `start`, `start + step`, … below `end`; int64 if all three are integers.

    Examples
    --------
    >>> import rbe
    >>> rbe.arange(1, 4)
    tensor([1, 2, 3])
    """
    check_device("arange", device)
    if end is None:
        start, end = 0, start
    whole = all(isinstance(v, int) for v in (start, end, step))
    chosen = as_dtype(dtype) if dtype is not None else dtypes.int64 if whole else _default_dtype
    return _rbe.arange(float(start), float(end), float(step), chosen)


def linspace(start: float, end: float, steps: int, *, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return `steps` evenly spaced numbers from `start` to `end`, both included.

    Examples
    --------
    >>> import rbe
    >>> rbe.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    check_device("linspace", device)
    return own(np.linspace(start, end, steps, dtype=default_float(dtype).numpy))


def eye(n: int, m: int | None = None, *, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return an (n, m) matrix with ones on the diagonal.

    Examples
    --------
    >>> import rbe
    >>> rbe.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    check_device("eye", device)
    return own(np.eye(n, m, dtype=default_float(dtype).numpy))
