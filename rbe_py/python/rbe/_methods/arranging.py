"""Elements in another order or shape, repeated, or cut in parts."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._arguments import integer
from .._axes import any_axis_of, axis_of
from .._sizes import sizes
from ..errors import DTypeError, ShapeError, TensorError

if TYPE_CHECKING:
    from .._rbe import RBETensor

_Places = int | Sequence[int]


def listed(op: str, values: Any) -> list[int]:
    """Return integers given as one, as a sequence, or as arguments."""
    if len(values) == 1 and isinstance(values[0], Sequence):
        values = values[0]
    return [integer(op, "a number", v) for v in values]


class Arranging(_rbe.TensorBase):
    """Order, shape and parts."""

    __slots__ = ()

    def roll(self, shifts: _Places, dims: _Places | None = None) -> "RBETensor":
        """Return the elements moved along axes, those beyond the end to the start; without axes of the flattened tensor.

        Raises
        ------
        ShapeError
            For another number of shifts than of axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.roll(rbe.arange(5), 2)
        tensor([3, 4, 0, 1, 2])
        """
        by = [shifts] if isinstance(shifts, int) else list(shifts)
        if dims is None or (isinstance(dims, Sequence) and not dims):
            if len(by) != 1:
                raise ShapeError("roll", "as many axes as shifts", f"{len(by)} shifts without axes")
            return self.reshape(-1).roll(by, 0).reshape(self.shape)
        axes = [dims] if isinstance(dims, int) else list(dims)
        if len(axes) != len(by):
            raise ShapeError("roll", "as many axes as shifts", f"{len(axes)} and {len(by)}")
        x = self._copy() if all(n == 0 for n in by) else _rbe._as_tensor(self)
        for shift, axis in zip(by, axes, strict=True):
            place = any_axis_of("roll", axis, self.ndim)
            n = self.shape[place] if self.ndim else 1
            if n and (split := -shift % n):
                x = _rbe.concat([x.narrow(place, split, n - split), x.narrow(place, 0, split)], place)
        return x

    def tile(self, *dims: Any) -> "RBETensor":
        """Return the tensor repeated so many times along its last axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.tile(rbe.tensor([[1], [2]]), (2,)).tolist()
        [[1, 1], [2, 2]]
        """
        counts = listed("tile", dims)
        return self.repeat([1] * (self.ndim - len(counts)) + counts)

    def rot90(self, k: int = 1, dims: Sequence[int] = (0, 1)) -> "RBETensor":
        """Return the tensor turned by `k` right angles in the plane of two axes, from the first towards the second.

        Raises
        ------
        ShapeError
            Unless there are two different axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.rot90(rbe.tensor([[0, 1], [2, 3]])).tolist()
        [[1, 3], [0, 2]]
        """
        if len(dims) != 2:
            raise ShapeError("rot90", "two axes", str(tuple(dims)))
        a, b = (axis_of("rot90", d, self.ndim) for d in dims)
        if a == b:
            raise ShapeError("rot90", "two different axes", str(tuple(dims)))
        turns = k % 4
        if turns == 0:
            return self._copy()
        if turns == 2:
            return self.flip(a, b)
        return self.flip(b).transpose(a, b) if turns == 1 else self.transpose(a, b).flip(b)

    def fliplr(self) -> "RBETensor":
        """Return the elements in reverse along the second axis.

        Raises
        ------
        ShapeError
            For less than two axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.fliplr(rbe.tensor([[1, 2]]))
        tensor([[2, 1]])
        """
        if self.ndim < 2:
            raise ShapeError("fliplr", "at least 2 axes", str(self.shape))
        return self.flip(1)

    def flipud(self) -> "RBETensor":
        """Return the elements in reverse along the first axis.

        Raises
        ------
        ShapeError
            For a tensor without axes.

        Examples
        --------
        >>> import rbe
        >>> rbe.flipud(rbe.tensor([1, 2]))
        tensor([2, 1])
        """
        if self.ndim < 1:
            raise ShapeError("flipud", "at least 1 axis", str(self.shape))
        return self.flip(0)

    def movedim(self, source: _Places, destination: _Places) -> "RBETensor":
        """Return the tensor with axes moved to other places: a view.

        Raises
        ------
        ShapeError
            For another number of sources than of destinations, or an axis named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.movedim(rbe.zeros(2, 3, 4), 0, -1).shape
        (3, 4, 2)
        """
        pair = [[v] if isinstance(v, int) else list(v) for v in (source, destination)]
        start, end = ([any_axis_of("movedim", d, self.ndim) for d in v] for v in pair)
        if len(start) != len(end) or len(set(start)) != len(start) or len(set(end)) != len(end):
            raise ShapeError("movedim", "as many sources as destinations, each once", f"{source} and {destination}")
        if self.ndim == 0:
            return _rbe._as_tensor(self)
        order = [i for i in range(self.ndim) if i not in start]
        for place, axis in sorted(zip(end, start, strict=True)):
            order.insert(place, axis)
        return self.permute(order)

    def moveaxis(self, source: _Places, destination: _Places) -> "RBETensor":
        """Return `movedim(source, destination)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.moveaxis(rbe.zeros(2, 3, 4), 0, -1).shape
        (3, 4, 2)
        """
        return _rbe._as_tensor(self).movedim(source, destination)

    def swapaxes(self, axis0: int, axis1: int) -> "RBETensor":
        """Return `transpose(axis0, axis1)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.swapaxes(rbe.zeros(2, 3), 0, 1).shape
        (3, 2)
        """
        return self.transpose(axis0, axis1)

    def swapdims(self, dim0: int, dim1: int) -> "RBETensor":
        """Return `transpose(dim0, dim1)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.swapdims(rbe.zeros(2, 3), 0, 1).shape
        (3, 2)
        """
        return self.transpose(dim0, dim1)

    def ravel(self) -> "RBETensor":
        """Return the elements in one axis, in row-major order: a view where the layout allows.

        Examples
        --------
        >>> import rbe
        >>> rbe.ravel(rbe.tensor([[1], [2]]))
        tensor([1, 2])
        """
        return self.reshape(-1)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> "RBETensor":
        """Return the tensor with one axis in several; one length may be -1.

        Raises
        ------
        ShapeError
            For lengths whose product is another than that of the axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.unflatten(rbe.zeros(2, 6), 1, (-1, 3)).shape
        (2, 2, 3)
        """
        place = axis_of("unflatten", dim, self.ndim)
        lengths, n = list(sizes), self.shape[place]
        if not lengths:
            raise ShapeError("unflatten", "at least one length", str(tuple(sizes)))
        known = math.prod(v for v in lengths if v != -1)
        if lengths.count(-1) == 1 and known and n % known == 0:
            lengths = [n // known if v == -1 else v for v in lengths]
        if math.prod(lengths) != n or any(v < 0 for v in lengths):
            raise ShapeError("unflatten", f"lengths whose product is {n}", str(tuple(sizes)))
        return self.reshape(*self.shape[:place], *lengths, *self.shape[place + 1 :])

    def repeat_interleave(self, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> "RBETensor":
        """Return the elements along an axis, each repeated: by one number of times, or by one for each.

        Parameters
        ----------
        repeats : int, or int64 tensor (n) or (1)
        dim : int, optional
            Without it the tensor is flattened first.
        output_size : int, optional
            The length of the result, if known.

        Raises
        ------
        DTypeError, ShapeError, TensorError
            For counts that are no int64, another number of them than of elements, or negative ones.

        Examples
        --------
        >>> import rbe
        >>> rbe.repeat_interleave(rbe.tensor([5, 6]), rbe.tensor([1, 2]))
        tensor([5, 6, 6])
        """
        x = self.reshape(-1) if dim is None else _rbe._as_tensor(self)
        place = any_axis_of("repeat_interleave", 0 if dim is None else dim, x.ndim)
        if x.ndim == 0:
            x = x.reshape(1)
        n = x.shape[place]
        places = _rbe._arange_integers(0, n, 1, dtypes.int64)
        if isinstance(repeats, _rbe.TensorBase):
            if repeats.dtype is not dtypes.int64:
                raise DTypeError("repeat_interleave", "int64 repeats", repeats.dtype.name)
            if repeats.ndim > 1 or repeats.numel() not in (1, n):
                raise ShapeError("repeat_interleave", f"1 or {n} repeats", str(tuple(repeats.shape)))
            if bool((repeats < 0).any()):
                raise TensorError("repeat_interleave", "repeats of at least 0", str(repeats.amin().item()))
            ends = repeats.detach().broadcast_to([n]).cumsum(0)
            total = ends[-1].item() if n else 0
            (total,) = sizes("repeat_interleave", (total,), dtypes.int64)
            steps = _rbe._arange_integers(0, total, 1, dtypes.int64)
            places = ends.searchsorted(steps, right=True)
        else:
            shape = sizes("repeat_interleave", (n, repeats), dtypes.int64)
            places = places.unsqueeze(1).broadcast_to(shape).reshape(-1)
        if output_size is not None and output_size != places.numel():
            raise TensorError("repeat_interleave", f"an output_size of {places.numel()}", str(output_size))
        return x.index_select(place, places)

    def unfold(self, dimension: int, size: int, step: int) -> "RBETensor":
        """Return windows of `size` elements along an axis, one every `step`, in a new last axis: a copy.

        Raises
        ------
        ShapeError, TensorError
            For windows longer than the axis, or a step below 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.arange(5).unfold(0, 3, 2).tolist()
        [[0, 1, 2], [2, 3, 4]]
        """
        place = any_axis_of("unfold", dimension, self.ndim)
        x = _rbe._as_tensor(self) if self.ndim else self.reshape(1)
        n = x.shape[place]
        if not 0 <= size <= n:
            raise ShapeError("unfold", f"windows of at most {n} elements", str(size))
        if step < 1:
            raise TensorError("unfold", "a step of at least 1", str(step))
        count = (n - size) // step + 1
        starts = _rbe._arange_integers(0, count, 1, dtypes.int64) * step
        places = starts.unsqueeze(1) + _rbe._arange_integers(0, size, 1, dtypes.int64)
        found = x.index_select(place, places.reshape(-1))
        apart = found.reshape(*x.shape[:place], count, size, *x.shape[place + 1 :]).movedim(place + 1, -1)
        return apart if self.ndim else apart.reshape(size)
