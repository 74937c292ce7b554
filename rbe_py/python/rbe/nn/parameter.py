"""Tensors that modules train, and the two kinds of weight that a layer asks for: dense and packed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _rbe, creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Parameter"]


class Parameter(RBETensor):
    """A tensor that a module lists among its parameters when assigned to one of its attributes.

    Parameters
    ----------
    data : tensor or array-like
        Dense or packed; memory is shared with a tensor.
    requires_grad : bool

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Parameter(rbe.zeros(2)).requires_grad
    True
    """

    def __new__(cls, data: Any, requires_grad: bool = True) -> "Self":
        """Return a leaf of the same memory."""
        return super().__new__(cls, data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


def dense(
    shape: tuple[int, ...], fill: Callable[[RBETensor], object], dtype: DTypeLike = None, level: float | None = None
) -> Parameter:
    """Return a dense parameter.

    Parameters
    ----------
    shape : tuple of int
    fill : callable
        Writes the initial values into the parameter.
    dtype : dtype, optional
        float32 or float64; the default dtype unless given.
    level : float, optional
        Of packed weights only.
    """
    parameter = Parameter(creation.empty(*shape, dtype=dtype))
    fill(parameter)
    return parameter


def packed(
    shape: tuple[int, ...], fill: Callable[[RBETensor], object], dtype: DTypeLike = None, level: float | None = None
) -> Parameter:
    """Return a packed parameter of 2 bits a weight, initially random bits with levels ±`level`.

    Parameters
    ----------
    shape : tuple of int
        (out, in) or (out, …).
    fill, dtype
        Of dense weights only.
    level : float, optional
        1 / sqrt(in) by default.
    """
    return Parameter(_rbe._random_packed(list(shape), level))


def cycles(
    shape: tuple[int, ...], fill: Callable[[RBETensor], object], dtype: DTypeLike = None, level: float | None = None
) -> Parameter:
    """Return the packed parameter (out · ceil(in / 64), 11) of cycle states that generate a weight (out, in).

    Parameters
    ----------
    shape : tuple of int
        (out, in)
    fill, dtype, level
        Of other weights only.
    """
    rows, cols = shape
    return Parameter(_rbe._random_cycles(rows, cols))
