"""Limits of element types, and the types that several promote to."""

import math
from typing import Any

from . import _rbe
from ._arguments import describe
from ._default_dtype import get_default_dtype
from ._tensor import RBETensor
from .dtypes import DTypeLike, as_dtype, bool, dtype, int64
from .errors import DTypeError

_FLOATS = {"float16": (11, 16), "bfloat16": (8, 128), "float32": (24, 128), "float64": (53, 1024)}  # digits, largest exponent


class finfo:
    """The limits of a type of floats.

    Parameters
    ----------
    type : dtype, optional
        The default dtype if none is given.

    Attributes
    ----------
    bits : int
        Bits of an element.
    eps : float
        The distance from 1 to the next larger number.
    max, min : float
        The largest number, and its negative.
    tiny, smallest_normal : float
        The smallest positive number of full precision.
    resolution : float
        The decimal digit up to which numbers are precise, as a power of ten.
    dtype : str
        Name of the type.

    Raises
    ------
    DTypeError
        For a type that is not of floats.

    Examples
    --------
    >>> import rbe
    >>> rbe.finfo(rbe.float16).max, rbe.finfo(rbe.bfloat16).eps
    (65504.0, 0.0078125)
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: DTypeLike = None) -> None:
        chosen = get_default_dtype() if type is None else as_dtype(type)
        if not chosen.is_floating_point:
            raise DTypeError("finfo", "a dtype of floats (use iinfo)", chosen.name)
        digits, exponent = _FLOATS[chosen.name]
        self.bits = 8 * chosen.itemsize
        self.dtype = chosen.name
        self.eps = 2.0 ** (1 - digits)
        self.max = (2.0 - self.eps) * 2.0 ** (exponent - 1)
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (2 - exponent)
        self.resolution = 10.0 ** -math.floor((digits - 1) * math.log10(2))

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in names)}, dtype={self.dtype})"


class iinfo:
    """The limits of a type of integers.

    Parameters
    ----------
    type : dtype

    Attributes
    ----------
    bits : int
        Bits of an element.
    max, min : int
        The largest and the smallest number.
    dtype : str
        Name of the type.

    Raises
    ------
    DTypeError
        For a type that is not of integers.

    Examples
    --------
    >>> import rbe
    >>> rbe.iinfo(rbe.int32).max, rbe.iinfo(rbe.uint8).min
    (2147483647, 0)
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: DTypeLike) -> None:
        chosen = as_dtype(type)
        if chosen.is_floating_point or chosen is bool:
            raise DTypeError("iinfo", "a dtype of integers", chosen.name)
        self.bits = 8 * chosen.itemsize
        self.dtype = chosen.name
        self.min, self.max = chosen.bounds

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def promote_types(type1: DTypeLike, type2: DTypeLike) -> dtype:
    """Return the type to which operands of two types are converted before arithmetic.

    Examples
    --------
    >>> import rbe
    >>> rbe.promote_types(rbe.int64, rbe.float16), rbe.promote_types(rbe.float16, rbe.bfloat16)
    (rbe.float16, rbe.float32)
    """
    chosen: dtype = _rbe._promote_types(as_dtype(type1), as_dtype(type2))
    return chosen


def _kind(chosen: dtype) -> int:
    return 2 if chosen.is_floating_point else 0 if chosen is bool else 1


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """Return the type of the arithmetic of two operands.

    A tensor without axes does not widen one that has axes, nor a number of Python any tensor, if both are of one kind: bools,
    integers or floats.

    Parameters
    ----------
    tensor1, tensor2 : tensor or number

    Raises
    ------
    DTypeError
        For other operands.

    Examples
    --------
    >>> import rbe
    >>> rbe.result_type(rbe.ones(2, dtype=rbe.float16), 1.5), rbe.result_type(rbe.tensor([1, 2]), 1.5)
    (rbe.float16, rbe.float32)
    """
    ranked: list[tuple[int, dtype]] = []
    for operand in (tensor1, tensor2):
        if isinstance(operand, RBETensor):
            ranked.append((2 if operand.ndim else 1, operand.dtype))
        elif isinstance(operand, int | float):
            found = bool if operand is True or operand is False else int64 if isinstance(operand, int) else get_default_dtype()
            ranked.append((0, found))
        else:
            raise DTypeError("result_type", "tensors and numbers", describe(operand))
    (rank1, type1), (rank2, type2) = ranked
    if rank1 == rank2:
        return promote_types(type1, type2)
    strong, weak = (type1, type2) if rank1 > rank2 else (type2, type1)
    return weak if _kind(weak) > _kind(strong) else strong
