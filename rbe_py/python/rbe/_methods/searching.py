"""Where numbers fall among others, and whether they are among them."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import _rbe
from ..errors import DTypeError, ShapeError, TensorError, UnknownNameError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _right(op: str, right: bool, side: str | None) -> bool:
    if side not in (None, "left", "right"):
        raise UnknownNameError(op, "left or right as side", repr(side))
    if side == "left" and right:
        raise TensorError(op, "a side that fits right", "side='left' and right=True")
    return right or side == "right"


def _check_wide(op: str, out_int32: bool) -> None:
    if out_int32:
        raise DTypeError(op, "int64 results", "out_int32=True")


class Searching(_rbe.TensorBase):
    """Search."""

    __slots__ = ()

    def searchsorted(
        self,
        values: Any,
        *,
        out_int32: bool = False,
        right: bool = False,
        side: str | None = None,
        sorter: "RBETensor | None" = None,
    ) -> "RBETensor":
        """Return where numbers belong among the elements, which are in order along the last axis: int64.

        Parameters
        ----------
        values : tensor or number
            Of the same axes but the last, unless the elements are a vector.
        out_int32 : bool
            False: places are int64.
        right : bool
            Behind equal elements instead of before them; `side="right"` is another way to say so.
        sorter : int64 tensor, optional
            The order of the elements, if they are not in order themselves.

        Raises
        ------
        ShapeError, TensorError, UnknownNameError

        Examples
        --------
        >>> import rbe
        >>> rbe.searchsorted(rbe.tensor([1, 3, 5]), rbe.tensor([3, 4]))
        tensor([1, 2])
        """
        _check_wide("searchsorted", out_int32)
        wanted = _rbe._as_tensor(values).detach()
        after = _right("searchsorted", right, side)
        if self.ndim == 0:
            raise ShapeError("searchsorted", "elements along an axis", "a tensor without axes")
        if sorter is not None and sorter.shape != self.shape:
            raise ShapeError("searchsorted", f"a sorter of shape {self.shape}", str(sorter.shape))
        ordered = (self if sorter is None else self.gather(-1, sorter)).detach()
        if self.ndim > 1 and wanted.shape[:-1] != self.shape[:-1]:
            raise ShapeError("searchsorted", f"values of shape {(*self.shape[:-1], 'n')}", str(wanted.shape))
        rows, keys = np.asarray(ordered._memory()), np.asarray(wanted._memory())
        which: Literal["left", "right"] = "right" if after else "left"
        if rows.ndim == 1:
            found = np.searchsorted(rows, keys, side=which)
        else:
            flat = zip(rows.reshape(-1, rows.shape[-1]), keys.reshape(-1, keys.shape[-1]), strict=True)
            found = np.array([np.searchsorted(r, k, side=which) for r, k in flat], dtype=np.int64).reshape(keys.shape)
        return _rbe._as_tensor(np.asarray(found, dtype=np.int64))

    def bucketize(self, boundaries: "RBETensor", *, out_int32: bool = False, right: bool = False) -> "RBETensor":
        """Return the interval between boundaries, which are in order, that each element is in: int64.

        Parameters
        ----------
        out_int32 : bool
            False: places are int64.
        right : bool
            Whether a boundary belongs to the interval behind it.

        Raises
        ------
        ShapeError
            For boundaries that are no vector.

        Examples
        --------
        >>> import rbe
        >>> rbe.bucketize(rbe.tensor([0.5, 2.0]), rbe.tensor([1.0, 2.0]))
        tensor([0, 1])
        """
        _check_wide("bucketize", out_int32)
        if boundaries.ndim != 1:
            raise ShapeError("bucketize", "a vector of boundaries", str(boundaries.shape))
        return boundaries.searchsorted(_rbe._as_tensor(self), right=right)

    def isin(self, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> "RBETensor":
        """Return whether each element is among others, or is not.

        Parameters
        ----------
        test_elements : tensor or number
        assume_unique : bool
            Neither has an element twice, which makes no difference here.
        invert : bool
            Whether each element is not among them.

        Raises
        ------
        DTypeError
            For masks.

        Examples
        --------
        >>> import rbe
        >>> rbe.isin(rbe.tensor([1, 2, 3]), rbe.tensor([2, 3, 5]))
        tensor([False,  True,  True])
        """
        others = _rbe._as_tensor(test_elements)
        if "bool" in (self.dtype.name, others.dtype.name):
            raise DTypeError("isin", "numbers", "bool")
        x, y = (np.asarray(t.detach()._memory()) for t in (self, others))
        return _rbe._as_tensor(np.asarray(np.isin(x, y, invert=invert)))
