"""Element types of dense tensors."""

import builtins
from typing import Final

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

    def __init__(self, name: str, itemsize: int, is_floating_point: "builtins.bool") -> None:
        self.name = name
        self.itemsize = itemsize
        self.is_floating_point = is_floating_point

    def __repr__(self) -> str:
        return f"rbe.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    @property
    def numpy(self) -> "np.dtype[np.generic]":
        """The NumPy type."""
        return np.dtype(self.name)


float32: Final = dtype("float32", 4, True)
float64: Final = dtype("float64", 8, True)
int64: Final = dtype("int64", 8, False)
bool: Final = dtype("bool", 1, False)
uint8: Final = dtype("uint8", 1, False)
"""Bytes to store: they are moved, compared, saved and converted; arithmetic takes them only beside a wider type."""

float: Final = float32
"""torch's other name of float32. Python's type `float` stands for float64, as in torch and NumPy."""
double: Final = float64
"""torch's other name of float64."""
long: Final = int64
"""torch's other name of int64."""

DTypeLike = dtype | str | type | None
"""An rbe dtype, its name, or a Python or NumPy type."""

ALL: Final = (float32, float64, int64, bool, uint8)


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
    try:
        name = np.dtype(like).name  # type: ignore[call-overload]
    except Exception:  # NumPy raises errors of many kinds for what names no type
        name = describe(like)
    for candidate in ALL:
        if candidate.name == name:
            return candidate
    raise DTypeError("dtype", "float32, float64, int64, uint8 or bool", name)
