"""Tensors over the memory of NumPy arrays and of objects that speak DLPack."""

from typing import Any

import numpy as np

from . import _rbe
from ._tensor import RBETensor
from .dtypes import as_dtype
from .errors import DeviceError, DTypeError, RBEError, TensorError


def from_numpy(array: "np.ndarray[Any, Any]") -> RBETensor:
    """Return a tensor that shares the memory of a NumPy array.

    Writing to one changes the other. The array is kept alive. A read-only, unaligned or byte-swapped array is copied.

    Parameters
    ----------
    array : numpy.ndarray
        Of a type that tensors have; of bfloat16 one of the package ml_dtypes.

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


class _Producer:
    """What NumPy takes over DLPack from in place of an object: notes what it cannot say of the memory."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.says_read_only = False
        self.is_bfloat16 = False

    def __dlpack__(self, **wanted: Any) -> Any:
        try:
            capsule = self.x.__dlpack__(**wanted)
        except TypeError:
            if not wanted:
                raise
            capsule = self.x.__dlpack__()  # a producer of the time before DLPack 1.0
        self.is_bfloat16 = _rbe._exchange_kind(capsule, 4, 1)  # NumPy takes its bits as unsigned integers
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
    if producer.is_bfloat16:
        bits = _shared(array.view(np.int16), producer)
        return bits._reinterpret("bfloat16")
    return _shared(array, producer)


def _shared(array: "np.ndarray[Any, Any]", producer: _Producer) -> RBETensor:
    """Return a tensor over the memory of an array that NumPy took over DLPack."""
    if array.flags.writeable or producer.says_read_only or not array.flags.aligned:
        return from_numpy(array)
    # NumPy marks all as read-only that comes from a producer which cannot say whether it is.
    size = array.itemsize
    address = array.__array_interface__["data"][0]
    strides = [s // size for s in array.strides]
    return _rbe._from_memory(array, address, as_dtype(array.dtype), list(array.shape), strides)
