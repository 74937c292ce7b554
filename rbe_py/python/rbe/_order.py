"""Methods of the tensor class about order and place that are compositions of others."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ._rbe import RBETensor
from .errors import DTypeError, ShapeError, TensorError


class Ranked(NamedTuple):
    """Elements in order along an axis, and where they were."""

    values: RBETensor
    indices: RBETensor


def sort(self: RBETensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Ranked:
    """Return the elements in order along an axis, and their positions; equal ones keep their order, NaN counts as largest."""
    return Ranked(*self._sort(dim, descending))


def topk(self: RBETensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ranked:
    """Return the `k` largest (or smallest) elements along an axis in order, and their positions.

    Raises
    ------
    TensorError
        If the axis has fewer.
    """
    if k < 0:
        raise TensorError("topk", "k >= 0", str(k))
    return Ranked(*self._topk(k, dim, largest))


def norm(self: RBETensor, p: float | str = 2, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> RBETensor:
    """Return the p-norm over an axis, several or all: `(Σ |x|^p)^(1/p)`.

    Parameters
    ----------
    p : float or "fro"
        2 and "fro" are the Euclidean length; infinity the largest absolute value, 0 the number of elements other than 0.

    Raises
    ------
    TensorError
        For another text.
    """
    if p in (2, "fro"):
        return self._norm(dim, keepdim)
    if isinstance(p, str):
        raise TensorError("norm", "a number or 'fro' as p", repr(p))
    if p in (math.inf, -math.inf):
        return self.abs().max(axis=dim, keepdims=keepdim) if p > 0 else self.abs().min(axis=dim, keepdims=keepdim)
    if p == 0:
        return (self != 0)._cast(self.dtype).sum(dim, keepdim)
    total = self.abs() if p == 1 else self.abs().pow(p)
    total = total.sum(dim, keepdim)
    return total if p == 1 else total.pow(1 / p)


def nonzero(self: RBETensor, *, as_tuple: bool = False) -> Any:
    """Return where the elements are not 0: int64 (count, axes) in row-major order, or a tensor for each axis."""
    places = self._nonzero()
    return places.unbind(1) if as_tuple else places


def take_along_dim(self: RBETensor, indices: RBETensor, dim: int | None = None) -> RBETensor:
    """Return the elements along an axis that an index names; other axes broadcast. Without `dim` both are flattened.

    Raises
    ------
    ShapeError, DTypeError, OutOfRangeError
        For an index of another number of axes, that is not int64, or names a place that is not there.
    """
    if dim is None:
        return self.reshape(-1).gather(0, indices.reshape(-1))
    if self.ndim != indices.ndim:
        raise ShapeError("take_along_dim", f"an index of {self.ndim} axes", str(tuple(indices.shape)))
    if indices.dtype.name != "int64":
        raise DTypeError("take_along_dim", "an int64 index", indices.dtype.name)
    axis = range(self.ndim)[dim] if -self.ndim <= dim < self.ndim else dim
    ours, theirs = list(self.shape), list(indices.shape)
    for i, (n, m) in enumerate(zip(self.shape, indices.shape, strict=True)):
        if i != axis:
            ours[i] = theirs[i] = m if n == 1 else n
    return self.broadcast_to(ours).gather(axis, indices.broadcast_to(theirs))


def install() -> None:
    """Give the tensor class these methods."""
    for function in (sort, topk, norm, nonzero, take_along_dim):
        setattr(RBETensor, function.__name__, function)
