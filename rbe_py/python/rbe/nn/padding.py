"""Layers that add elements around the spatial axes, with torch's names."""

from collections.abc import Sequence

from .._tensor import RBETensor
from ..errors import ShapeError
from . import functional as F
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """Add elements before and after the spatial axes, the last of x.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or pairs of elements before and after an axis, the last axis first; a negative number takes
        elements away.

    Raises
    ------
    ShapeError
        For another number of numbers; in forward, for an x that the padding does not fit.
    """

    axes: int
    mode = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = [padding] * (2 * self.axes) if isinstance(padding, int) else [int(n) for n in padding]
        if len(sides) != 2 * self.axes:
            raise ShapeError(type(self).__name__, f"padding of 1 or {2 * self.axes} numbers", str(padding))
        self.padding = tuple(sides)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (N, C, spatial axes) or (C, spatial axes) with elements added."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the numbers."""
        return str(self.padding)


class _ConstantPad(_Pad):
    """The value of added elements, beside what `_Pad` has."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (…, spatial axes) with elements added."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return numbers and value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Add a constant around the last axis of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ConstantPad1d((1, 2), 7.0)(rbe.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[7.0, 1.0, 2.0, 3.0, 7.0, 7.0]]
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 1


class ConstantPad2d(_ConstantPad):
    """Add a constant around the last two axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ConstantPad2d(1, 0.5)(rbe.zeros(2, 3, 3)).shape
    (2, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 2


class ConstantPad3d(_ConstantPad):
    """Add a constant around the last three axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ConstantPad3d(1, 0.5)(rbe.zeros(2, 3, 3, 3)).shape
    (2, 5, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 3


class ZeroPad1d(_Pad):
    """Add zeros around the last axis of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ZeroPad1d((1, 2))(rbe.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 1


class ZeroPad2d(_Pad):
    """Add zeros around the last two axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ZeroPad2d(1)(rbe.zeros(2, 3, 3)).shape
    (2, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 2


class ZeroPad3d(_Pad):
    """Add zeros around the last three axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ZeroPad3d(1)(rbe.zeros(2, 3, 3, 3)).shape
    (2, 5, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 3


class ReflectionPad1d(_Pad):
    """Add x mirrored at its outermost elements around the last axis of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReflectionPad1d((1, 2))(rbe.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Add x mirrored at its outermost elements around the last two axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReflectionPad2d(1)(rbe.zeros(2, 3, 3)).shape
    (2, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Add x mirrored at its outermost elements around the last three axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReflectionPad3d(1)(rbe.zeros(2, 3, 3, 3)).shape
    (2, 5, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Add the outermost elements around the last axis of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReplicationPad1d((1, 2))(rbe.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, 1.0, 2.0, 3.0, 3.0, 3.0]]
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Add the outermost elements around the last two axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReplicationPad2d(1)(rbe.zeros(2, 3, 3)).shape
    (2, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Add the outermost elements around the last three axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReplicationPad3d(1)(rbe.zeros(2, 3, 3, 3)).shape
    (2, 5, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Add the elements from the other end around the last axis of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CircularPad1d((1, 2))(rbe.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Add the elements from the other end around the last two axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CircularPad2d(1)(rbe.zeros(2, 3, 3)).shape
    (2, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Add the elements from the other end around the last three axes of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CircularPad3d(1)(rbe.zeros(2, 3, 3, 3)).shape
    (2, 5, 5, 5)
    """

    __doc__ = f"{__doc__}\n{_Pad.__doc__}"
    axes = 3
    mode = "circular"
