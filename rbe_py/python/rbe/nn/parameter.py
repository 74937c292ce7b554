"""Tensors that modules train."""

from typing import TYPE_CHECKING, Any

from .._rbe import RBETensor

if TYPE_CHECKING:
    from typing_extensions import Self


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
