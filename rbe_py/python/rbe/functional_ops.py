"""Operations that are functions of their own, under torch's names; those of the methods are in `_functions.py`."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from . import _rbe
from ._tensor import RBETensor
from .creation import full
from .errors import TensorError


def left(a: Any, b: Any) -> RBETensor:
    """Return the first operand as a tensor; a number takes the type of a tensor of floats beside it, as with operators."""
    if isinstance(a, int | float | np.generic):
        return full((), a, dtype=b.dtype if isinstance(b, RBETensor) and b.dtype.is_floating_point else None)
    return _rbe._as_tensor(a)


@overload
def where(condition: Any, input: Any, other: Any) -> RBETensor: ...
@overload
def where(condition: Any) -> tuple[RBETensor, ...]: ...
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Return the elements of `input` where a condition holds, of `other` elsewhere.

    Without both return the places where it holds, a tensor for each axis.

    Raises
    ------
    TensorError
        For one of the two alone.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([-1.0, 2.0])
    >>> rbe.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if input is None and other is None:
        return _rbe._as_tensor(condition).nonzero(as_tuple=True)
    if input is None or other is None:
        raise TensorError("where", "two tensors or numbers to choose from, or none", "one")
    return _rbe.where(condition, input, other)


def cat(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors one after another along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.cat([rbe.tensor([1]), rbe.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    return _rbe.concat(list(tensors), dim)


concat = cat


def stack(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors of one shape along a new axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.stack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return _rbe.stack(list(tensors), dim)
