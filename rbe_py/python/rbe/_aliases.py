"""Methods of the tensor class that are other names, or one call, of what it has."""

from typing import Any

from . import _inplace, dtypes, packing
from ._rbe import RBETensor
from .device import device
from .errors import OutOfRangeError

_CPU = device("cpu")


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
            raise OutOfRangeError("size", f"an axis from {-self.ndim} to {self.ndim - 1}", str(dim))
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

    def isinf(self) -> RBETensor:
        """Return whether each element is infinite."""
        return self.abs() == float("inf")

    def rsqrt(self) -> RBETensor:
        """Return `1 / sqrt(x)`."""
        return self.sqrt().reciprocal()

    def float(self) -> RBETensor:
        """Return the tensor as float32."""
        return self.to(dtypes.float32)

    def double(self) -> RBETensor:
        """Return the tensor as float64."""
        return self.to(dtypes.float64)

    def long(self) -> RBETensor:
        """Return the tensor as int64."""
        return self.to(dtypes.int64)

    def bool(self) -> RBETensor:
        """Return whether each element is other than 0."""
        return self.to(dtypes.bool)

    def cpu(self) -> RBETensor:
        """Return the tensor itself: it is on the CPU."""
        return self

    def contiguous(self) -> RBETensor:
        """Return the tensor itself if it lies in row-major order, else a copy that does."""
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
