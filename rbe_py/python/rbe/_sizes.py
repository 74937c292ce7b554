"""Sizes of tensors to be made, checked before there is memory for them."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _rbe, dtypes
from ._arguments import integer
from .errors import OutOfMemoryError, ShapeError, TensorError

Shape = int | Sequence[int]


class _AnyTuple(type):
    """Makes every tuple an instance."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, tuple)


class Size(tuple[int, ...], metaclass=_AnyTuple):
    """A shape, under torch's name: shapes of tensors are tuples, and every tuple is an instance.

    Examples
    --------
    >>> import rbe
    >>> rbe.Size([2, 3]) == rbe.ones(2, 3).shape, isinstance(rbe.ones(2, 3).shape, rbe.Size), rbe.Size([2, 3]).numel()
    (True, True, 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)


def check_memory(op: str, shape: Sequence[int], dtype: dtypes.dtype) -> None:
    """Raise where a tensor would have more bytes than there are addresses. What the system refuses, the core reports.

    Raises
    ------
    OutOfMemoryError
    """
    if math.prod(shape) * dtype.itemsize > sys.maxsize or any(n > sys.maxsize for n in shape):
        got = f"{dtype.name} {list(shape)}: more bytes than there are addresses"
        raise OutOfMemoryError(op, "results and scratch that fit in memory", got)


def sizes(op: str, size: tuple[Any, ...], dtype: dtypes.dtype, keyword: Any = None) -> list[int]:
    """Return the lengths that `size`, given as numbers or as a sequence, or a keyword stands for, checked."""
    if keyword is not None:
        if size:
            raise TensorError(op, "lengths by position or as size", "both")
        size = (keyword,)
    if len(size) == 1 and isinstance(size[0], Sequence | np.ndarray) and not isinstance(size[0], str):
        size = tuple(size[0])
    lengths = [integer(op, "a length", n) for n in size]
    if any(n < 0 for n in lengths):
        raise ShapeError(op, "lengths of at least 0", str(tuple(lengths)))
    check_memory(op, lengths, dtype)
    return lengths


_MANY = 1 << 10
_PART = 1 << 8  # floats that the objects of a part take at least


def check_parts(op: str, parts: int, elements: int) -> None:
    """Raise where the system has no memory for so many parts of a layer, which are made one by one, of `elements` floats each.

    Raises
    ------
    OutOfMemoryError
    """
    if parts > _MANY:
        _rbe.full(sizes(op, (parts, elements + _PART), dtypes.float32), 0, dtypes.float32, op)  # given back at once
