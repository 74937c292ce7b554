"""Element types of dense tensors."""

import builtins
from typing import ClassVar, Final

import numpy as np


class dtype:
    """An element type.

    Attributes
    ----------
    name : str
        NumPy's name of the type.
    itemsize : int
        Bytes of one element.
    is_floating_point : bool
        Whether gradients flow through tensors of this type.

    Examples
    --------
    >>> import rbe
    >>> rbe.float32.itemsize, rbe.float32.is_floating_point
    (4, True)
    """

    __slots__ = ("is_floating_point", "itemsize", "name")
    is_complex: ClassVar = False

    def __init__(self, name: str, itemsize: "builtins.int", is_floating_point: "builtins.bool") -> None:
        self.name = name
        self.itemsize = itemsize
        self.is_floating_point = is_floating_point

    def __repr__(self) -> str:
        return f"rbe.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    @property
    def is_signed(self) -> "builtins.bool":
        """Whether there are negative numbers."""
        return self.name not in ("bool", "uint8")

    @property
    def bounds(self) -> "tuple[builtins.int, builtins.int]":
        """The least and the largest of a type of integers; of others, those integers that all are held exactly."""
        digits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53, "bool": 1}.get(self.name)
        if digits is None:
            digits = 8 * self.itemsize - self.is_signed
            return -(2**digits) if self.is_signed else 0, 2**digits - 1
        return (0, 1) if self.name == "bool" else (-(2**digits), 2**digits)

    @property
    def numpy(self) -> "np.dtype[np.generic]":
        """The NumPy type.

        Raises
        ------
        DTypeError
            For bfloat16, which NumPy does not have.
        """
        if self.name == "bfloat16":
            from .errors import DTypeError

            raise DTypeError("numpy", "a type that NumPy has (convert with .float())", self.name)
        return np.dtype(self.name)


float32: Final = dtype("float32", 4, True)
float64: Final = dtype("float64", 8, True)
int64: Final = dtype("int64", 8, False)
bool: Final = dtype("bool", 1, False)
uint8: Final = dtype("uint8", 1, False)
int8: Final = dtype("int8", 1, False)
int16: Final = dtype("int16", 2, False)
int32: Final = dtype("int32", 4, False)
float16: Final = dtype("float16", 2, True)
"""IEEE floats of 16 bits: 11 bits of precision, up to 65504. Operations compute in float32 and round their results."""
bfloat16: Final = dtype("bfloat16", 2, True)
"""The upper half of float32: its range, with 8 bits of precision. Operations compute in float32 and round their results."""

float: Final = float32
"""torch's other name of float32. Python's type `float` stands for float64, as in torch and NumPy."""
double: Final = float64
"""torch's other name of float64."""
half: Final = float16
"""torch's other name of float16."""
long: Final = int64
"""torch's other name of int64."""
int: Final = int32
"""torch's other name of int32. Python's type `int` stands for int64, as in torch and NumPy."""
short: Final = int16
"""torch's other name of int16."""

KNOWN: Final = "float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8 or bool"
"""The names of all types, for errors."""

DTypeLike = dtype | str | type | None
"""An rbe dtype, its name, or a Python or NumPy type."""

ALL: Final = (float32, float64, float16, bfloat16, int64, int32, int16, int8, uint8, bool)


def as_dtype(like: object) -> dtype:
    """Return the element type that `like` names.

    Raises
    ------
    DTypeError
        If there is no such type.
    """
    from ._arguments import describe
    from .errors import DTypeError

    if isinstance(like, dtype):
        return like
    if isinstance(like, str) and like == "bfloat16":
        return bfloat16
    try:
        name = np.dtype(like).name  # type: ignore[call-overload]
    except Exception:  # NumPy raises errors of many kinds for what names no type
        name = describe(like)
    for candidate in ALL:
        if candidate.name == name:
            return candidate
    raise DTypeError("dtype", KNOWN, name)


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Return whether numbers of one type may be written over those of another: floats over floats alone, bools over all.

    Examples
    --------
    >>> import rbe
    >>> rbe.can_cast(rbe.int64, rbe.uint8), rbe.can_cast(rbe.float32, rbe.int64)
    (True, False)
    """
    return to.is_floating_point or (not from_.is_floating_point and (from_ is bool or to is not bool))
