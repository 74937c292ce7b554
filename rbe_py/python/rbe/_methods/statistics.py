"""Statistics along axes, and sets of elements."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _rbe, dtypes
from .._axes import any_axis_of
from .._results import Range
from .._sizes import sizes
from ..errors import DTypeError, ShapeError, TensorError

if TYPE_CHECKING:
    from .._rbe import RBETensor

_Axis = int | Sequence[int] | None


class Statistics(_rbe.TensorBase):
    """Statistics."""

    __slots__ = ()

    def var_mean(
        self, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
    ) -> "tuple[RBETensor, RBETensor]":
        """Return variance and mean over an axis, several or all.

        Examples
        --------
        >>> import rbe
        >>> rbe.var_mean(rbe.tensor([1.0, 3.0]))
        (tensor(2.), tensor(2.))
        """
        dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
        correction = int(unbiased) if correction is None else correction
        return self.var(dim, correction=correction, keepdim=keepdim), self.mean(dim, keepdim)

    def std_mean(
        self, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
    ) -> "tuple[RBETensor, RBETensor]":
        """Return standard deviation and mean over an axis, several or all.

        Examples
        --------
        >>> import rbe
        >>> rbe.std_mean(rbe.tensor([1.0, 1.0]))
        (tensor(0.), tensor(1.))
        """
        dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
        correction = int(unbiased) if correction is None else correction
        return self.std(dim, correction=correction, keepdim=keepdim), self.mean(dim, keepdim)

    def count_nonzero(self, dim: _Axis = None) -> "RBETensor":
        """Return how many elements are other than 0, over an axis, several or all.

        Examples
        --------
        >>> import rbe
        >>> rbe.count_nonzero(rbe.tensor([0, 5, 7]))
        tensor(2)
        """
        return (self != 0).sum(dim)

    def nansum(self, dim: _Axis = None, keepdim: bool = False, *, dtype: Any = None) -> "RBETensor":
        """Return the sum of the elements other than NaN over an axis, several or all.

        Examples
        --------
        >>> import rbe
        >>> rbe.nansum(rbe.tensor([1.0, float("nan")]))
        tensor(1.)
        """
        x = self if dtype is None else self._cast(dtype)
        return (_rbe.where(x.isnan(), 0.0, x) if x.dtype.is_floating_point else x).sum(dim, keepdim)

    def nanmean(self, dim: _Axis = None, keepdim: bool = False, *, dtype: Any = None) -> "RBETensor":
        """Return the mean of the elements other than NaN over an axis, several or all.

        Examples
        --------
        >>> import rbe
        >>> rbe.nanmean(rbe.tensor([1.0, float("nan")]))
        tensor(1.)
        """
        x = _rbe._as_tensor(self if dtype is None else self._cast(dtype))
        return x.nansum(dim, keepdim) / x.isnan().logical_not().sum(dim, keepdim)

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> Range:
        """Return the smallest and the largest elements, of all or along an axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.aminmax(rbe.tensor([1, 2]))
        Range(min=tensor(1), max=tensor(2))
        """
        return Range(self.amin(dim, keepdim), self.amax(dim, keepdim))

    def unique(
        self, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Any:
        """Return the distinct elements in order, or the distinct slices along an axis.

        Parameters
        ----------
        sorted : bool
            They are in order either way.
        return_inverse, return_counts : bool
            Return where each element is found in the result, and how often each of those occurs, too.

        Examples
        --------
        >>> import rbe
        >>> rbe.unique(rbe.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
        """
        axis = None if dim is None else any_axis_of("unique", dim, self.ndim)
        values = np.asarray(self.detach()._memory())
        found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
        inverse = inverse.reshape(values.shape) if axis is None else inverse.reshape(-1)
        return _parts(found, inverse if return_inverse else None, counts if return_counts else None)

    def unique_consecutive(self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
        """Return the elements, or the slices along an axis, without those that equal the one before.

        Parameters
        ----------
        return_inverse, return_counts : bool
            Return where each element is found in the result, and how often each of those follows, too.

        Examples
        --------
        >>> import rbe
        >>> rbe.unique_consecutive(rbe.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
        """
        values = np.asarray(self.detach()._memory())
        shape = values.shape
        axis = 0 if dim is None else any_axis_of("unique_consecutive", dim, self.ndim)
        values = values.reshape(-1) if dim is None or not values.ndim else values
        rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (rows[1:] != rows[:-1]).any(1)
        starts = np.flatnonzero(new)
        inverse = np.cumsum(new) - 1
        counts = np.diff(np.append(starts, len(rows)))
        return _parts(
            np.take(values, starts, axis),
            inverse.reshape(shape if dim is None else -1) if return_inverse else None,
            counts if return_counts else None,
        )

    def bincount(self, weights: "RBETensor | None" = None, minlength: int = 0) -> "RBETensor":
        """Return how often each integer from 0 on occurs, or the sums of weights.

        Raises
        ------
        DTypeError, ShapeError, TensorError
            For what is no vector of integers of at least 0, or weights of another length.

        Examples
        --------
        >>> import rbe
        >>> rbe.bincount(rbe.tensor([1, 3, 1]))
        tensor([0, 2, 0, 1])
        """
        if self.dtype.is_floating_point or self.dtype is dtypes.bool or self.ndim != 1:
            raise DTypeError("bincount", "a vector of integers", f"{self.dtype.name} {self.shape}")
        if weights is not None and weights.shape != self.shape:
            raise ShapeError("bincount", f"weights of shape {self.shape}", str(weights.shape))
        if (self.numel() and int(self.amin().item()) < 0) or minlength < 0:
            raise TensorError("bincount", "integers of at least 0", str(self.amin().item() if self.numel() else minlength))
        n = max(minlength, int(self.amax().item()) + 1 if self.numel() else 0)
        if weights is None:
            weights = _rbe.full(list(self.shape), 1, dtypes.int64)
        elif weights.dtype is not dtypes.float32:
            weights = weights._cast(dtypes.float64)
        return _rbe.full([n], 0, weights.dtype).scatter_add(0, _rbe._as_tensor(self), weights.detach())

    def histc(self, bins: int = 100, min: Any = 0, max: Any = 0) -> "RBETensor":
        """Return how many elements are in each of `bins` equal intervals from `min` to `max`; both 0 stand for the extremes.

        Raises
        ------
        DTypeError, TensorError
            For integers, bounds in the wrong order or that are not finite, or no intervals.

        Examples
        --------
        >>> import rbe
        >>> rbe.histc(rbe.tensor([1.0, 2.0, 2.5]), 2, 1, 3)
        tensor([1., 2.])
        """
        if not self.dtype.is_floating_point:
            raise DTypeError("histc", "floats", self.dtype.name)
        values = np.asarray(self.detach()._memory()).reshape(-1)
        low, high = float(min), float(max)
        if low == high and values.size:
            low, high = (float(values.min()), float(values.max())) if low == 0 else (low, high)
        if low == high:
            low, high = low - 1, high + 1
        if not (bins >= 1 and math.isfinite(low) and math.isfinite(high) and low < high):
            raise TensorError("histc", "at least one bin and finite bounds in order", f"{bins} bins from {low} to {high}")
        sizes("histc", (bins,), dtypes.float64)
        counts = np.histogram(values[np.isfinite(values)], bins, (low, high))[0]
        return _rbe._as_tensor(counts.astype(np.int64))._cast(self.dtype)

    def cov(
        self, *, correction: int = 1, fweights: "RBETensor | None" = None, aweights: "RBETensor | None" = None
    ) -> "RBETensor":
        """Return the covariances of the rows of a matrix, whose columns are observations.

        Parameters
        ----------
        correction : int
            Taken from the number of observations that sums are divided by.
        fweights, aweights : tensor (columns), optional
            How often each observation occurs, and how much it counts.

        Raises
        ------
        ShapeError
            For more than two axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.cov(rbe.tensor([[1.0, 2.0], [2.0, 0.0]])).tolist()
        [[0.5, -1.0], [-1.0, 2.0]]
        """
        if self.ndim > 2:
            raise ShapeError("cov", "at most 2 axes", str(self.shape))
        x = self.reshape(1, -1) if self.ndim < 2 else _rbe._as_tensor(self)
        x = x if x.dtype.is_floating_point else x * 1.0
        weights = None if fweights is None else fweights._cast(x.dtype)
        if aweights is not None:
            own = aweights._cast(x.dtype)
            weights = own if weights is None else weights * own
        if weights is None:
            total: Any = float(x.shape[1])
            centred, by = x - x.mean(1, True), total - correction
            found = centred @ centred.mT
        else:
            total = weights.sum()
            centred = x - (x * weights).sum(1, True) / total
            squares = (weights * aweights._cast(x.dtype)).sum() if aweights is not None else total
            by = total - correction * squares / total
            found = (centred * weights) @ centred.mT
        found = found / (by.clamp(min=0) if isinstance(by, _rbe.TensorBase) else max(by, 0.0))
        return found.reshape([]) if found.numel() == 1 else found

    def corrcoef(self) -> "RBETensor":
        """Return the correlations of the rows of a matrix, whose columns are observations.

        Examples
        --------
        >>> import rbe
        >>> rbe.corrcoef(rbe.tensor([[1.0, 2.0], [2.0, 0.0]])).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
        """
        c = _rbe._as_tensor(self).cov()
        if c.ndim == 0:
            return c / c
        deviation = c.diagonal().sqrt()
        return (c / deviation.unsqueeze(1) / deviation).clamp(-1, 1)

    def dist(self, other: "RBETensor", p: float = 2) -> "RBETensor":
        """Return the p-norm of the difference of two tensors.

        Examples
        --------
        >>> import rbe
        >>> rbe.dist(rbe.tensor([0.0, 0.0]), rbe.tensor([3.0, 4.0]))
        tensor(5.)
        """
        return (self - other).norm(p)

    def argwhere(self) -> "RBETensor":
        """Return where the elements are not 0: int64 (count, axes) in row-major order.

        Examples
        --------
        >>> import rbe
        >>> rbe.argwhere(rbe.tensor([0, 5, 7])).tolist()
        [[1], [2]]
        """
        return self._nonzero()

    def msort(self) -> "RBETensor":
        """Return the elements in order along the first axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.msort(rbe.tensor([3, 1]))
        tensor([1, 3])
        """
        return self._sort(0, False)[0]


def _parts(found: Any, *more: Any) -> Any:
    """Return arrays as tensors: the first alone, or all that are there."""
    made = tuple(_rbe._as_tensor(np.ascontiguousarray(part).reshape(part.shape)) for part in (found, *more) if part is not None)
    return made if len(made) > 1 else made[0]
