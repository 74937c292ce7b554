"""Methods of the tensor class about order and place that are compositions of others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._rbe import RBETensor
from .creation import integer
from .dtypes import DTypeLike
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
    count = integer("topk", "k", k)
    if count < 0:
        raise TensorError("topk", "k >= 0", str(count))
    return Ranked(*self._topk(count, dim, largest))


def norm(
    self: RBETensor,
    p: float | str | None = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    dtype: DTypeLike = None,
) -> RBETensor:
    """Return the p-norm over an axis, several or all: `(Σ |x|^p)^(1/p)`. Its gradient where it is 0 is 0.

    Parameters
    ----------
    p : float, "fro" or None
        2, "fro" and None are the Euclidean length; infinity the largest absolute value, 0 the number of elements other than 0.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    TensorError
        For another text.
    """
    if p is None or p == "fro":
        p = 2
    if isinstance(p, str) and p in ("inf", "-inf"):
        p = float(p)
    if isinstance(p, str | bool):
        raise TensorError("norm", "a number or 'fro' as p", repr(p))
    return (self if dtype is None else self.to(dtype))._norm(float(p), dim, keepdim)


def nonzero(self: RBETensor, *, as_tuple: bool = False) -> Any:
    """Return where the elements are not 0: int64 (count, axes) in row-major order, or a tensor for each axis.

    As a tuple a tensor without axes counts as one of a single axis.
    """
    if as_tuple and self.ndim == 0:
        return self.reshape(1)._nonzero().unbind(1)
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
