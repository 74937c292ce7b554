"""Running products and extremes, differences, and where numbers fall among others."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _rbe, dtypes
from .._axes import any_axis_of
from .._in_place import changed
from .._results import Ranked
from ..errors import OutOfRangeError, ShapeError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _running(op: str, x: _rbe.TensorBase, dim: int, combine: Callable[["RBETensor", "RBETensor"], "RBETensor"]) -> "RBETensor":
    """Return what `combine` makes of the elements up to and including each, by steps that double: log2(n) operations."""
    axis = any_axis_of(op, dim, x.ndim)
    found = _rbe._as_tensor(x)
    n, step = found.shape[axis] if found.ndim else 1, 1
    while step < n:
        head = found.narrow(axis, 0, step)
        rest = combine(found.narrow(axis, step, n - step), found.narrow(axis, 0, n - step))
        found = _rbe.concat([head, rest], axis)
        step *= 2
    return found._copy() if found is x else found


def _running_extreme(op: str, x: _rbe.TensorBase, dim: int, accumulate: Any) -> Ranked:
    """Return running extremes, NaN from the first on, and the last place that has each."""
    axis = any_axis_of(op, dim, x.ndim)
    row = x if x.ndim else x.reshape(1)
    values = np.asarray(row.detach()._memory())
    best = accumulate(values, axis=axis)
    steps = np.arange(values.shape[axis]).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    last = np.maximum.accumulate(np.where((values == best) | (values != values), steps, 0), axis=axis)
    places = _rbe._as_tensor(np.ascontiguousarray(last.astype(np.int64)))
    found = row.gather(axis, places)
    return Ranked(found, places) if x.ndim else Ranked(found.reshape([]), places.reshape([]))


class Scanning(_rbe.TensorBase):
    """Scans."""

    __slots__ = ()

    def cumprod(self, dim: int, *, dtype: Any = None) -> "RBETensor":
        """Return the products up to and including each element along an axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.cumprod(rbe.tensor([1, 2, 3]), 0)
        tensor([1, 2, 6])
        """
        if dtype is None:
            dtype = self.dtype if self.dtype.is_floating_point else dtypes.int64
        x = self if self.dtype is dtype else self._cast(dtype)
        return _running("cumprod", x, dim, lambda a, b: a * b)

    def cumprod_(self, dim: int, *, dtype: Any = None) -> "RBETensor":
        """In-place form of `cumprod`: return the tensor, changed."""
        return changed(self, "cumprod_", lambda x: x.cumprod(dim, dtype=dtype))

    def logcumsumexp(self, dim: int) -> "RBETensor":
        """Return `ln Σ e^x` up to and including each element along an axis, without overflow.

        Examples
        --------
        >>> import rbe
        >>> rbe.logcumsumexp(rbe.tensor([0.0, 0.0]), 0)
        tensor([0.    , 0.6931])
        """
        return _running("logcumsumexp", self * 1.0, dim, lambda a, b: a.logaddexp(b))

    def cummax(self, dim: int) -> Ranked:
        """Return the largest elements up to and including each along an axis, and the last places that have them.

        Examples
        --------
        >>> import rbe
        >>> rbe.cummax(rbe.tensor([2, 1, 3]), 0).values
        tensor([2, 2, 3])
        """
        return _running_extreme("cummax", self, dim, np.maximum.accumulate)

    def cummin(self, dim: int) -> Ranked:
        """Return the smallest elements up to and including each along an axis, and the last places that have them.

        Examples
        --------
        >>> import rbe
        >>> rbe.cummin(rbe.tensor([2, 1, 3]), 0).values
        tensor([2, 1, 1])
        """
        return _running_extreme("cummin", self, dim, np.minimum.accumulate)

    def diff(
        self, n: int = 1, dim: int = -1, prepend: "RBETensor | None" = None, append: "RBETensor | None" = None
    ) -> "RBETensor":
        """Return the differences of neighbours along an axis, `n` times over; of masks whether they differ.

        Parameters
        ----------
        prepend, append : tensor, optional
            Put before and behind the tensor first.

        Raises
        ------
        ShapeError, OutOfRangeError
            For a tensor without axes, or n below 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.diff(rbe.tensor([1, 4, 9]))
        tensor([3, 5])
        """
        if self.ndim == 0:
            raise ShapeError("diff", "a tensor that has axes", "one without")
        if n < 0:
            raise OutOfRangeError("diff", "n of at least 0", str(n))
        axis = any_axis_of("diff", dim, self.ndim)
        parts = [part for part in (prepend, self, append) if part is not None]
        x = _rbe.concat([_rbe._as_tensor(part) for part in parts], axis) if len(parts) > 1 and n else self._copy()
        for _ in range(min(n, x.shape[axis])):
            m = x.shape[axis] - 1
            later, earlier = x.narrow(axis, 1, m), x.narrow(axis, 0, m)
            x = later.logical_xor(earlier) if x.dtype is dtypes.bool else later - earlier
        return x
