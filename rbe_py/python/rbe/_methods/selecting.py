"""Elements taken from places, and written to them."""

from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._axes import any_axis_of
from .._in_place import changed
from ..errors import DTypeError, ShapeError, TensorError, UnknownNameError
from .places import combined, places_of_scatter, positions, slots_of, values_of_slots, with_axes, with_mask, written

if TYPE_CHECKING:
    from .._rbe import RBETensor


class Selecting(_rbe.TensorBase):
    """Places."""

    __slots__ = ()

    def scatter(
        self, dim: int, index: "RBETensor", src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> "RBETensor":
        """Return the tensor with elements of `src`, or a number, at the places along an axis that an int64 index names.

        Of several elements for one place the last counts.

        Parameters
        ----------
        dim : int
        index : int64 tensor
            Of as many axes; no longer than the tensor along the others.
        src : tensor or number
            At least as long as the index along every axis.
        value : number, optional
            Another name of a `src` that is a number.
        reduce : {"add", "multiply"}, optional
            Add to the elements, or multiply them.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError, TensorError, UnknownNameError

        Examples
        --------
        >>> import rbe
        >>> rbe.scatter(rbe.zeros(4), 0, rbe.tensor([1, 3]), rbe.tensor([5.0, 6.0]))
        tensor([0., 5., 0., 6.])
        """
        given = src if value is None else value
        if given is None or (src is not None and value is not None):
            raise TensorError("scatter", "either src or value", "both" if given is not None else "neither")
        if reduce not in (None, "add", "multiply"):
            raise UnknownNameError("scatter", "add or multiply", repr(reduce))
        if not isinstance(given, _rbe.TensorBase):
            given = _rbe.full(list(index.shape), given, self.dtype, "scatter")
        if reduce is not None:
            return _rbe._as_tensor(self).scatter_reduce(dim, index, given, "sum" if reduce == "add" else "prod")
        places, values = places_of_scatter("scatter", self, dim, index, given)
        return written("scatter", self, places, values)

    def scatter_(
        self, dim: int, index: "RBETensor", src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> "RBETensor":
        """In-place form of `scatter`: return the tensor, changed."""
        return changed(
            self, "scatter_", lambda x: x.scatter(dim, index, src, value=value, reduce=reduce), (src,), keep=reduce is not None
        )

    def scatter_reduce(
        self, dim: int, index: "RBETensor", src: "RBETensor", reduce: str, *, include_self: bool = True
    ) -> "RBETensor":
        """Return the tensor with elements of `src` combined at the places along an axis that an int64 index names.

        Parameters
        ----------
        reduce : {"sum", "prod", "mean", "amax", "amin"}
        include_self : bool
            Whether the element that is there takes part.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError, UnknownNameError

        Examples
        --------
        >>> import rbe
        >>> rbe.scatter_reduce(rbe.zeros(2), 0, rbe.tensor([0, 0]), rbe.tensor([1.0, 3.0]), "mean", include_self=False)
        tensor([2., 0.])
        """
        if src.dtype is not self.dtype:
            raise DTypeError("scatter_reduce", f"a src of {self.dtype.name}", src.dtype.name)
        places, values = places_of_scatter("scatter_reduce", self, dim, index, src)
        return combined("scatter_reduce", self, places.reshape(-1), values.reshape(-1), (reduce, include_self))

    def scatter_reduce_(
        self, dim: int, index: "RBETensor", src: "RBETensor", reduce: str, *, include_self: bool = True
    ) -> "RBETensor":
        """In-place form of `scatter_reduce`: return the tensor, changed."""
        return changed(
            self, "scatter_reduce_", lambda x: x.scatter_reduce(dim, index, src, reduce, include_self=include_self), (src,)
        )

    def index_add(self, dim: int, index: "RBETensor", source: "RBETensor", *, alpha: Any = 1) -> "RBETensor":
        """Return the tensor with `alpha` times the slices of `source` added to those along an axis that an index names.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.index_add(rbe.zeros(2), 0, rbe.tensor([1, 1]), rbe.tensor([3.0, 4.0]))
        tensor([0., 7.])
        """
        _, _, slots = slots_of("index_add", self, dim, index)
        values = values_of_slots("index_add", self, slots, source)
        if alpha != 1:
            values = values * alpha
        return self.reshape(-1).scatter_add(0, slots.reshape(-1), values.reshape(-1)).reshape(self.shape)

    def index_add_(self, dim: int, index: "RBETensor", source: "RBETensor", *, alpha: Any = 1) -> "RBETensor":
        """In-place form of `index_add`: return the tensor, changed."""
        return changed(self, "index_add_", lambda x: x.index_add(dim, index, source, alpha=alpha), (source,), keep=False)

    def index_copy(self, dim: int, index: "RBETensor", source: "RBETensor") -> "RBETensor":
        """Return the tensor with slices of `source` in place of those along an axis that an index names.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.index_copy(rbe.zeros(3), 0, rbe.tensor([2]), rbe.tensor([5.0]))
        tensor([0., 0., 5.])
        """
        _, _, slots = slots_of("index_copy", self, dim, index)
        return written("index_copy", self, slots, values_of_slots("index_copy", self, slots, source))

    def index_copy_(self, dim: int, index: "RBETensor", source: "RBETensor") -> "RBETensor":
        """In-place form of `index_copy`: return the tensor, changed."""
        return changed(self, "index_copy_", lambda x: x.index_copy(dim, index, source), (source,), keep=False)

    def index_fill(self, dim: int, index: "RBETensor", value: Any) -> "RBETensor":
        """Return the tensor with a number in place of the slices along an axis that an index names.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.index_fill(rbe.zeros(3), 0, rbe.tensor([0, 2]), 1.0)
        tensor([1., 0., 1.])
        """
        axis, vector, _ = slots_of("index_fill", self, dim, index)
        whole = with_axes(self)
        mask = _rbe.full([whole.shape[axis]], 0, dtypes.bool)
        mask[vector] = True
        mask = mask.reshape([-1 if i == axis else 1 for i in range(whole.ndim)])
        return whole.masked_fill(mask, value).reshape(self.shape)

    def index_fill_(self, dim: int, index: "RBETensor", value: Any) -> "RBETensor":
        """In-place form of `index_fill`: return the tensor, changed."""
        return changed(self, "index_fill_", lambda x: x.index_fill(dim, index, value), (value,), keep=False)

    def index_put(self, indices: "tuple[RBETensor, ...]", values: Any, accumulate: bool = False) -> "RBETensor":
        """Return the tensor with the elements replaced that int64 or bool tensors name, or added to: `index_put_` of a copy.

        Examples
        --------
        >>> import rbe
        >>> rbe.index_put(rbe.zeros(3), (rbe.tensor([1]),), 2.0)
        tensor([0., 2., 0.])
        """
        return self._copy().index_put_(tuple(indices), values, accumulate)

    def masked_select(self, mask: "RBETensor") -> "RBETensor":
        """Return the elements where a mask holds, in one axis; the two broadcast.

        Raises
        ------
        DTypeError
            For a mask that is not bool.

        Examples
        --------
        >>> import rbe
        >>> rbe.masked_select(rbe.tensor([1, 2, 3]), rbe.tensor([True, False, True]))
        tensor([1, 3])
        """
        x, chosen = with_mask("masked_select", self, mask)
        return x.reshape(-1)[chosen.reshape(-1)]

    def masked_scatter(self, mask: "RBETensor", source: "RBETensor") -> "RBETensor":
        """Return the tensor with elements of `source`, in order, where a mask holds; tensor and mask broadcast.

        Raises
        ------
        DTypeError, ShapeError
            For a mask that is not bool, another type of `source`, or too few elements.

        Examples
        --------
        >>> import rbe
        >>> rbe.masked_scatter(rbe.zeros(3), rbe.tensor([True, False, True]), rbe.tensor([1.0, 2.0]))
        tensor([1., 0., 2.])
        """
        x, chosen = with_mask("masked_scatter", self, mask)
        if source.dtype is not self.dtype:
            raise DTypeError("masked_scatter", f"a source of {self.dtype.name}", source.dtype.name)
        places = chosen.reshape(-1).nonzero().reshape(-1)
        if places.numel() > source.numel():
            raise ShapeError("masked_scatter", f"a source of at least {places.numel()} elements", str(source.numel()))
        return written("masked_scatter", x, places, source.reshape(-1)[: places.numel()])

    def masked_scatter_(self, mask: "RBETensor", source: "RBETensor") -> "RBETensor":
        """In-place form of `masked_scatter`: return the tensor, changed."""
        return changed(self, "masked_scatter_", lambda x: x.masked_scatter(mask, source), (source,), keep=False)

    def take(self, index: "RBETensor") -> "RBETensor":
        """Return the elements of the flattened tensor that an int64 index names, in its shape.

        Raises
        ------
        DTypeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.take(rbe.tensor([[1, 2], [3, 4]]), rbe.tensor([3, -4]))
        tensor([4, 1])
        """
        _, vector, _ = slots_of("take", self.reshape(-1), 0, index.reshape(-1))
        return self.reshape(-1).index_select(0, vector).reshape(index.shape)

    def put(self, index: "RBETensor", source: "RBETensor", accumulate: bool = False) -> "RBETensor":
        """Return the tensor with elements of `source` at places of its flattened elements, or added there.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.put(rbe.zeros(2, 2), rbe.tensor([3]), rbe.tensor([5.0])).tolist()
        [[0.0, 0.0], [0.0, 5.0]]
        """
        if index.numel() != source.numel():
            raise ShapeError("put", f"{index.numel()} elements in source", str(source.numel()))
        if source.dtype is not self.dtype:
            raise DTypeError("put", f"a source of {self.dtype.name}", source.dtype.name)
        flat = self.reshape(-1)
        if not index.numel():
            return self._copy()
        _, vector, _ = slots_of("put", flat, 0, index.reshape(-1))
        values = source.reshape(-1)
        return (flat.scatter_add(0, vector, values) if accumulate else written("put", flat, vector, values)).reshape(self.shape)

    def put_(self, index: "RBETensor", source: "RBETensor", accumulate: bool = False) -> "RBETensor":
        """In-place form of `put`: return the tensor, changed."""
        return changed(self, "put_", lambda x: x.put(index, source, accumulate), (source,), keep=False)

    def select_scatter(self, src: "RBETensor", dim: int, index: int) -> "RBETensor":
        """Return the tensor with `src` in place of one slice along an axis.

        Raises
        ------
        ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.select_scatter(rbe.zeros(2, 2), rbe.ones(2), 0, 1).tolist()
        [[0.0, 0.0], [1.0, 1.0]]
        """
        places = positions(self).select(dim, index)
        if places.shape != src.shape:
            raise ShapeError("select_scatter", f"a src of shape {places.shape}", str(src.shape))
        return written("select_scatter", self, places, src.to(self.dtype))

    def slice_scatter(
        self, src: "RBETensor", dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
    ) -> "RBETensor":
        """Return the tensor with `src` in place of the elements from `start` to `end` along an axis.

        Raises
        ------
        ShapeError, OutOfRangeError

        Examples
        --------
        >>> import rbe
        >>> rbe.slice_scatter(rbe.zeros(4), rbe.ones(2), 0, 1, 3)
        tensor([0., 1., 1., 0.])
        """
        axis = any_axis_of("slice_scatter", dim, self.ndim)
        places = positions(self)[(slice(None),) * axis + (slice(start, end, step),)]
        if places.shape != src.shape:
            raise ShapeError("slice_scatter", f"a src of shape {places.shape}", str(src.shape))
        return written("slice_scatter", self, places, src.to(self.dtype))
