"""Tensors of random numbers."""

from collections.abc import Sequence
from typing import Any

from . import _rbe, dtypes
from ._rbe import RBETensor
from .creation import Shape, default_float, finish, sizes
from .device import check_device
from .dtypes import DTypeLike
from .errors import DTypeError


def rand(*size: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return uniform numbers in [0, 1).

    Examples
    --------
    >>> import rbe
    >>> x = rbe.rand(100)
    >>> bool((x >= 0).all() and (x < 1).all())
    True
    """
    check_device("rand", device)
    chosen = default_float(dtype)
    return finish(_rbe.rand(sizes("rand", size, chosen), chosen), requires_grad)


def randn(*size: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return standard normal numbers.

    Examples
    --------
    >>> import rbe
    >>> rbe.randn(2, 3).shape
    (2, 3)
    """
    check_device("randn", device)
    chosen = default_float(dtype)
    return finish(_rbe.randn(sizes("randn", size, chosen), chosen), requires_grad)


def randint(
    low: int, high: int | Shape | None = None, size: Shape | None = None, *, dtype: DTypeLike = None, device: object = None
) -> RBETensor:
    """Return whole numbers: `randint(low, high, size)` in [low, high), `randint(high, size)` in [0, high); int64 by default.

    Examples
    --------
    >>> import rbe
    >>> bool((rbe.randint(0, 6, (100,)) < 6).all())
    True
    """
    check_device("randint", device)
    if size is None and isinstance(high, Sequence):
        high, size = None, high
    if high is None:
        low, high = 0, low
    if not isinstance(high, int):
        raise DTypeError("randint", "integers as bounds", type(high).__name__)
    t = _rbe.randint(low, high, sizes("randint", (() if size is None else size,), dtypes.int64))
    return t if dtype is None else t.to(dtype)


def rand_like(t: RBETensor, *, device: object = None) -> RBETensor:
    """Return uniform numbers in [0, 1) of the shape and dtype of `t`.

    Examples
    --------
    >>> import rbe
    >>> rbe.rand_like(rbe.zeros(2, 3)).shape
    (2, 3)
    """
    check_device("rand_like", device)
    return _rbe.rand(list(t.shape), t.dtype)


def randn_like(t: RBETensor, *, device: object = None) -> RBETensor:
    """Return standard normal numbers of the shape and dtype of `t`.

    Examples
    --------
    >>> import rbe
    >>> rbe.randn_like(rbe.zeros(2, 3)).shape
    (2, 3)
    """
    check_device("randn_like", device)
    return _rbe.randn(list(t.shape), t.dtype)
