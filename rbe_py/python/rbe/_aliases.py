"""Methods of the tensor class that are other names, or one call, of what it has."""

import builtins
from typing import Any, TypeAlias

from . import _inplace, dtypes, packing
from ._memory_format import check_memory_format
from ._rbe import RBETensor
from .creation import arange, as_tensor
from .device import device
from .errors import OutOfRangeError, ShapeError

_CPU = device("cpu")
_Bool: TypeAlias = bool  # the class has methods of these names
_Float: TypeAlias = float


def _product(op: str, axes: int, a: RBETensor, b: RBETensor) -> RBETensor:
    """The matrix product of two tensors of so many axes, none of which broadcasts."""
    if not isinstance(b, RBETensor) or (a.ndim, b.ndim) != (axes, axes) or a.shape[:-2] != b.shape[:-2]:
        raise ShapeError(
            op, f"two tensors of {axes} axes, alike but for the last two", f"{a.shape} and {getattr(b, 'shape', b)}"
        )
    return a.matmul(b)


class _Aliases(RBETensor):
    """Where the methods are written; the tensor class has them from `install`."""

    @property
    def T(self) -> RBETensor:
        """The tensor with its axes in reverse order."""
        return self.permute(*range(self.ndim - 1, -1, -1))

    @property
    def mT(self) -> RBETensor:
        """The tensor with its last two axes exchanged."""
        return self.transpose(-1, -2)

    @property
    def device(self) -> device:
        """The device: "cpu"."""
        return _CPU

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    def element_size(self) -> int:
        """Return the bytes of an element."""
        return self.dtype.itemsize

    def dim(self) -> int:
        """Return the number of axes."""
        return self.ndim

    def nelement(self) -> int:
        """Return the number of elements."""
        return self.numel()

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        if dim is None:
            return self.shape
        if not -self.ndim <= dim < self.ndim:
            expected = f"an axis from {-self.ndim} to {self.ndim - 1}" if self.ndim else "a tensor that has axes"
            raise OutOfRangeError("size", expected, f"axis {dim}")
        return self.shape[dim]

    def view_as(self, other: RBETensor) -> RBETensor:
        """Return the same memory in the shape of another tensor."""
        return self.view(other.shape)

    def reshape_as(self, other: RBETensor) -> RBETensor:
        """Return the elements in the shape of another tensor."""
        return self.reshape(other.shape)

    def expand_as(self, other: RBETensor) -> RBETensor:
        """Return a view repeated to the shape of another tensor."""
        return self.expand(other.shape)

    def type_as(self, other: RBETensor) -> RBETensor:
        """Return the tensor in the element type of another."""
        return self.to(other.dtype)

    def is_floating_point(self) -> Any:
        """Return whether the elements are floats."""
        return self.dtype.is_floating_point

    def isclose(self, other: Any, rtol: _Float = 1e-5, atol: _Float = 1e-8, equal_nan: _Bool = False) -> RBETensor:
        """Return whether `|self - other| <= atol + rtol |other|`, element by element; equal infinities are close."""
        # Masks have no difference: they are compared as 0 and 1.
        a, b = (x.to(dtypes.int64) if x.dtype is dtypes.bool else x for x in (self, as_tensor(other)))
        near: RBETensor = (a == b).logical_or(((a - b).abs() <= b.abs() * rtol + atol) & b.isfinite())
        return near.logical_or(a.isnan() & b.isnan()) if equal_nan else near

    def allclose(self, other: Any, rtol: _Float = 1e-5, atol: _Float = 1e-8, equal_nan: _Bool = False) -> _Bool:
        """Return whether all elements are close, as `isclose` has it."""
        return builtins.bool(self.isclose(other, rtol, atol, equal_nan).all())

    def clip(self, min: Any = None, max: Any = None) -> RBETensor:
        """Return `clamp(min, max)`."""
        return self.clamp(min, max)

    def mm(self, mat2: RBETensor) -> RBETensor:
        """Return the product of two matrices."""
        return _product("mm", 2, self, mat2)

    def bmm(self, mat2: RBETensor) -> RBETensor:
        """Return the products of two batches of matrices."""
        return _product("bmm", 3, self, mat2)

    def dot(self, other: RBETensor) -> RBETensor:
        """Return the sum of the products of two vectors' elements."""
        return _product("dot", 1, self, other)

    def trace(self) -> RBETensor:
        """Return the sum of the elements on the diagonal of a matrix."""
        if self.ndim != 2:
            raise ShapeError("trace", "a matrix", str(self.shape))
        places = arange(min(self.shape))
        return self[places, places].sum()

    def rsqrt(self) -> RBETensor:
        """Return `1 / sqrt(x)`."""
        return self.sqrt().reciprocal()

    def float(self, *, memory_format: Any = None) -> RBETensor:
        """Return the tensor as float32."""
        check_memory_format("float", memory_format)
        return self.to(dtypes.float32)

    def double(self, *, memory_format: Any = None) -> RBETensor:
        """Return the tensor as float64."""
        check_memory_format("double", memory_format)
        return self.to(dtypes.float64)

    def long(self, *, memory_format: Any = None) -> RBETensor:
        """Return the tensor as int64."""
        check_memory_format("long", memory_format)
        return self.to(dtypes.int64)

    def bool(self, *, memory_format: Any = None) -> RBETensor:
        """Return whether each element is other than 0."""
        check_memory_format("bool", memory_format)
        return self.to(dtypes.bool)

    def cpu(self, *, memory_format: Any = None) -> RBETensor:
        """Return the tensor itself: it is on the CPU."""
        check_memory_format("cpu", memory_format)
        return self

    def contiguous(self, *, memory_format: Any = None) -> RBETensor:
        """Return the tensor itself if it lies in row-major order, else a copy that does."""
        check_memory_format("contiguous", memory_format)
        return self if self.is_contiguous() else self.clone()


def _data(self: RBETensor) -> RBETensor:
    """The tensor without its tape; assigning replaces the values."""
    return self.detach()


def install() -> None:
    """Give the tensor class these methods."""
    for name, value in vars(_Aliases).items():
        if not name.startswith("__"):
            setattr(RBETensor, name, value)
    for name, value in {
        "data": property(_data, _inplace.set_data),
        "packed": staticmethod(packing.packed),
        "encode": staticmethod(packing.encode),
    }.items():
        setattr(RBETensor, name, value)
