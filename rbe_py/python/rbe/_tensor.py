"""The tensor class.

`RBETensor` is written here over one class of the compiled module, `TensorBase`, which holds the values and the place on the
tape and has the methods that run one operation of the core; `_rbe.pyi` lists those with their documentation.
Methods that are made of other operations are in `_methods`, in a class without fields for each kind.
"""

import builtins
import copy as _copy
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _rbe, dtypes, linalg
from ._arguments import describe, integer, number
from ._axes import axis_of
from ._compat import require
from ._in_place import changed
from ._memory_format import check_memory_format
from ._methods import (
    Arranging,
    Creating,
    Cutting,
    Diagonals,
    Drawing,
    Formulas,
    Matrices,
    Products,
    Ranking,
    Scanning,
    Searching,
    Selecting,
    Statistics,
    Synonyms,
)
from ._methods.products import product
from ._results import Extremes, Ranked
from .device import check_device
from .device import device as _Device
from .dtypes import DTypeLike, as_dtype
from .errors import DeviceError, DTypeError, GraphError, OutOfMemoryError, OutOfRangeError, ShapeError, TensorError

_CPU = _Device("cpu")
_NAMES = tuple(dtype.name for dtype in dtypes.ALL)
_WORDS = {
    "Float": dtypes.float32, "Double": dtypes.float64, "Half": dtypes.float16, "BFloat16": dtypes.bfloat16,
    "Long": dtypes.int64, "Int": dtypes.int32, "Short": dtypes.int16, "Char": dtypes.int8, "Byte": dtypes.uint8,
    "Bool": dtypes.bool,
}  # fmt: skip
_Bool: TypeAlias = bool  # the class has methods of these names
_Float: TypeAlias = float
_Int: TypeAlias = int
_Axis: TypeAlias = int | Sequence[int] | None
_Array: TypeAlias = "np.ndarray[Any, Any]"


@_rbe._class_of_results
class RBETensor(
    Arranging,
    Creating,
    Cutting,
    Diagonals,
    Drawing,
    Formulas,
    Matrices,
    Products,
    Ranking,
    Scanning,
    Searching,
    Selecting,
    Statistics,
    Synonyms,
    _rbe.TensorBase,
):
    """A dense or packed tensor.

    Parameters
    ----------
    data : tensor, array or number
        Memory is shared with a tensor, or an array of a supported type.
    requires_grad : bool
        Whether operations on the tensor are recorded.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __module__ = "rbe"
    __array_priority__: ClassVar[_Int] = 1000  # NumPy arrays leave binary operators to the tensor

    # ---------------------------------------------------------------------------------------------------------- packed tensors

    @staticmethod
    def packed(
        hi: ArrayLike, lo: ArrayLike, shape: Sequence[_Int], scale: _Float | None = None, requires_grad: _Bool = False
    ) -> "RBETensor":
        """Return a packed tensor: 64 weights of one row in a block of 16 bytes.

        Parameters
        ----------
        hi : uint64 array (out, blocks)
            State bits; bit k of a block selects the level of its weight k. Bits beyond a row's end are 0.
        lo : float32 array (out, blocks, 2)
            Points of the Poincaré disk with |z| <= 1 - 1e-3; the levels are `scale * log_0(z)`.
        shape : sequence of int
            Logical shape (out, in) or (out, …); blocks = ceil(in / 64).
        scale : float, optional
            Default 1 / sqrt(in).

        Raises
        ------
        DTypeError, ShapeError, TensorError, NonFiniteError
            If the arrays do not fit, a point lies outside or is not finite, or an unused bit is set.
        """
        words, points = np.asarray(hi), np.asarray(lo, dtype=np.float32)
        if words.dtype.kind not in "iu":
            raise DTypeError("packed", "hi of uint64", words.dtype.name)
        if words.ndim != 2 or points.shape != (*words.shape, 2):
            raise ShapeError("packed", "hi (out, blocks) and lo (out, blocks, 2)", f"{words.shape} and {points.shape}")
        try:
            lengths = [operator.index(n) for n in shape]
        except TypeError:
            raise ShapeError("packed", "a shape of integers", repr(shape)) from None
        if any(n < 0 or n >= 2**63 for n in lengths):
            raise ShapeError("packed", "lengths from 1 to 2^63 - 1", repr(shape))
        words = np.ascontiguousarray(words, dtype=np.uint64).view(np.int64)
        return _rbe._packed(_rbe._as_tensor(words), _rbe._as_tensor(points), lengths, scale, requires_grad)

    @staticmethod
    def encode(dense: Any, scale: _Float | None = None) -> "RBETensor":
        """Return the packed tensor nearest to a dense one: the best two-level split of every block, exact by sorting.

        Parameters
        ----------
        dense : tensor or array (out, …)
            Finite weights.
        scale : float, optional
            Default 1 / sqrt(in), or more where a block's levels would lie beyond the reach of the disk.
        """
        return _rbe._encode(_rbe._as_tensor(dense).detach(), scale)

    @property
    def hi(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """State bits of a packed tensor: uint64 (out, blocks), a copy."""
        return np.array(self._hi._memory()).view(np.uint64)

    @property
    def lo(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Points of a packed tensor: float32 (out, blocks, 2), a copy."""
        return np.array(self._lo._memory())

    # -------------------------------------------------------------------------------------------------- values and their types

    @property
    def device(self) -> _Device:
        """The device: "cpu"."""
        return _CPU

    @property
    def itemsize(self) -> _Int:
        """Bytes of an element."""
        return self.dtype.itemsize

    def element_size(self) -> _Int:
        """Return the bytes of an element."""
        return self.dtype.itemsize

    def dim(self) -> _Int:
        """Return the number of axes."""
        return self.ndim

    def nelement(self) -> _Int:
        """Return the number of elements."""
        return self.numel()

    def size(self, dim: _Int | None = None) -> Any:
        """Return the shape, or the length of one axis.

        Raises
        ------
        OutOfRangeError
            If there is no such axis.
        """
        if dim is None:
            return self.shape
        if not -self.ndim <= dim < self.ndim:
            expected = f"an axis from {-self.ndim} to {self.ndim - 1}" if self.ndim else "a tensor that has axes"
            raise OutOfRangeError("size", expected, f"axis {dim}")
        return self.shape[dim]

    def is_floating_point(self) -> _Bool:
        """Return whether the elements are floats.

        Examples
        --------
        >>> import rbe
        >>> rbe.is_floating_point(rbe.tensor([1, 2]))
        False
        """
        return self.dtype.is_floating_point

    def type(self, dtype: Any = None, non_blocking: _Bool = False) -> Any:
        """Return the name of the type, as "rbe.FloatTensor", or the tensor converted to a type.

        Parameters
        ----------
        dtype : dtype, str or class, optional
            A dtype, its name, or one of `rbe.FloatTensor`, `rbe.LongTensor` and their kin or the name of one.

        Raises
        ------
        DTypeError
            For what names no type.
        """
        names = {dtype: f"rbe.{word}Tensor" for word, dtype in _WORDS.items()}
        if dtype is None:
            return names[self.dtype]
        given = getattr(dtype, "__name__", dtype) if isinstance(dtype, builtins.type) else dtype
        if isinstance(given, str) and given.endswith("Tensor"):
            return self.to(_WORDS.get(given.rsplit(".", 1)[-1].removesuffix("Tensor"), given))
        return self.to(as_dtype(dtype))

    def numpy(self) -> _Array:
        """Return the NumPy array of the same memory.

        Raises
        ------
        GraphError
            For a tensor that requires grad: detach it first.
        DTypeError
            For bfloat16, which NumPy does not have.
        """
        if self.requires_grad:
            raise GraphError("numpy", "a tensor that requires no grad (use detach())", "one that does")
        if self.dtype is dtypes.bfloat16:
            raise DTypeError("numpy", "a type that NumPy has (convert with .float())", "bfloat16")
        return self._array()

    def to_torch(self) -> Any:
        """Return a torch tensor that shares the memory of a dense tensor: writing to one changes the other.

        Raises
        ------
        DTypeError
            For a packed tensor: use `to_dense()` first.
        DependencyError
            Without torch.
        """
        if self.is_packed:
            raise DTypeError("to_torch", "a dense tensor (use to_dense())", "a packed one")
        return require("to_torch", "torch").from_dlpack(self.detach())

    def clone(self, *, memory_format: Any = None) -> "RBETensor":
        """Return a copy with memory of its own; gradients flow through.

        Examples
        --------
        >>> import rbe
        >>> rbe.clone(rbe.tensor([1, 2]))
        tensor([1, 2])
        """
        check_memory_format("clone", memory_format)
        if self.is_packed:
            return _rbe._packed(self._hi, self._lo, list(self.shape), self.scale)
        return self._copy()

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        copy: _Bool = False,
        non_blocking: _Bool = False,
        memory_format: Any = None,
    ) -> "RBETensor":
        """Return the tensor converted to a dtype; the only device is "cpu".

        The tensor itself comes back where nothing is to be converted, unless `copy`. `non_blocking` changes nothing. Both may
        also stand, in torch's order, behind the device, the dtype or the tensor that has it:
        `x.to(rbe.float64, non_blocking, copy)`.

        Raises
        ------
        DeviceError
            For a device other than the CPU.
        """
        kept = len(args)
        while kept > 1 and isinstance(args[kept - 1], builtins.bool) and len(args) - kept < 2:
            kept -= 1
        copy = args[-1] if len(args) - kept == 2 else copy
        for arg in args[:kept]:
            if isinstance(arg, RBETensor):
                dtype = arg.dtype
            elif isinstance(arg, dtypes.dtype | np.dtype | type) or arg in _NAMES:
                dtype = arg
            else:
                device = arg
        check_device("to", device)
        check_memory_format("to", memory_format)
        if dtype is None or self.dtype is as_dtype(dtype):
            return self.clone() if copy else self
        return self._cast(as_dtype(dtype))

    def type_as(self, other: "RBETensor") -> "RBETensor":
        """Return the tensor in the element type of another."""
        return self.to(other.dtype)

    def float(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as float32."""
        check_memory_format("float", memory_format)
        return self.to(dtypes.float32)

    def double(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as float64."""
        check_memory_format("double", memory_format)
        return self.to(dtypes.float64)

    def long(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as int64."""
        check_memory_format("long", memory_format)
        return self.to(dtypes.int64)

    def half(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as float16: rounded to nearest, of two equally near to the even one; from 65520 on infinite."""
        check_memory_format("half", memory_format)
        return self.to(dtypes.float16)

    def bfloat16(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as bfloat16: rounded to nearest, of two equally near to the even one."""
        check_memory_format("bfloat16", memory_format)
        return self.to(dtypes.bfloat16)

    def int(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as int32: floats are rounded towards zero, of larger integers the lowest 32 bits are kept."""
        check_memory_format("int", memory_format)
        return self.to(dtypes.int32)

    def short(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as int16, as `int` does."""
        check_memory_format("short", memory_format)
        return self.to(dtypes.int16)

    def char(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as int8, as `int` does."""
        check_memory_format("char", memory_format)
        return self.to(dtypes.int8)

    def byte(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor as uint8, as `int` does."""
        check_memory_format("byte", memory_format)
        return self.to(dtypes.uint8)

    def bool(self, *, memory_format: Any = None) -> "RBETensor":
        """Return whether each element is other than 0."""
        check_memory_format("bool", memory_format)
        return self.to(dtypes.bool)

    def cpu(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor itself: it is on the CPU."""
        check_memory_format("cpu", memory_format)
        return self

    def cuda(self, *args: Any, **kwargs: Any) -> "RBETensor":
        """Raise DeviceError: the only device is "cpu"."""
        raise DeviceError("cuda", "cpu", "cuda")

    def contiguous(self, *, memory_format: Any = None) -> "RBETensor":
        """Return the tensor itself if it lies in row-major order, else a copy that does."""
        check_memory_format("contiguous", memory_format)
        return self if self.is_contiguous() else self.clone()

    # --------------------------------------------------------------------------------------------------------------- gradients

    def requires_grad_(self, requires_grad: _Bool = True) -> "RBETensor":
        """Make a leaf want a gradient, or no longer; return it."""
        self.requires_grad = requires_grad
        return self

    @property
    def data(self) -> "RBETensor":
        """The tensor without its tape; assigning replaces the values, unseen by the tape."""
        return self.detach()

    @data.setter
    def data(self, value: "RBETensor") -> None:
        """Replace the values, unseen by the tape.

        Raises
        ------
        ShapeError
            For values of another shape.
        """
        if value.shape != self.shape:
            raise ShapeError("data", f"values of shape {self.shape}", str(value.shape))
        before = _rbe._set_grad_enabled(False)
        try:
            self.copy_(value)
        finally:
            _rbe._set_grad_enabled(before)

    # ------------------------------------------------------------------------------------------------------------------- shape

    @property
    def T(self) -> "RBETensor":
        """The tensor with its axes in reverse order: a view."""
        return self.permute(*range(self.ndim - 1, -1, -1))

    @property
    def mT(self) -> "RBETensor":
        """The tensor with its last two axes exchanged: a view."""
        return self.transpose(-1, -2)

    def t(self) -> "RBETensor":
        """Return the transpose of a matrix; a tensor of at most one axis as it is.

        Raises
        ------
        ShapeError
            For more than two axes.
        """
        if self.ndim > 2:
            raise ShapeError("t", "at most 2 axes (use transpose or mT)", str(self.shape))
        return self.transpose(0, 1) if self.ndim == 2 else self

    def view_as(self, other: "RBETensor") -> "RBETensor":
        """Return the same memory in the shape of another tensor."""
        return self.view(other.shape)

    def reshape_as(self, other: "RBETensor") -> "RBETensor":
        """Return the elements in the shape of another tensor."""
        return self.reshape(other.shape)

    def flatten(self, start_dim: _Int = 0, end_dim: _Int = -1) -> "RBETensor":
        """Return the axes from `start_dim` to `end_dim` joined into one.

        Raises
        ------
        OutOfRangeError, ShapeError
            If there is no such axis, or `start_dim` comes after `end_dim`.

        Examples
        --------
        >>> import rbe
        >>> rbe.flatten(rbe.arange(6).reshape(2, 3))
        tensor([0, 1, 2, 3, 4, 5])
        """
        n = max(self.ndim, 1)
        start, end = axis_of("flatten", start_dim, n), axis_of("flatten", end_dim, n)
        if start > end:
            raise ShapeError("flatten", "start_dim before end_dim", f"{start_dim} and {end_dim}")
        shape = list(self.shape) or [1]
        return self.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def expand(self, *sizes: Any) -> "RBETensor":
        """Return a view repeated along axes of length 1; -1 keeps an axis."""
        return self.broadcast_to(*sizes)

    def expand_as(self, other: "RBETensor") -> "RBETensor":
        """Return a view repeated to the shape of another tensor."""
        return self.expand(other.shape)

    # ------------------------------------------------------------------------------------------------------------------- parts

    def split(self, split_size: _Int | Sequence[_Int], dim: _Int = 0) -> list["RBETensor"]:
        """Return consecutive parts of `split_size` (or of the given lengths) along an axis: views.

        Raises
        ------
        ShapeError, OutOfRangeError
            For lengths below 0 or that do not add up, or an axis that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.split(rbe.arange(5), 2)
        [tensor([0, 1]), tensor([2, 3]), tensor([4])]
        """
        n = self.shape[axis_of("split", dim, self.ndim)]
        if isinstance(split_size, Sequence):
            lengths = [integer("split", "a length", length) for length in split_size]
            if any(length < 0 for length in lengths):
                raise ShapeError("split", "lengths of at least 0", str(lengths))
        else:
            size = integer("split", "a size", split_size)
            if size < 1 and (size < 0 or n > 0):
                raise ShapeError("split", "a size of at least 1", str(size))
            lengths = [min(size, n - i) for i in range(0, n, size)] if n else [0]
        return self._split(lengths, dim)

    def chunk(self, chunks: _Int, dim: _Int = 0) -> list["RBETensor"]:
        """Return at most `chunks` parts of equal length (the last may be shorter) along an axis: views.

        An empty axis gives as many as asked for.

        Raises
        ------
        ShapeError
            For less than one.
        OutOfMemoryError
            For more than fit in memory.

        Examples
        --------
        >>> import rbe
        >>> rbe.chunk(rbe.arange(4), 2)
        [tensor([0, 1]), tensor([2, 3])]
        """
        count = integer("chunk", "a count", chunks)
        if count < 1:
            raise ShapeError("chunk", "at least 1 chunk", str(count))
        n = self.shape[axis_of("chunk", dim, self.ndim)]
        if n:
            return self.split(-(-n // count), dim)
        try:
            return self._split([0] * count, dim)
        except MemoryError as error:
            raise OutOfMemoryError("chunk", "results and scratch that fit in memory", f"{count} parts") from error

    def unbind(self, dim: _Int = 0) -> tuple["RBETensor", ...]:
        """Return the slices along an axis: views without it.

        Examples
        --------
        >>> import rbe
        >>> rbe.unbind(rbe.arange(6).reshape(2, 3))
        (tensor([0, 1, 2]), tensor([3, 4, 5]))
        """
        axis = axis_of("unbind", dim, self.ndim)
        return tuple(part.squeeze(axis) for part in self._split([1] * self.shape[axis], axis))

    def take_along_dim(self, indices: "RBETensor", dim: _Int | None = None) -> "RBETensor":
        """Return the elements along an axis that an index names; other axes broadcast. Without `dim` both are flattened.

        Raises
        ------
        ShapeError, DTypeError, OutOfRangeError
            For an index of another number of axes, that is not int64, or names a place that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.take_along_dim(rbe.tensor([5, 6, 7]), rbe.tensor([2, 0]))
        tensor([7, 5])
        """
        if dim is None:
            return self.reshape(-1).gather(0, indices.reshape(-1))
        if self.ndim != indices.ndim:
            raise ShapeError("take_along_dim", f"an index of {self.ndim} axes", str(tuple(indices.shape)))
        if indices.dtype is not dtypes.int64:
            raise DTypeError("take_along_dim", "an int64 index", indices.dtype.name)
        axis = range(self.ndim)[dim] if -self.ndim <= dim < self.ndim else dim
        ours, theirs = list(self.shape), list(indices.shape)
        for i, (n, m) in enumerate(zip(self.shape, indices.shape, strict=True)):
            if i != axis:
                ours[i] = theirs[i] = m if n == 1 else n
        return self.broadcast_to(ours).gather(axis, indices.broadcast_to(theirs))

    def masked_fill(self, mask: "RBETensor", value: Any) -> "RBETensor":
        """Return the tensor with `value`, a number or a tensor without axes, where `mask` (bool) holds.

        Raises
        ------
        ShapeError
            For shapes that do not broadcast, or a value with axes.
        DTypeError
            For a mask that is not bool.

        Examples
        --------
        >>> import rbe
        >>> rbe.masked_fill(rbe.tensor([-1.5, 0.5]), rbe.tensor([True, False]), 0.0)
        tensor([0. , 0.5])
        """
        if mask.dtype is not dtypes.bool:
            raise DTypeError("masked_fill", "a bool mask", str(mask.dtype))
        if not isinstance(value, RBETensor):
            value = _rbe.full([], number("masked_fill", value), self.dtype, "masked_fill")
        elif value.ndim:
            raise ShapeError("masked_fill", "a value without axes", f"shape {tuple(value.shape)}")
        return _rbe.where(mask, value.to(self.dtype), self)

    def nonzero(self, *, as_tuple: _Bool = False) -> Any:
        """Return where the elements are not 0: int64 (count, axes) in row-major order, or a tensor for each axis.

        As a tuple a tensor without axes counts as one of a single axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.nonzero(rbe.tensor([0, 5, 7]))
        tensor([[1],
                [2]])
        """
        if as_tuple and self.ndim == 0:
            return self.reshape(1)._nonzero().unbind(1)
        places = self._nonzero()
        return places.unbind(1) if as_tuple else places

    # -------------------------------------------------------------------------------------------------- functions and products

    def rsqrt(self) -> "RBETensor":
        """Return `1 / sqrt(x)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.rsqrt(rbe.tensor([4.0, 16.0]))
        tensor([0.5 , 0.25])
        """
        return self.sqrt().reciprocal()

    def clip(self, min: Any = None, max: Any = None) -> "RBETensor":
        """Return `clamp(min, max)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.clip(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)
        tensor([-1.,  0.])
        """
        return self.clamp(min, max)

    def mm(self, mat2: "RBETensor") -> "RBETensor":
        """Return the product of two matrices, (n, k) and (k, m).

        Examples
        --------
        >>> import rbe
        >>> rbe.mm(rbe.eye(2), rbe.ones(2, 1)).tolist()
        [[1.0], [1.0]]
        """
        return product("mm", (2, 2), self, mat2)

    def bmm(self, mat2: "RBETensor") -> "RBETensor":
        """Return the products of two batches of matrices, (b, n, k) and (b, k, m).

        Examples
        --------
        >>> import rbe
        >>> rbe.bmm(rbe.ones(3, 1, 2), rbe.ones(3, 2, 1)).shape
        (3, 1, 1)
        """
        return product("bmm", (3, 3), self, mat2)

    def dot(self, other: "RBETensor") -> "RBETensor":
        """Return the sum of the products of two vectors' elements.

        Examples
        --------
        >>> import rbe
        >>> rbe.dot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))
        tensor(11.)
        """
        return product("dot", (1, 1), self, other)

    def trace(self) -> "RBETensor":
        """Return the sum of the elements on the diagonal of a matrix.

        Raises
        ------
        ShapeError
            For a tensor that is no matrix.

        Examples
        --------
        >>> import rbe
        >>> rbe.trace(rbe.eye(3))
        tensor(3.)
        """
        if self.ndim != 2:
            raise ShapeError("trace", "a matrix", str(self.shape))
        places = _rbe._arange_integers(0, min(self.shape), 1, dtypes.int64)
        return self[places, places].sum()

    def norm(
        self,
        p: _Float | str | None = "fro",
        dim: _Axis = None,
        keepdim: _Bool = False,
        dtype: DTypeLike = None,
    ) -> "RBETensor":
        """Return the p-norm over an axis, several or all: `(Σ |x|^p)^(1/p)`. Its gradient where it is 0 is 0.

        Parameters
        ----------
        p : float, "fro", "nuc" or None
            2, "fro" and None are the Euclidean length; infinity the largest absolute value, 0 the number of elements other
            than 0; "nuc" the sum of the singular values of matrices, which two axes hold.
        dtype : dtype, optional
            Converted to before.

        Raises
        ------
        TensorError
            For another text.

        Examples
        --------
        >>> import rbe
        >>> rbe.norm(rbe.tensor([3.0, 4.0]))
        tensor(5.)
        """
        if p is None or p == "fro":
            p = 2
        if isinstance(p, str) and p in ("inf", "-inf"):
            p = builtins.float(p)
        if p == "nuc":
            return linalg.norm(self, "nuc", dim, keepdim, dtype=dtype)
        if isinstance(p, str | builtins.bool):
            raise TensorError("norm", "a number, 'fro' or 'nuc' as p", repr(p))
        return (self if dtype is None else self.to(dtype))._norm(builtins.float(p), dim, keepdim)

    # --------------------------------------------------------------------------------------------------- comparisons and order

    def isclose(self, other: Any, rtol: _Float = 1e-5, atol: _Float = 1e-8, equal_nan: _Bool = False) -> "RBETensor":
        """Return whether `|self - other| <= atol + rtol |other|`, element by element; equal infinities are close.

        Examples
        --------
        >>> import rbe
        >>> rbe.isclose(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 2.1]))
        tensor([ True, False])
        """
        # Masks have no difference: they are compared as 0 and 1.
        a, b = (x.to(dtypes.int64) if x.dtype is dtypes.bool else x for x in (self, _rbe._as_tensor(other)))
        near = (a == b).logical_or(((a - b).abs() <= b.abs() * rtol + atol) & b.isfinite())
        return near.logical_or(a.isnan() & b.isnan()) if equal_nan else near

    def allclose(self, other: Any, rtol: _Float = 1e-5, atol: _Float = 1e-8, equal_nan: _Bool = False) -> _Bool:
        """Return whether all elements are close, as `isclose` has it.

        Examples
        --------
        >>> import rbe
        >>> rbe.allclose(rbe.ones(2), rbe.ones(2) + 1e-7)
        True
        """
        return builtins.bool(self.isclose(other, rtol, atol, equal_nan).all())

    @overload
    def max(self, dim: None = None, keepdim: _Bool = False, *, axis: None = None, keepdims: _Bool = False) -> "RBETensor": ...
    @overload
    def max(self, dim: _Int, keepdim: _Bool = False, *, keepdims: _Bool = False) -> Extremes: ...
    @overload
    def max(self, *, axis: _Int, keepdim: _Bool = False, keepdims: _Bool = False) -> Extremes: ...
    @overload
    def max(self, dim: "RBETensor") -> "RBETensor": ...
    @overload
    def max(self, *, other: Any) -> "RBETensor": ...
    def max(
        self,
        dim: Any = None,
        keepdim: _Bool = False,
        *,
        axis: Any = None,
        keepdims: _Bool = False,
        other: Any = None,
    ) -> Any:
        """Return the largest element of all, the largest along `dim` (`axis`) and where, or the larger of two tensors.

        Along an axis the gradient goes to the first of equals.

        Examples
        --------
        >>> import rbe
        >>> rbe.max(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor(4.)
        """
        found = self._extreme(dim, keepdim or keepdims, axis, other, True)
        return Extremes(*found) if isinstance(found, tuple) else found

    @overload
    def min(self, dim: None = None, keepdim: _Bool = False, *, axis: None = None, keepdims: _Bool = False) -> "RBETensor": ...
    @overload
    def min(self, dim: _Int, keepdim: _Bool = False, *, keepdims: _Bool = False) -> Extremes: ...
    @overload
    def min(self, *, axis: _Int, keepdim: _Bool = False, keepdims: _Bool = False) -> Extremes: ...
    @overload
    def min(self, dim: "RBETensor") -> "RBETensor": ...
    @overload
    def min(self, *, other: Any) -> "RBETensor": ...
    def min(
        self,
        dim: Any = None,
        keepdim: _Bool = False,
        *,
        axis: Any = None,
        keepdims: _Bool = False,
        other: Any = None,
    ) -> Any:
        """Return the smallest element of all, the smallest along `dim` (`axis`) and where, or the smaller of two tensors.

        Along an axis the gradient goes to the first of equals.

        Examples
        --------
        >>> import rbe
        >>> rbe.min(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor(1.)
        """
        found = self._extreme(dim, keepdim or keepdims, axis, other, False)
        return Extremes(*found) if isinstance(found, tuple) else found

    def max_along(self, axis: _Int, keepdims: _Bool = False) -> Extremes:
        """Return the largest values along an axis and their indices; the gradient goes to the first of equals."""
        return self.max(axis, keepdims)

    def min_along(self, axis: _Int, keepdims: _Bool = False) -> Extremes:
        """Return the smallest values along an axis and their indices; the gradient goes to the first of equals."""
        return self.min(axis, keepdims)

    def sort(self, dim: _Int = -1, descending: _Bool = False, stable: _Bool = False) -> Ranked:
        """Return the elements in order along an axis, and their positions; equal ones keep their order, NaN counts as largest.

        Examples
        --------
        >>> import rbe
        >>> rbe.sort(rbe.tensor([3, 1, 2])).values
        tensor([1, 2, 3])
        """
        return Ranked(*self._sort(dim, descending))

    def topk(self, k: _Int, dim: _Int = -1, largest: _Bool = True, sorted: _Bool = True) -> Ranked:
        """Return the `k` largest (or smallest) elements along an axis in order, and their positions.

        Raises
        ------
        TensorError
            If the axis has fewer.

        Examples
        --------
        >>> import rbe
        >>> rbe.topk(rbe.tensor([3, 1, 2]), 2).values
        tensor([3, 2])
        """
        count = integer("topk", "k", k)
        if count < 0:
            raise TensorError("topk", "k >= 0", str(count))
        return Ranked(*self._topk(count, dim, largest))

    # -------------------------------------------------------------------------------------------------------- changes in place

    # These change the memory and, where a gradient is wanted, are recorded on the tape. Forms of element-wise operations, and
    # operators such as `+=`, are methods of the base class.

    def add_(self, other: Any, *, alpha: _Float = 1) -> "RBETensor":
        """Add `alpha * other` in place."""
        return changed(self, "add_", lambda x: x + (other if alpha == 1 else other * alpha), (other,), keep=False)

    def sub_(self, other: Any, *, alpha: _Float = 1) -> "RBETensor":
        """Subtract `alpha * other` in place."""
        return changed(self, "sub_", lambda x: x - (other if alpha == 1 else other * alpha), (other,), keep=False)

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> "RBETensor":
        """In-place form of `div`: return the tensor, changed."""
        return changed(self, "div_", lambda x: x.div(other, rounding_mode=rounding_mode), (other,))

    def round_(self, *, decimals: _Int = 0) -> "RBETensor":
        """In-place form of `round`: return the tensor, changed."""
        return changed(self, "round_", lambda x: x.round(decimals=decimals))

    def rsqrt_(self) -> "RBETensor":
        """In-place form of `rsqrt`: return the tensor, changed."""
        return changed(self, "rsqrt_", lambda x: x.rsqrt())

    def clamp_(self, min: Any = None, max: Any = None) -> "RBETensor":
        """In-place form of `clamp`: return the tensor, changed."""
        return changed(self, "clamp_", lambda x: x.clamp(min, max), (min, max))

    def cumsum_(self, dim: _Int, *, dtype: DTypeLike = None) -> "RBETensor":
        """In-place form of `cumsum`: return the tensor, changed."""
        return changed(self, "cumsum_", lambda x: x.cumsum(dim, dtype=dtype), keep=False)

    def tril_(self, diagonal: _Int = 0) -> "RBETensor":
        """In-place form of `tril`: return the tensor, changed."""
        return changed(self, "tril_", lambda x: x.tril(diagonal))

    def triu_(self, diagonal: _Int = 0) -> "RBETensor":
        """In-place form of `triu`: return the tensor, changed."""
        return changed(self, "triu_", lambda x: x.triu(diagonal))

    def masked_fill_(self, mask: "RBETensor", value: Any) -> "RBETensor":
        """In-place form of `masked_fill`: return the tensor, changed."""
        return changed(self, "masked_fill_", lambda x: x.masked_fill(mask, value), (mask, value), keep=False)

    def scatter_add_(self, dim: _Int, index: "RBETensor", src: "RBETensor") -> "RBETensor":
        """In-place form of `scatter_add`: return the tensor, changed."""
        return changed(self, "scatter_add_", lambda x: x.scatter_add(dim, index, src), (index, src))

    def index_put_(self, indices: tuple["RBETensor", ...], values: Any, accumulate: _Bool = False) -> "RBETensor":
        """Replace the elements that int64 or bool tensors name, as `self[indices] = values`, or add to them.

        Parameters
        ----------
        indices : tuple of tensors
        values : tensor or number
            Broadcasts to the shape of `self[indices]`.
        accumulate : bool
            Add `values` to the elements; of elements named several times every value counts.
        """
        if not accumulate:
            self[tuple(indices)] = values
            return self
        places = _rbe._arange_integers(0, self.numel(), 1, dtypes.int64).reshape(self.shape)[tuple(indices)]
        added = values if isinstance(values, RBETensor) else places.to(self.dtype) * 0 + values
        added = added.to(self.dtype).broadcast_to(places.shape).reshape(-1)

        def compute(x: RBETensor) -> RBETensor:
            return x.reshape(-1).scatter_add(0, places.reshape(-1), added).reshape(x.shape)

        return changed(self, "index_put_", compute, (added,), keep=False)

    def zero_(self) -> "RBETensor":
        """Set every element to 0."""
        self._assign(0)
        return self

    def fill_(self, value: Any) -> "RBETensor":
        """Set every element to `value`, a number or a tensor without axes.

        Raises
        ------
        ShapeError
            For a tensor with axes.
        """
        if isinstance(value, RBETensor) and value.ndim:
            raise ShapeError("fill_", "a value without axes", f"shape {tuple(value.shape)}")
        self._assign(value)
        return self

    def copy_(self, source: Any) -> "RBETensor":
        """Replace the values by those of `source`, which broadcasts; packed tensors take packed ones."""
        if self.is_packed:
            if not isinstance(source, RBETensor) or not source.is_packed:
                raise DTypeError("copy_", "a packed tensor", "a dense one (use RBETensor.encode)")
            self._copy_packed(source)
        else:
            self._assign(source)
        return self

    def uniform_(self, a: _Float = 0.0, b: _Float = 1.0) -> "RBETensor":
        """Fill with uniform numbers in [a, b)."""
        self._assign(_rbe.rand(list(self.shape), self.dtype).mul_(b - a).add_(a))
        return self

    def normal_(self, mean: _Float = 0.0, std: _Float = 1.0) -> "RBETensor":
        """Fill with normal numbers."""
        self._assign(_rbe.randn(list(self.shape), self.dtype).mul_(std).add_(mean))
        return self

    # ----------------------------------------------------------------------------------------------------- protocols of Python

    def __repr__(self) -> str:
        """Return the values as text; of a packed tensor shape, bytes and the first values."""
        if self.is_packed:
            values = ", ".join(f"{v:.4g}" for v in self._first_weights())
            tail = ", requires_grad=True" if self.requires_grad else ""
            more = ", …" if self.numel() > 4 else ""
            return f"RBETensor(packed, shape={self.shape}, {self.nbytes} bytes, values=[{values}{more}]{tail})"
        with np.printoptions(precision=4, threshold=60, edgeitems=3, linewidth=100, suppress=False):
            shown = self.detach().float() if self.dtype is dtypes.bfloat16 else self.detach()
            parts = [np.array2string(shown.numpy(), separator=", ", prefix="tensor(")]
        if self.numel() == 0 and self.shape != (0,):
            parts.append(f"size={self.shape}")
        if self.dtype is not dtypes.float32 and self.dtype not in (dtypes.int64, dtypes.bool):
            parts.append(f"dtype={self.dtype!r}")
        if self.grad_fn is not None:
            parts.append(f"grad_fn={self.grad_fn!r}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def _first_weights(self) -> list[_Float]:
        """Return the first four weights of a packed tensor, or as many as its first row has."""
        in_row = math.prod(self.shape[1:])
        hi, lo = _rbe._as_tensor(self.hi[:1, :1].view(np.int64).copy()), _rbe._as_tensor(self.lo[:1, :1].copy())
        block = _rbe._packed(hi, lo, [1, min(in_row, 64)], self.scale)
        weights: list[_Float] = block.to_dense().tolist()[0][:4]
        return weights

    def __format__(self, spec: str) -> str:
        """Format the only element by `spec`; without one, or of several, the text of the tensor."""
        return format(self.item(), spec) if self.numel() == 1 and spec else repr(self)

    def __iter__(self) -> Iterator["RBETensor"]:
        """Iterate over the slices of the first axis."""
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> _Bool:
        """Return whether any element equals `item`."""
        equal = self == item
        if not isinstance(equal, RBETensor):
            raise DTypeError("in", "a number or a tensor", describe(item))
        return builtins.bool(equal.any())

    def __array__(self, dtype: Any = None, copy: _Bool | None = None) -> _Array:
        """Return a NumPy array for NumPy's functions."""
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError("a copy is needed to convert the dtype")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **kwargs: Any) -> Any:
        """Return the memory as a DLPack capsule."""
        if self.dtype is not dtypes.bfloat16 or self.requires_grad:
            return self.numpy().__dlpack__(**kwargs)
        capsule = self._array().__dlpack__(**kwargs)
        _rbe._exchange_kind(capsule, 1, 4)  # DLPack's numbers of unsigned integers and of bfloat16
        return capsule

    def __dlpack_device__(self) -> tuple[_Int, _Int]:
        """Return DLPack's name of the CPU."""
        return (1, 0)

    def __copy__(self) -> "RBETensor":
        """Return the tensor itself, as a shallow copy shares the values."""
        return self

    def __deepcopy__(self, memo: dict[_Int, Any]) -> "RBETensor":
        """Return a leaf with values and gradient of its own.

        Raises
        ------
        GraphError
            For the result of a recorded operation.
        """
        if not self.is_leaf:
            raise GraphError("deepcopy", "a leaf tensor (use detach())", "the result of a recorded operation")
        rebuild, args = self.__reduce_ex__(2)
        out: RBETensor = rebuild(*args)
        memo[id(self)] = out
        if isinstance(self.grad, RBETensor):
            out.grad = _copy.deepcopy(self.grad, memo)
        return out

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Return what pickle makes the tensor from again: its values as NumPy arrays."""
        if self.is_packed:
            payload: tuple[Any, ...] = (self.hi, self.lo, tuple(self.shape), self.scale)
        else:
            payload = (np.array(self.detach()._memory()),)
            if self.dtype is dtypes.bfloat16:
                payload = (payload[0].view(np.int16), self.dtype.name)
        return _rebuild, (type(self), payload, self.requires_grad)


def _rebuild(cls: type[RBETensor], payload: tuple[Any, ...], requires_grad: bool) -> RBETensor:
    """Return the tensor that `__reduce_ex__` describes."""
    if len(payload) == 4:
        base = RBETensor.packed(*payload)
    else:
        base = _rbe._from_array(payload[0])
        if payload[0].flags.owndata:
            base._own()
        if len(payload) == 2:
            base = base._reinterpret(payload[1])
    return base.requires_grad_(requires_grad) if cls is RBETensor else cls(base, requires_grad)


linalg._name_class(RBETensor)
