"""Methods of the tensor class that are compositions, conversions or text."""

import copy as _copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _aliases, _inplace, _order, _rbe, creation, dtypes, packing
from ._arguments import describe
from ._memory_format import check_memory_format
from ._rbe import RBETensor
from .dtypes import as_dtype
from .errors import DeviceError, DTypeError, GraphError, OutOfRangeError, ShapeError


class MaxResult(NamedTuple):
    """Largest or smallest values along an axis, and where they are."""

    values: RBETensor
    indices: RBETensor


def numpy(self: RBETensor) -> "np.ndarray[Any, Any]":
    """Return the NumPy array of the same memory.

    Raises
    ------
    GraphError
        For a tensor that requires grad: detach it first.
    """
    if self.requires_grad:
        raise GraphError("numpy", "a tensor that requires no grad (use detach())", "one that does")
    return np.asarray(self._memory())


def __array__(self: RBETensor, dtype: Any = None, copy: bool | None = None) -> "np.ndarray[Any, Any]":
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("a copy is needed to convert the dtype")
        return array.astype(dtype)
    return array.copy() if copy else array


def __dlpack__(self: RBETensor, **kwargs: Any) -> Any:
    return numpy(self).__dlpack__(**kwargs)


def __dlpack_device__(self: RBETensor) -> tuple[int, int]:
    return (1, 0)


def clone(self: RBETensor, *, memory_format: Any = None) -> RBETensor:
    """Return a copy with memory of its own; gradients flow through."""
    check_memory_format("clone", memory_format)
    if self.is_packed:
        return _rbe._packed(self._hi, self._lo, list(self.shape), self.scale)
    return self._copy()


def requires_grad_(self: RBETensor, requires_grad: bool = True) -> RBETensor:
    """Make a leaf want a gradient, or no longer; return it."""
    self.requires_grad = requires_grad
    return self


def hi(self: RBETensor) -> "np.ndarray[Any, Any]":
    """State bits of a packed tensor: uint64 (out, blocks), a copy."""
    return np.array(self._hi._memory()).view(np.uint64)


def lo(self: RBETensor) -> "np.ndarray[Any, Any]":
    """Points of a packed tensor: float32 (out, blocks, 2), a copy."""
    return np.array(self._lo._memory())


def to(
    self: RBETensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> RBETensor:
    """Return the tensor converted to a dtype; the only device is "cpu".

    The tensor itself comes back where nothing is to be converted, unless `copy`. `non_blocking` changes nothing. Both may also
    stand, in torch's order, behind the device, the dtype or the tensor that has it: `x.to(rbe.float64, non_blocking, copy)`.

    Raises
    ------
    DeviceError
        For another device.
    """
    kept = len(args)
    while kept > 1 and isinstance(args[kept - 1], bool) and len(args) - kept < 2:
        kept -= 1
    copy = args[-1] if len(args) - kept == 2 else copy
    for arg in args[:kept]:
        if isinstance(arg, RBETensor):
            dtype = arg.dtype
        elif isinstance(arg, dtypes.dtype | np.dtype | type) or arg in ("float32", "float64", "int64", "uint8", "bool"):
            dtype = arg
        else:
            device = arg
    creation.check_device("to", device)
    check_memory_format("to", memory_format)
    if dtype is None or self.dtype is as_dtype(dtype):
        return clone(self) if copy else self
    return self._cast(as_dtype(dtype))


def _axis(op: str, axis: int, n: int) -> int:
    if n == 0:
        raise ShapeError(op, "a tensor that has axes", "one without")
    axis = creation.integer(op, "an axis", axis)
    if not -n <= axis < n:
        raise OutOfRangeError(op, f"an axis from {-n} to {n - 1}", str(axis))
    return axis % n


def flatten(self: RBETensor, start_dim: int = 0, end_dim: int = -1) -> RBETensor:
    """Return the axes from `start_dim` to `end_dim` joined into one.

    Raises
    ------
    OutOfRangeError, ShapeError
        If there is no such axis, or `start_dim` comes after `end_dim`.
    """
    n = max(self.ndim, 1)
    start, end = _axis("flatten", start_dim, n), _axis("flatten", end_dim, n)
    if start > end:
        raise ShapeError("flatten", "start_dim before end_dim", f"{start_dim} and {end_dim}")
    shape = list(self.shape) or [1]
    return self.reshape(*shape[:start], int(np.prod(shape[start : end + 1], dtype=np.int64)), *shape[end + 1 :])


def expand(self: RBETensor, *sizes: Any) -> RBETensor:
    """Return a view repeated along axes of length 1; -1 keeps an axis."""
    return self.broadcast_to(*sizes)


def unbind(self: RBETensor, dim: int = 0) -> tuple[RBETensor, ...]:
    """Return the slices along an axis: views without it."""
    axis = _axis("unbind", dim, self.ndim)
    return tuple(part.squeeze(axis) for part in self._split([1] * self.shape[axis], axis))


def t(self: RBETensor) -> RBETensor:
    """Return the transpose of a matrix; a tensor of at most one axis as it is.

    Raises
    ------
    ShapeError
        For more than two axes.
    """
    if self.ndim > 2:
        raise ShapeError("t", "at most 2 axes (use transpose or mT)", str(self.shape))
    return self.transpose(0, 1) if self.ndim == 2 else self


def cuda(self: RBETensor, *args: Any, **kwargs: Any) -> RBETensor:
    """Raise DeviceError: the only device is "cpu"."""
    raise DeviceError("cuda", "cpu", "cuda")


def split(self: RBETensor, split_size: int | Sequence[int], dim: int = 0) -> list[RBETensor]:
    """Return consecutive parts of `split_size` (or of the given lengths) along an axis: views."""
    n = self.shape[_axis("split", dim, self.ndim)]
    if isinstance(split_size, Sequence):
        lengths = [creation.integer("split", "a length", length) for length in split_size]
        if any(length < 0 for length in lengths):
            raise ShapeError("split", "lengths of at least 0", str(lengths))
    else:
        size = creation.integer("split", "a size", split_size)
        if size < 1 and (size < 0 or n > 0):
            raise ShapeError("split", "a size of at least 1", str(size))
        lengths = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    return self._split(lengths, dim)


def chunk(self: RBETensor, chunks: int, dim: int = 0) -> list[RBETensor]:
    """Return at most `chunks` parts of equal length (the last may be shorter), as many as asked for of an empty axis: views."""
    count = creation.integer("chunk", "a count", chunks)
    if count < 1:
        raise ShapeError("chunk", "at least 1 chunk", str(count))
    n = self.shape[_axis("chunk", dim, self.ndim)]
    return split(self, -(-n // count), dim) if n else self._split([0] * count, dim)


def masked_fill(self: RBETensor, mask: RBETensor, value: Any) -> RBETensor:
    """Return the tensor with `value`, a number or a tensor without axes, where `mask` (bool) holds.

    Raises
    ------
    ShapeError
        For shapes that do not broadcast, or a value with axes.
    DTypeError
        For a mask that is not bool.
    """
    if mask.dtype is not dtypes.bool:
        raise DTypeError("masked_fill", "a bool mask", str(mask.dtype))
    if not isinstance(value, RBETensor):
        value = creation.full((), value, dtype=self.dtype)
    elif value.ndim:
        raise ShapeError("masked_fill", "a value without axes", f"shape {tuple(value.shape)}")
    return _rbe.where(mask, value.to(self.dtype), self)


def _format(self: RBETensor) -> str:
    with np.printoptions(precision=4, threshold=60, edgeitems=3, linewidth=100, suppress=False):
        return np.array2string(numpy(self.detach()), separator=", ", prefix="tensor(")


def __repr__(self: RBETensor) -> str:
    if self.is_packed:
        rows, cols = self.shape[0], int(np.prod(self.shape[1:]))
        few = _rbe._packed(
            creation.from_numpy(self.hi[:1, :1].view(np.int64).copy())
            if cols >= 64
            else creation.from_numpy(self.hi[:1].view(np.int64).copy()),
            creation.from_numpy(self.lo[:1, :1].copy()),
            [1, min(cols, 64)],
            self.scale,
        )
        values = ", ".join(f"{v:.4g}" for v in few.to_dense().detach().numpy().ravel()[:4])
        tail = ", requires_grad=True" if self.requires_grad else ""
        more = ", …" if rows * cols > 4 else ""
        return f"RBETensor(packed, shape={self.shape}, {self.nbytes} bytes, values=[{values}{more}]{tail})"
    parts = [_format(self)]
    if self.numel() == 0 and self.shape != (0,):
        parts.append(f"size={self.shape}")
    if self.dtype is not dtypes.float32 and self.dtype not in (dtypes.int64, dtypes.bool):
        parts.append(f"dtype={self.dtype!r}")
    if self.grad_fn is not None:
        parts.append(f"grad_fn={self.grad_fn!r}")
    elif self.requires_grad:
        parts.append("requires_grad=True")
    return f"tensor({', '.join(parts)})"


def __format__(self: RBETensor, spec: str) -> str:
    return format(self.item(), spec) if self.numel() == 1 and spec else repr(self)


def __iter__(self: RBETensor) -> Iterator[RBETensor]:
    return (self[i] for i in range(len(self)))


def __contains__(self: RBETensor, item: Any) -> bool:
    equal = self == item
    if not isinstance(equal, RBETensor):
        raise DTypeError("in", "a number or a tensor", describe(item))
    return bool(equal.any())


def _rebuild(cls: type[RBETensor], payload: tuple[Any, ...], requires_grad: bool) -> RBETensor:
    if len(payload) == 4:
        words, points, shape, scale = payload
        base = packing.packed(words, points, shape, scale)
    else:
        base = creation.own(payload[0]) if payload[0].flags.owndata else creation.from_numpy(payload[0])
    if cls is RBETensor:
        return requires_grad_(base, requires_grad)
    return cls(base, requires_grad)


def __reduce_ex__(self: RBETensor, protocol: int) -> tuple[Any, ...]:
    if self.is_packed:
        payload: tuple[Any, ...] = (self.hi, self.lo, tuple(self.shape), self.scale)
    else:
        payload = (np.array(self.detach()._memory()),)
    return _rebuild, (type(self), payload, self.requires_grad)


def __deepcopy__(self: RBETensor, memo: dict[int, Any]) -> RBETensor:
    if not self.is_leaf:
        raise GraphError("deepcopy", "a leaf tensor (use detach())", "the result of a recorded operation")
    rebuild, args = __reduce_ex__(self, 2)
    out: RBETensor = rebuild(*args)
    memo[id(self)] = out
    if isinstance(self.grad, RBETensor):
        out.grad = _copy.deepcopy(self.grad, memo)
    return out


def __copy__(self: RBETensor) -> RBETensor:
    return self


def max_along(self: RBETensor, axis: int, keepdims: bool = False) -> MaxResult:
    """Return the largest values along an axis and their indices; the gradient goes to the first of equals."""
    indices = self.argmax(axis, True)
    values = self.gather(axis, indices)
    return MaxResult(*((values, indices) if keepdims else (values.squeeze(axis), indices.squeeze(axis))))


def min_along(self: RBETensor, axis: int, keepdims: bool = False) -> MaxResult:
    """Return the smallest values along an axis and their indices; the gradient goes to the first of equals."""
    indices = self.argmin(axis, True)
    values = self.gather(axis, indices)
    return MaxResult(*((values, indices) if keepdims else (values.squeeze(axis), indices.squeeze(axis))))


def install() -> None:
    """Give the tensor class its methods."""
    own = (
        numpy, __array__, __dlpack__, __dlpack_device__, clone, requires_grad_, to, flatten, expand,
        unbind, t, cuda, split, chunk, masked_fill, __repr__, __format__, __iter__, __contains__, __reduce_ex__,
        __deepcopy__, __copy__, max_along, min_along,
    )  # fmt: skip
    for function in own:
        setattr(RBETensor, function.__name__, function)
    RBETensor.hi, RBETensor.lo = property(hi), property(lo)  # type: ignore[assignment,method-assign]
    RBETensor.__array_priority__ = 1000
    _aliases.install()
    _inplace.install()
    _order.install()


install()
