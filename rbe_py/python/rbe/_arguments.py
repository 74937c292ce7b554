"""Checks of arguments, and conversion of numbers of any kind to Python numbers, which can be compared and saved."""

import math
import operator
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._rbe import TensorBase
from .errors import DTypeError, NonFiniteError, TensorError


def describe(value: Any) -> str:
    """Return type and, if it is short, value for an error message."""
    if isinstance(value, TensorBase):
        return f"a {'packed' if value.is_packed else value.dtype} tensor {tuple(value.shape)}"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of very many digits, a list that holds itself
        text = ""
    return f"{type(value).__name__} {text}" if 0 < len(text) <= 60 else type(value).__name__


def check(op: str, holds: bool, expected: str, got: object) -> None:
    """Raise TensorError unless `holds`."""
    if not holds:
        raise TensorError(op, expected, got if isinstance(got, str) else describe(got))


def real(op: str, name: str, value: Any, *, finite: bool = True) -> float:
    """Return a number, finite unless said otherwise: a Python or NumPy one, or a tensor or array of one element.

    Raises
    ------
    DTypeError
        For anything else; bools are no numbers.
    NonFiniteError
        For NaN and infinity, if the number is to be finite, and for an integer that no float holds.
    """
    if type(value) is float and math.isfinite(value):
        return value
    found = value
    if isinstance(value, np.ndarray):
        found = value.item() if value.size == 1 else value
    elif isinstance(value, TensorBase) and not value.is_packed and value.numel() == 1:
        found = value.item()
    if isinstance(found, bool | np.bool_) or not isinstance(found, Integral | Real):
        raise DTypeError(op, f"a number as {name}", describe(value))
    try:
        as_float = float(found)
    except OverflowError:
        as_float, finite = math.inf, True
    if finite and not math.isfinite(as_float):
        raise NonFiniteError(op, f"a finite {name}", describe(value))
    return as_float


def pair(op: str, name: str, value: Any) -> tuple[float, float]:
    """Return the two finite numbers of a tuple, list, array or tensor.

    Raises
    ------
    DTypeError
        For anything but two numbers.
    NonFiniteError
        As `real`.
    """
    several = isinstance(value, tuple | list) or (isinstance(value, np.ndarray | TensorBase) and len(value.shape) == 1)
    listed = list(value) if several else []
    if len(listed) != 2:
        raise DTypeError(op, f"two numbers as {name}", describe(value))
    return real(op, f"{name}[0]", listed[0]), real(op, f"{name}[1]", listed[1])


def flag(op: str, name: str, value: Any) -> bool:
    """Return a truth value: a bool, 0 or 1.

    Raises
    ------
    DTypeError
        For anything else, whatever truth Python sees in it.
    """
    if isinstance(value, bool | np.bool_ | Integral) and value in (0, 1):
        return bool(value)
    raise DTypeError(op, f"True or False as {name}", describe(value))


def count(op: str, name: str, value: Any, least: float) -> float:
    """Return a number of at least `least`: an int where it has no fraction.

    Raises
    ------
    DTypeError, NonFiniteError
        As `real`.
    TensorError
        For a smaller number.
    """
    found = real(op, name, value)
    check(op, found >= least, f"{name} >= {least}", value)
    return int(found) if found.is_integer() else found


def whole(op: str, name: str, value: Any, least: int) -> int:
    """Return an integer of at least `least`; 10.0 is one.

    Raises
    ------
    DTypeError, NonFiniteError, TensorError
        As `count`, and for a number with a fraction.
    """
    found = count(op, name, value, least)
    if not isinstance(found, int):
        raise TensorError(op, f"an integer {name}", describe(value))
    return found


def integer(op: str, name: str, value: Any) -> int:
    """Return an argument that is an integer of any kind (Python's, NumPy's, a tensor of one), but no bool.

    Raises
    ------
    DTypeError
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return operator.index(value)
    except (TypeError, ValueError):
        raise DTypeError(op, f"an integer as {name}", f"{type(value).__name__} {value!r}") from None


def number(op: str, value: Any) -> bool | int | float:
    """Return the number of Python that a number of any kind stands for.

    Raises
    ------
    DTypeError
    """
    if isinstance(value, np.generic) or (isinstance(value, TensorBase | np.ndarray) and value.ndim == 0):
        value = value.item()
    if not isinstance(value, int | float):
        raise DTypeError(op, "a number", f"{type(value).__name__} {value!r}")
    return value
