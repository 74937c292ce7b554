"""Weights of batches in means over several batches."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments import describe
from .._saved import number
from .._tensor import RBETensor
from ..errors import DTypeError, TensorError
from ..nn.functional.averaging import denominator, knows_denominator
from ..nn.loss import _Loss

Weight = float | None
"""The divisor of a mean; None for a sum."""


def weighed(function: Callable[[Any, Any], Any], outputs: Any, target: Any, samples: float) -> tuple[Any, Weight]:
    """Return the value of a loss or metric, and the divisor of the mean that it is.

    The divisor is the result of the function's `denominator`, which the losses of this package have and user-defined ones may
    have; or the second part of a returned pair; or else the number of samples.

    Raises
    ------
    DTypeError, TensorError
        For a denominator that is no number of 0 or more.
    """
    found = function(outputs, target)
    if isinstance(found, tuple | list):
        if len(found) != 2:
            raise DTypeError(
                "Trainer", "a loss or metric that returns a value, or a pair of it and its denominator", describe(found)
            )
        return found[0], _checked(found[1])
    if knows_denominator(function):
        return found, denominator(function, outputs, target)
    if _tells(function):
        return found, _checked(function.denominator(outputs, target))  # type: ignore[attr-defined]
    return found, float(samples)


def as_number(name: str, value: Any, *, finite: bool = False) -> float:
    """Return a loss or metric as a float: of a number, or a tensor or array of one element.

    Raises
    ------
    DTypeError
        For anything else.
    """
    if isinstance(value, RBETensor | np.ndarray) and math.prod(value.shape) == 1 and not getattr(value, "is_packed", False):
        value = value.item()
    return number("Trainer", name, float(value) if isinstance(value, np.bool_ | bool) else value, finite=finite)


def _checked(weight: Any) -> Weight:
    if weight is None:
        return None
    found = as_number("denominator", weight, finite=True)
    if found < 0:
        raise TensorError("Trainer", "a denominator of 0 or more", str(found))
    return found


def _owner(kind: type, name: str) -> type | None:
    return next((c for c in kind.__mro__ if name in vars(c)), None)


def _tells(function: Any) -> bool:
    """Return whether a loss has a denominator that belongs to its `forward`: not one inherited by a class that overrides it."""
    if not callable(getattr(function, "denominator", None)):
        return False
    kind = type(function)
    teller, computes = _owner(kind, "denominator"), _owner(kind, "forward")
    if teller is _Loss:
        teller = _owner(kind, "_function")
    return teller is None or computes is None or issubclass(teller, computes)
