"""Tensors from values and from NumPy; filled ones and ranges."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _rbe, dtypes
from ._arguments import integer, number
from ._memory_format import check_memory_format
from ._tensor import RBETensor
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

    Integers become it, too, where a function has only float results.

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
    _rbe._set_default_dtype(chosen)
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


def sizes(op: str, size: tuple[Any, ...], dtype: dtypes.dtype, keyword: Any = None) -> list[int]:
    """Return the lengths that `size`, given as numbers or as a sequence, or a keyword stands for, checked."""
    if keyword is not None:
        if size:
            raise TensorError(op, "lengths by position or as size", "both")
        size = (keyword,)
    if len(size) == 1 and isinstance(size[0], Sequence | np.ndarray) and not isinstance(size[0], str):
        size = tuple(size[0])
    lengths = [integer(op, "a length", n) for n in size]
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
        Of float32, float64, int64, uint8 or bool.

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
    return _rbe._from_array(array)


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
        Floats become the default dtype (float32), integers int64, bools bool; arrays and tensors keep their own type, but that
        arrays of integers other than int64 become int64, uint8 too (`from_numpy` keeps that).
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
        wanted = as_dtype(dtype)
        if wanted in (dtypes.int64, dtypes.uint8) and array.dtype.kind == "f":
            if not (np.abs(array, dtype=np.float64) < 2.0**63).all():
                raise TensorError("tensor", "numbers that int64 holds", str(array[~(np.abs(array) < 2.0**63)].ravel()[0]))
            array = array.astype(np.int64)
        return array.astype(wanted.numpy)
    if array.dtype.kind in "iu" and array.dtype != np.int64:
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise DTypeError("tensor", "integers that int64 holds", "uint64 beyond it")
        return array.astype(np.int64)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array


def as_tensor(data: Any, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return `data` as a tensor, without a copy where it is one or a NumPy array of a supported type.

    Examples
    --------
    >>> import rbe
    >>> rbe.as_tensor([1, 2])
    tensor([1, 2])
    """
    check_device("as_tensor", device)
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


_MANY = 1 << 10
_PART = 1 << 8  # floats that the objects of a part take at least


def check_parts(op: str, parts: int, elements: int) -> None:
    """Raise where the system has no memory for so many parts of a layer, which are made one by one, of `elements` floats each.

    Raises
    ------
    OutOfMemoryError
    """
    if parts > _MANY:
        _rbe.full(sizes(op, (parts, elements + _PART), dtypes.float32), 0, dtypes.float32, op)  # given back at once


def full(
    size: Shape,
    fill_value: Any,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return a tensor of shape `size` whose every element is `fill_value`.

    Parameters
    ----------
    size : int or sequence of int
    fill_value : number
        A bool gives bools, an integer int64, a float the default dtype, unless `dtype` says otherwise.

    Raises
    ------
    DTypeError
        If `fill_value` is no number.
    TensorError
        For a number that `dtype` does not hold: NaN as int64, say.

    Examples
    --------
    >>> import rbe
    >>> rbe.full((2,), 7.0)
    tensor([7., 7.])
    """
    check_device("full", device)
    value = number("full", fill_value)
    if dtype is None:
        chosen = dtypes.bool if isinstance(value, bool) else dtypes.int64 if isinstance(value, int) else _default_dtype
    else:
        chosen = as_dtype(dtype)
    return finish(_rbe.full(sizes("full", (size,), chosen), value, chosen, "full"), requires_grad)


def zeros(
    *shape: Any, size: Shape | None = None, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return zeros of a shape, given as numbers, as a sequence or as `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros(2)
    tensor([0., 0.])
    """
    check_device("zeros", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("zeros", shape, chosen, size), 0, chosen, "zeros"), requires_grad)


def ones(
    *shape: Any, size: Shape | None = None, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return ones of a shape, given as numbers, as a sequence or as `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones(2)
    tensor([1., 1.])
    """
    check_device("ones", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("ones", shape, chosen, size), 1, chosen, "ones"), requires_grad)


def empty(
    *shape: Any,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return a tensor of a shape to be filled; its elements are zero.

    Examples
    --------
    >>> import rbe
    >>> rbe.empty(2, 3).shape
    (2, 3)
    """
    check_device("empty", device)
    check_memory_format("empty", memory_format)
    return zeros(*shape, size=size, dtype=dtype, requires_grad=requires_grad)


def _like(
    op: str, t: RBETensor, value: Any, dtype: DTypeLike, requires_grad: bool, device: object, memory_format: Any
) -> RBETensor:
    check_device(op, device)
    check_memory_format(op, memory_format)
    if not isinstance(t, RBETensor):
        raise DTypeError(op, "a tensor", type(t).__name__)
    chosen = t.dtype if dtype is None else as_dtype(dtype)
    return finish(_rbe.full(sizes(op, tuple(t.shape), chosen), number(op, value), chosen, op), requires_grad)


def zeros_like(
    input: RBETensor,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return zeros of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros_like(rbe.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros_like", input, 0, dtype, requires_grad, device, memory_format)


def ones_like(
    input: RBETensor,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return ones of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones_like(rbe.tensor([1, 2]))
    tensor([1, 1])
    """
    return _like("ones_like", input, 1, dtype, requires_grad, device, memory_format)


def full_like(
    input: RBETensor,
    fill_value: Any,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return a tensor of the shape and (unless given) dtype of `input` whose every element is `fill_value`.

    Raises
    ------
    DTypeError, TensorError
        As `full`.

    Examples
    --------
    >>> import rbe
    >>> rbe.full_like(rbe.tensor([1, 2]), 5)
    tensor([5, 5])
    """
    return _like("full_like", input, fill_value, dtype, requires_grad, device, memory_format)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return `start`, `start + step`, … before `end`; int64 if all three are integers.

    Raises
    ------
    TensorError
        For a step of 0 or away from `end`, and for bounds that are not finite.

    Examples
    --------
    >>> import rbe
    >>> rbe.arange(1, 4)
    tensor([1, 2, 3])
    """
    check_device("arange", device)
    if end is None:
        start, end = 0, start
    numbers = [number("arange", v) for v in (start, end, step)]
    whole = all(isinstance(v, int) for v in numbers)
    chosen = as_dtype(dtype) if dtype is not None else dtypes.int64 if whole else _default_dtype
    if chosen is dtypes.bool:
        raise DTypeError("arange", "numbers as dtype", chosen.name)
    if whole and all(-(2**63) <= v < 2**63 for v in numbers):
        first, last, by = map(int, numbers)
        return finish(_rbe._arange_integers(first, last, by, chosen), requires_grad)
    try:
        start, end, step = map(float, numbers)
    except OverflowError:
        raise TensorError("arange", "bounds and step that float64 holds", str(numbers)) from None
    return finish(_rbe._arange_floats(start, end, step, chosen), requires_grad)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return `steps` evenly spaced numbers from `start` to `end`, both included; integers are truncated.

    Raises
    ------
    TensorError
        For a negative number of steps.

    Examples
    --------
    >>> import rbe
    >>> rbe.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    check_device("linspace", device)
    count = integer("linspace", "steps", steps)
    if count < 0:
        raise TensorError("linspace", "at least 0 steps", str(count))
    chosen = default_float(dtype)
    if chosen is dtypes.bool:
        raise DTypeError("linspace", "numbers as dtype", chosen.name)
    check_memory("linspace", [count], chosen)
    first, last = (float(number("linspace", v)) for v in (start, end))
    return finish(_rbe._linspace(first, last, count, chosen), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return an (n, m) matrix with ones on the diagonal.

    Raises
    ------
    ShapeError
        For a negative length.

    Examples
    --------
    >>> import rbe
    >>> rbe.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    check_device("eye", device)
    chosen = default_float(dtype)
    rows, cols = sizes("eye", (n, n if m is None else m), chosen)
    return finish(_rbe._eye(rows, cols, chosen), requires_grad)
