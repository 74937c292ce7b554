"""Questions about tensors, under torch's names."""

from ._tensor import RBETensor
from .creation import as_tensor


def equal(a: RBETensor, b: RBETensor) -> bool:
    """Return whether two tensors have the same shape and elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.equal(rbe.ones(2), rbe.ones(2))
    True
    """
    return a.shape == b.shape and bool((a == b).all())


def is_tensor(x: object) -> bool:
    """Return whether `x` is a tensor.

    Examples
    --------
    >>> import rbe
    >>> rbe.is_tensor([1.0])
    False
    """
    return isinstance(x, RBETensor)


def numel(x: RBETensor) -> int:
    """Return the number of elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.numel(rbe.zeros(2, 3))
    6
    """
    return x.numel()


def isclose(input: RBETensor, other: RBETensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> RBETensor:
    """Return whether `|input - other| <= atol + rtol |other|`, element by element; equal infinities are close.

    Examples
    --------
    >>> import rbe
    >>> rbe.isclose(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    return as_tensor(input).isclose(other, rtol, atol, equal_nan)


def allclose(input: RBETensor, other: RBETensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether `|input - other| <= atol + rtol |other|` everywhere; equal infinities are close.

    Examples
    --------
    >>> import rbe
    >>> rbe.allclose(rbe.ones(2), rbe.ones(2) + 1e-7)
    True
    """
    return as_tensor(input).allclose(other, rtol, atol, equal_nan)
