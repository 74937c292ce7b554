"""Elements by their rank: medians, quantiles, the k-th smallest."""

import math
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._arguments import integer
from .._axes import any_axis_of
from .._results import Ranked
from ..errors import DTypeError, OutOfRangeError, ShapeError, UnknownNameError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _picked(x: _rbe.TensorBase, places: "RBETensor", axis: int, keepdim: bool) -> "Ranked":
    """Return the elements at one place in each slice along an axis, and the places."""
    if x.ndim == 0:
        return Ranked(x.reshape(1).gather(0, places.reshape(1)).reshape([]), places.reshape([]))
    values = x.gather(axis, places)
    return Ranked(values, places) if keepdim else Ranked(values.squeeze(axis), places.squeeze(axis))


class Ranking(_rbe.TensorBase):
    """Ranks."""

    __slots__ = ()

    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the middle element, the lower of two; along an axis with its place. NaN where one is.

        Examples
        --------
        >>> import rbe
        >>> rbe.median(rbe.tensor([3.0, 1.0, 2.0, 4.0]))
        tensor(2.)
        """
        return _middle("median", self, dim, keepdim, False)

    def nanmedian(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the middle of the elements other than NaN, the lower of two; along an axis with its place.

        Examples
        --------
        >>> import rbe
        >>> rbe.nanmedian(rbe.tensor([float("nan"), 1.0, 2.0]))
        tensor(1.)
        """
        return _middle("nanmedian", self, dim, keepdim, True)

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Ranked:
        """Return the `k`-th smallest elements along an axis, counted from 1, and their places.

        Raises
        ------
        OutOfRangeError
            If the axis has fewer.

        Examples
        --------
        >>> import rbe
        >>> rbe.kthvalue(rbe.tensor([3.0, 1.0, 2.0]), 2).values
        tensor(2.)
        """
        axis = any_axis_of("kthvalue", dim, self.ndim)
        n = self.shape[axis] if self.ndim else 1
        if not 1 <= integer("kthvalue", "k", k) <= n:
            raise OutOfRangeError("kthvalue", f"k from 1 to {n}", str(k))
        order = (self if self.ndim else self.reshape(1)).argsort(axis, stable=True)
        return _picked(self, order.narrow(axis, k - 1, 1), axis, keepdim)

    def quantile(self, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> "RBETensor":
        """Return the numbers below which a share `q` of the elements lies, along an axis or of all; NaN where one is.

        Parameters
        ----------
        q : float or tensor (n)
            Shares from 0 to 1; a vector makes a new first axis.
        interpolation : {"linear", "lower", "higher", "midpoint", "nearest"}
            What lies between two elements.

        Raises
        ------
        DTypeError, OutOfRangeError, ShapeError, UnknownNameError

        Examples
        --------
        >>> import rbe
        >>> rbe.quantile(rbe.tensor([1.0, 2.0, 4.0]), 0.75)
        tensor(3.)
        """
        return _quantile("quantile", self, q, dim, (keepdim, interpolation, False))

    def nanquantile(
        self, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> "RBETensor":
        """Return `quantile` of the elements other than NaN.

        Examples
        --------
        >>> import rbe
        >>> rbe.nanquantile(rbe.tensor([1.0, float("nan"), 2.0]), 0.5)
        tensor(1.5)
        """
        return _quantile("nanquantile", self, q, dim, (keepdim, interpolation, True))


def _middle(op: str, x: _rbe.TensorBase, dim: int | None, keepdim: bool, skips: bool) -> Any:
    """Return the lower of the middle elements, and their places along an axis."""
    if dim is None:
        if not x.numel():
            return _rbe.full([], math.nan, x.dtype, op)
        return _middle(op, x.reshape(-1), 0, False, skips).values
    axis = any_axis_of(op, dim, x.ndim)
    row = x if x.ndim else x.reshape(1)
    n = row.shape[axis]
    if not n:
        raise ShapeError(op, "an axis that has elements", str(x.shape))
    order = row.argsort(axis, stable=True)
    missing = row.isnan()
    if skips:
        rank = (n - missing.sum(axis, True) - 1).clamp(min=0).floor_divide(2)
        places = order.gather(axis, rank)
    else:
        places = order.narrow(axis, (n - 1) // 2, 1)
        places = _rbe.where(missing.any(axis, True), missing._cast(dtypes.int64).argmax(axis, True), places)
    return _picked(x, places, axis, keepdim)


def _quantile(op: str, x: _rbe.TensorBase, q: Any, dim: int | None, how: tuple[bool, str, bool]) -> "RBETensor":
    """Return quantiles: keep the axis, the kind of interpolation, and whether NaN is left out."""
    keepdim, kind, skips = how
    if not x.dtype.is_floating_point:
        raise DTypeError(op, "floats", x.dtype.name)
    shares = q if isinstance(q, _rbe.TensorBase) else _rbe.full([], q, x.dtype, op)
    if shares.dtype is not x.dtype:
        raise DTypeError(op, f"shares of {x.dtype.name}", shares.dtype.name)
    if shares.ndim > 1 or not x.numel():
        raise ShapeError(op, "a number or vector of shares, and a tensor that has elements", f"{shares.shape} and {x.shape}")
    if kind not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise UnknownNameError(op, "linear, lower, higher, midpoint or nearest", repr(kind))
    if not bool(((shares >= 0) & (shares <= 1)).all()):
        raise OutOfRangeError(op, "shares from 0 to 1", str(shares.tolist()))
    axis = 0 if dim is None else any_axis_of(op, dim, x.ndim)
    row = x.reshape(-1) if dim is None or not x.ndim else _rbe._as_tensor(x)
    ordered = row._sort(axis, False)[0].movedim(axis, -1)
    n = ordered.shape[-1]
    missing = ordered.isnan()
    last = (n - missing.sum(-1, True) - 1).clamp(min=0)._cast(x.dtype) if skips else _rbe.full([], n - 1, x.dtype)
    rank = (last * shares.reshape(-1)).broadcast_to([*ordered.shape[:-1], shares.numel()])
    if kind != "linear" and kind != "midpoint":
        rank = {"lower": rank.floor, "higher": rank.ceil, "nearest": rank.round}[kind]()
    below = rank.floor()
    low = ordered.gather(-1, below._cast(dtypes.int64))
    found = low
    if kind in ("linear", "midpoint"):
        high = ordered.gather(-1, rank.ceil()._cast(dtypes.int64))
        part = rank - below if kind == "linear" else 0.5
        found = low.lerp(high, part)
    if not skips:
        found = _rbe.where(missing.any(-1, True), math.nan, found)
    found = found.movedim(-1, 0)  # the shares come first
    if keepdim:
        ones = [1] * x.ndim if dim is None else [1 if i == axis else m for i, m in enumerate(x.shape)]
        found = found.reshape(shares.numel(), *ones)
    return found if shares.ndim else found.squeeze(0)
