"""Axes of tensors as arguments."""

from ._arguments import integer
from .errors import OutOfRangeError, ShapeError


def axis_of(op: str, axis: int, n: int) -> int:
    """Return the place of an axis of `n`, counted from the end if negative.

    Raises
    ------
    ShapeError, OutOfRangeError
    """
    if n == 0:
        raise ShapeError(op, "a tensor that has axes", "one without")
    axis = integer(op, "an axis", axis)
    if not -n <= axis < n:
        raise OutOfRangeError(op, f"an axis from {-n} to {n - 1}", str(axis))
    return axis % n


def any_axis_of(op: str, axis: int, n: int) -> int:
    """Return the place of an axis as `axis_of`; a tensor without axes counts as one of a single axis."""
    return axis_of(op, axis, max(n, 1))
