"""Questions about tensors, under torch's names."""

from ._tensor import RBETensor


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


def real(x: RBETensor) -> RBETensor:
    """Return the tensor itself, as elements are real.

    Examples
    --------
    >>> import rbe
    >>> rbe.real(rbe.ones(1))
    tensor([1.])
    """
    return x.conj()
