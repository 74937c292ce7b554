"""Places of elements that an index or a mask names, and what is written there."""

import math
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._axes import any_axis_of
from ..errors import DTypeError, OutOfRangeError, ShapeError, UnknownNameError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def positions(x: _rbe.TensorBase) -> "RBETensor":
    """Return the place of every element in row-major order, in the shape of a tensor."""
    return _rbe._arange_integers(0, x.numel(), 1, dtypes.int64).reshape(x.shape)


def with_axes(x: _rbe.TensorBase) -> "RBETensor":
    """Return a tensor, one without axes as one of a single axis."""
    return x.reshape(1) if x.ndim == 0 else _rbe._as_tensor(x)


def written(op: str, x: _rbe.TensorBase, places: "RBETensor", values: "RBETensor") -> "RBETensor":
    """Return a tensor with values at places of its flattened elements; of several values for one place the last counts."""
    if values.dtype is not x.dtype:
        raise DTypeError(op, f"values of {x.dtype.name}", values.dtype.name)
    flat, places = x.reshape(-1)._copy(), places.reshape(-1)
    flat[places] = values.reshape(-1)
    return flat.reshape(x.shape)


def _check_index(op: str, index: "RBETensor") -> None:
    if not isinstance(index, _rbe.TensorBase) or index.dtype is not dtypes.int64:
        raise DTypeError(op, "an int64 index", getattr(getattr(index, "dtype", None), "name", type(index).__name__))


def places_of_scatter(op: str, x: _rbe.TensorBase, dim: int, index: "RBETensor", src: Any) -> "tuple[RBETensor, Any]":
    """Return the flat places that an index along an axis names, and the part of `src` that goes there.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError
    """
    _check_index(op, index)
    axis = any_axis_of(op, dim, x.ndim)
    whole, index = with_axes(x), with_axes(index)
    if isinstance(src, _rbe.TensorBase):
        src = with_axes(src)
    if index.numel() == 0:
        return index.reshape(0), index.reshape(0)._cast(x.dtype)
    if index.ndim != whole.ndim or any(
        m > n for i, (m, n) in enumerate(zip(index.shape, whole.shape, strict=True)) if i != axis
    ):
        raise ShapeError(op, f"an index no longer than {x.shape} along other axes", str(index.shape))
    n = whole.shape[axis]
    if bool(((index < 0).logical_or(index >= n)).any()):
        raise OutOfRangeError(op, f"places from 0 to {n - 1}", f"{index.amin().item()} to {index.amax().item()}")
    if isinstance(src, _rbe.TensorBase):
        if src.ndim != index.ndim or any(m > n for m, n in zip(index.shape, src.shape, strict=True)):
            raise ShapeError(op, f"a src of at least {index.shape}", str(src.shape))
        src = src[tuple(slice(0, m) for m in index.shape)]
    part = positions(whole)[tuple(slice(0, 1 if i == axis else m) for i, m in enumerate(index.shape))]
    return part + index * math.prod(whole.shape[axis + 1 :]), src


def slots_of(op: str, x: _rbe.TensorBase, dim: int, index: "RBETensor") -> "tuple[int, RBETensor, RBETensor]":
    """Return an axis, the index as a vector, and the flat places of the slices that it names.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError
    """
    _check_index(op, index)
    axis = any_axis_of(op, dim, x.ndim)
    if index.ndim > 1:
        raise ShapeError(op, "a vector as index", str(index.shape))
    vector = index.reshape(-1)
    whole = with_axes(x)
    n = whole.shape[axis]
    if vector.numel() and bool(((vector < -n).logical_or(vector >= n)).any()):
        raise OutOfRangeError(op, f"places from 0 to {n - 1}", f"{vector.amin().item()} to {vector.amax().item()}")
    vector = _rbe.where(vector < 0, vector + n, vector)
    return axis, vector, positions(whole).index_select(axis, vector)


def values_of_slots(op: str, x: _rbe.TensorBase, slots: "RBETensor", source: "RBETensor") -> "RBETensor":
    """Return the elements of a source that go to the slices of a tensor.

    Raises
    ------
    DTypeError, ShapeError
    """
    if source.dtype is not x.dtype:
        raise DTypeError(op, f"a source of {x.dtype.name}", source.dtype.name)
    if with_axes(source).shape != slots.shape:
        raise ShapeError(op, f"a source of shape {slots.shape}", str(source.shape))
    return with_axes(source)


def with_mask(op: str, x: _rbe.TensorBase, mask: "RBETensor") -> "tuple[RBETensor, RBETensor]":
    """Return tensor and mask in their common shape.

    Raises
    ------
    DTypeError, ShapeError
    """
    if not isinstance(mask, _rbe.TensorBase) or mask.dtype is not dtypes.bool:
        raise DTypeError(op, "a bool mask", getattr(getattr(mask, "dtype", None), "name", type(mask).__name__))
    shape = (_rbe.full(list(x.shape), 0, dtypes.bool).logical_or(mask)).shape
    return x.broadcast_to(shape), mask.broadcast_to(shape)


def combined(op: str, x: _rbe.TensorBase, places: "RBETensor", values: "RBETensor", how: "tuple[str, bool]") -> "RBETensor":
    """Return a tensor with values combined at places of its flattened elements: how, and whether those take part.

    Raises
    ------
    UnknownNameError
    """
    reduce, include_self = how
    if reduce not in ("sum", "mean", "prod", "amax", "amin"):
        raise UnknownNameError(op, "sum, mean, prod, amax or amin", repr(reduce))
    flat = x.reshape(-1)
    counts = _rbe.full([flat.numel()], 0, dtypes.int64).scatter_add(0, places, _rbe.full([places.numel()], 1, dtypes.int64))
    touched = counts > 0
    if reduce in ("sum", "mean"):
        if x.dtype is dtypes.bool:
            return (combined(op, x._cast(dtypes.int64), places, values._cast(dtypes.int64), how) != 0).reshape(x.shape)
        start = flat if include_self else _rbe.where(touched, 0, flat)
        total = start.scatter_add(0, places, values)
        if reduce == "mean":
            parts = _rbe.where(touched, counts + int(include_self), 1)
            total = total / parts if x.dtype.is_floating_point else total.div(parts, rounding_mode="floor")
        return total.reshape(x.shape)
    neutral = _neutral(reduce, x.dtype)
    grid = _rows_of_places(places, counts)
    spare = grid < 0
    cells = _rbe.where(spare, neutral, values[_rbe.where(spare, 0, grid)]) if values.numel() else flat.reshape(-1, 1)[:, :0]
    own = flat if include_self else _rbe.where(touched, neutral, flat)
    every = _rbe.concat([cells, own.unsqueeze(1)], 1)
    found = every.prod(1) if reduce == "prod" else every.amax(1) if reduce == "amax" else every.amin(1)
    return found._cast(x.dtype).reshape(x.shape)


def _neutral(reduce: str, dtype: dtypes.dtype) -> Any:
    """Return the number that changes no product, or no extreme."""
    if reduce == "prod":
        return True if dtype is dtypes.bool else 1
    if dtype is dtypes.bool:
        return reduce == "amin"
    if dtype.is_floating_point:
        return math.inf if reduce == "amin" else -math.inf
    low, high = dtype.bounds
    return high if reduce == "amin" else low


def _rows_of_places(places: "RBETensor", counts: "RBETensor") -> "RBETensor":
    """Return for every place, in a row of its own, which of the values go there; -1 where there are fewer."""
    width = int(counts.amax().item()) if counts.numel() else 0
    order = places.argsort(stable=True)
    ranks = _rbe._arange_integers(0, places.numel(), 1, dtypes.int64) - (counts.cumsum(0) - counts)[places[order]]
    rows = _rbe.full([counts.numel() * width], -1, dtypes.int64)
    rows[places[order] * width + ranks] = order
    return rows.reshape(counts.numel(), width)
