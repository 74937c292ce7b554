"""Checks of the operands that all backends share."""

import numbers
import operator
from typing import Any, Protocol

from ..errors import DTypeError, OutOfRangeError, ShapeError, TensorError
from .protocol import Array

FLOATS = ("float32", "float64")


class Arrays(Protocol):
    """What a backend knows of its arrays."""

    name: str

    def owns(self, x: Any) -> bool:
        """See `Backend`."""
        ...

    def dtype_of(self, x: Array) -> str:
        """See `Backend`."""
        ...


def describe(x: Any) -> str:
    """Return the type of a value, and its dtype and shape if it has them."""
    parts = [type(x).__name__]
    parts += [str(getattr(x, name)) for name in ("dtype", "shape") if hasattr(x, name)]
    return " ".join(parts)


def floats(backend: "Arrays", op: str, *arrays: Array) -> str:
    """Return the one dtype of arrays of floats; DTypeError otherwise."""
    found = []
    for x in arrays:
        if not backend.owns(x):
            raise DTypeError(op, f"arrays of the backend {backend.name} (to_device makes them)", describe(x))
        found.append(backend.dtype_of(x))
        if found[-1] not in FLOATS:
            raise DTypeError(op, "arrays of float32 or float64", describe(x))
    if len(set(found)) > 1:
        raise DTypeError(op, "operands of one dtype", " and ".join(found))
    return found[0]


def integers(backend: "Arrays", op: str, x: Array) -> None:
    """Raise DTypeError unless x is an array of int64."""
    if not backend.owns(x) or backend.dtype_of(x) != "int64":
        raise DTypeError(op, f"indices in an int64 array of the backend {backend.name}", describe(x))


def shape(holds: bool, op: str, expected: str, *arrays: Array) -> None:
    """Raise ShapeError unless the shapes match."""
    if not holds:
        raise ShapeError(op, expected, " and ".join(str(tuple(x.shape)) for x in arrays))


def axes(op: str, x: Array, *counts: int) -> None:
    """Raise ShapeError unless x has one of these numbers of axes."""
    words = {1: "a vector", 2: "a matrix"}
    shape(x.ndim in counts, op, " or ".join(words[n] for n in counts), x)


def real(op: str, name: str, value: Any) -> float:
    """Return a real number as a float: Python's, NumPy's, or an array without axes."""
    if isinstance(value, numbers.Real) or (getattr(value, "shape", None) == () and hasattr(value, "__float__")):
        return float(value)
    raise DTypeError(op, f"a real number as {name}", describe(value))


def axis_of(op: str, x: Array, axis: Any) -> int:
    """Return an axis counted from the first; OutOfRangeError for one that is not there."""
    try:
        found = int(operator.index(axis))
    except TypeError:
        raise DTypeError(op, "an integer as axis", describe(axis)) from None
    if not -x.ndim <= found < x.ndim:
        raise OutOfRangeError(op, f"an axis of {x.ndim}", str(found))
    return found % int(x.ndim)


def count(op: str, name: str, value: Any, least: int = 0) -> int:
    """Return an integer that is at least `least`."""
    try:
        found = int(operator.index(value))
    except TypeError:
        raise DTypeError(op, f"an integer as {name}", describe(value)) from None
    if found < least:
        raise TensorError(op, f"{name} of at least {least}", str(found))
    return found
