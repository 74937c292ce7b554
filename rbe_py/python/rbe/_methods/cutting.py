"""Parts of tensors along an axis."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._arguments import integer
from .._axes import axis_of
from ..errors import DTypeError, OutOfMemoryError, ShapeError
from .arranging import listed

if TYPE_CHECKING:
    from .._rbe import RBETensor


_MOST_PARTS = 1 << 24  # each is an object of its own


class Cutting(_rbe.TensorBase):
    """Parts."""

    __slots__ = ()

    def select(self, dim: int, index: int) -> "RBETensor":
        """Return one slice along an axis: a view without it.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis or an index that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.select(rbe.tensor([[1, 2], [3, 4]]), 1, 0)
        tensor([1, 3])
        """
        place = axis_of("select", dim, self.ndim)
        return self[(slice(None),) * place + (integer("select", "an index", index),)]

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> "tuple[RBETensor, ...]":
        """Return so many parts along an axis, of lengths that differ by at most 1, or the parts between given places: views.

        Raises
        ------
        ShapeError
            For a number of parts below 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.tensor_split(rbe.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
        """
        place = axis_of("tensor_split", dim, self.ndim)
        n = self.shape[place]
        cuts = indices_or_sections
        if isinstance(cuts, _rbe.TensorBase):
            if cuts.dtype is not dtypes.int64 or cuts.ndim > 1:
                raise DTypeError("tensor_split", "places as a vector of int64", f"{cuts.dtype.name} {cuts.shape}")
            cuts = cuts.tolist()
        if isinstance(cuts, Sequence):
            ends = [min(max(c + n if c < 0 else c, 0), n) for c in listed("tensor_split", [cuts])]
            bounds = [0, *ends, n]
        else:
            parts = integer("tensor_split", "a number of parts", cuts)
            if parts < 1:
                raise ShapeError("tensor_split", "at least 1 part", str(parts))
            if parts > _MOST_PARTS:
                raise OutOfMemoryError("tensor_split", "results and scratch that fit in memory", f"{parts} parts")
            small, more = divmod(n, parts)
            bounds = [i * small + min(i, more) for i in range(parts + 1)]
        return tuple(self.narrow(place, a, max(b - a, 0)) for a, b in pairwise(bounds))

    def hsplit(self, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
        """Return equal parts, or those between given places, along the second axis; of a vector along its only one.

        Raises
        ------
        ShapeError
            For a tensor without axes, or a number that does not divide the length.

        Examples
        --------
        >>> import rbe
        >>> rbe.hsplit(rbe.arange(4), 2)
        (tensor([0, 1]), tensor([2, 3]))
        """
        return _in_equal_parts("hsplit", self, indices_or_sections, 0 if self.ndim == 1 else 1, 1)

    def vsplit(self, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
        """Return equal parts, or those between given places, along the first of at least two axes.

        Raises
        ------
        ShapeError
            For fewer axes, or a number that does not divide the length.

        Examples
        --------
        >>> import rbe
        >>> rbe.vsplit(rbe.zeros(4, 2), 2)[0].shape
        (2, 2)
        """
        return _in_equal_parts("vsplit", self, indices_or_sections, 0, 2)

    def dsplit(self, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
        """Return equal parts, or those between given places, along the third of at least three axes.

        Raises
        ------
        ShapeError
            For fewer axes, or a number that does not divide the length.

        Examples
        --------
        >>> import rbe
        >>> rbe.dsplit(rbe.zeros(1, 1, 4), 2)[0].shape
        (1, 1, 2)
        """
        return _in_equal_parts("dsplit", self, indices_or_sections, 2, 3)

    def split_with_sizes(self, split_sizes: Sequence[int], dim: int = 0) -> "list[RBETensor]":
        """Return consecutive parts of the given lengths along an axis: views.

        Examples
        --------
        >>> import rbe
        >>> rbe.split_with_sizes(rbe.arange(3), [1, 2])
        [tensor([0]), tensor([1, 2])]
        """
        return _rbe._as_tensor(self).split(list(split_sizes), dim)

    def narrow_copy(self, dim: int, start: int, length: int) -> "RBETensor":
        """Return `narrow(dim, start, length)` with memory of its own.

        Examples
        --------
        >>> import rbe
        >>> rbe.narrow_copy(rbe.arange(4), 0, 1, 2)
        tensor([1, 2])
        """
        return self.narrow(dim, start, length)._copy()


def _in_equal_parts(op: str, x: _rbe.TensorBase, cuts: Any, axis: int, least: int) -> "tuple[RBETensor, ...]":
    if x.ndim < least:
        raise ShapeError(op, f"at least {least} axes", str(x.shape))
    if isinstance(cuts, int) and (cuts < 1 or x.shape[axis] % cuts):
        raise ShapeError(op, f"a number of parts that divides {x.shape[axis]}", str(cuts))
    return _rbe._as_tensor(x).tensor_split(cuts, axis)
