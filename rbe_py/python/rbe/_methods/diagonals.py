"""Diagonals of tensors: taken out, written in, made to matrices."""

from typing import TYPE_CHECKING

from .. import _rbe, dtypes
from .._axes import axis_of
from ..errors import ShapeError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _places(rows: int, cols: int, offset: int) -> "tuple[RBETensor, RBETensor]":
    """Return rows and columns of the elements on a diagonal of a matrix (rows, cols)."""
    first_row, first_col = max(-offset, 0), max(offset, 0)
    n = max(0, min(rows - first_row, cols - first_col))
    steps = _rbe._arange_integers(0, n, 1, dtypes.int64)
    return steps + first_row, steps + first_col


class Diagonals(_rbe.TensorBase):
    """Diagonals."""

    __slots__ = ()

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> "RBETensor":
        """Return the diagonal of two axes, moved to the end: a copy.

        Parameters
        ----------
        offset : int
            Which diagonal: above the main one, or below it if negative.
        dim1, dim2 : int
            The axes.

        Raises
        ------
        ShapeError, OutOfRangeError
            For one axis given twice, or one that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.diagonal(rbe.arange(4).reshape(2, 2))
        tensor([0, 3])
        """
        first, second = axis_of("diagonal", dim1, self.ndim), axis_of("diagonal", dim2, self.ndim)
        if first == second:
            raise ShapeError("diagonal", "two different axes", f"{dim1} and {dim2}")
        last = self.permute([i for i in range(self.ndim) if i not in (first, second)] + [first, second])
        rows, cols = _places(self.shape[first], self.shape[second], offset)
        if last.ndim == 2:
            return last[rows, cols]
        return (
            last.reshape(*last.shape[:-2], -1).index_select(-1, rows * last.shape[-1] + cols)
            if last.numel()
            else last[..., rows, cols]
        )

    def diag(self, diagonal: int = 0) -> "RBETensor":
        """Return a diagonal of a matrix, or the matrix that has a vector on it.

        Raises
        ------
        ShapeError
            For a tensor of another number of axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.diag(rbe.tensor([1, 2])).tolist()
        [[1, 0], [0, 2]]
        """
        if self.ndim not in (1, 2):
            raise ShapeError("diag", "a vector or a matrix", str(self.shape))
        x = _rbe._as_tensor(self)
        return x.diag_embed(diagonal) if self.ndim == 1 else x.diagonal(diagonal)

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> "RBETensor":
        """Return matrices, in two new axes, that have the last axis on a diagonal and 0 elsewhere.

        Raises
        ------
        ShapeError, OutOfRangeError
            As `diagonal`.

        Examples
        --------
        >>> import rbe
        >>> rbe.diag_embed(rbe.tensor([[5]]), 1).tolist()
        [[[0, 5], [0, 0]]]
        """
        axes = self.ndim + 1
        first, second = axis_of("diag_embed", dim1, axes), axis_of("diag_embed", dim2, axes)
        if first == second or self.ndim == 0:
            raise ShapeError("diag_embed", "a tensor with axes, and two different new ones", f"{self.shape}, {dim1} and {dim2}")
        n = self.shape[-1] + abs(offset)
        rows, cols = _places(n, n, offset)
        places = (rows * n + cols).broadcast_to(self.shape)
        zeros = _rbe.full([*self.shape[:-1], n * n], 0, self.dtype)
        found = zeros.scatter_add(-1, places, _rbe._as_tensor(self)).reshape(*self.shape[:-1], n, n)
        order = list(range(axes - 2))
        for place, axis in sorted([(first, axes - 2), (second, axes - 1)]):
            order.insert(place, axis)
        return found.permute(order)

    def diagflat(self, offset: int = 0) -> "RBETensor":
        """Return the matrix that has all elements, in row-major order, on a diagonal.

        Examples
        --------
        >>> import rbe
        >>> rbe.diagflat(rbe.tensor([[1], [2]])).tolist()
        [[1, 0], [0, 2]]
        """
        return self.reshape(-1).diag_embed(offset)

    def diagonal_scatter(self, src: "RBETensor", offset: int = 0, dim1: int = 0, dim2: int = 1) -> "RBETensor":
        """Return the tensor with `src` on a diagonal of two axes.

        Raises
        ------
        ShapeError, OutOfRangeError
            As `diagonal`, and for a `src` of another shape than it has.

        Examples
        --------
        >>> import rbe
        >>> rbe.diagonal_scatter(rbe.zeros(2, 2), rbe.ones(2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        places = _rbe._arange_integers(0, self.numel(), 1, dtypes.int64).reshape(self.shape)
        chosen = places.diagonal(offset, dim1, dim2)
        if chosen.shape != src.shape:
            raise ShapeError("diagonal_scatter", f"a src of shape {chosen.shape}", str(src.shape))
        return _rbe._as_tensor(self).reshape(-1).scatter(0, chosen.reshape(-1), src.reshape(-1)).reshape(self.shape)
