"""Tensors put together, and brought to common shapes."""

from collections.abc import Sequence
from typing import Any

from . import _rbe
from ._tensor import RBETensor
from .errors import DTypeError, ShapeError, UnknownNameError


def _tensors(op: str, given: Any) -> list[RBETensor]:
    """Return tensors given one by one or as one sequence."""
    found = list(given[0]) if len(given) == 1 and isinstance(given[0], Sequence) else list(given)
    if not all(isinstance(x, RBETensor) for x in found):
        raise DTypeError(op, "tensors", ", ".join(type(x).__name__ for x in found))
    return found


def broadcast_tensors(*tensors: Any) -> tuple[RBETensor, ...]:
    """Return tensors in their common shape: views.

    Raises
    ------
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> [t.shape for t in rbe.broadcast_tensors(rbe.ones(2, 1), rbe.ones(3))]
    [(2, 3), (2, 3)]
    """
    found = _tensors("broadcast_tensors", tensors)
    shape = broadcast_shapes(*(x.shape for x in found))
    return tuple(x.broadcast_to(shape) for x in found)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape that tensors of these shapes have together.

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    listed = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    found = [1] * max(map(len, listed), default=0)
    for shape in listed:
        for i, n in enumerate(shape, len(found) - len(shape)):
            if n != 1 and found[i] not in (1, n):
                raise ShapeError("broadcast_shapes", "shapes that broadcast", str(listed))
            found[i] = n if n != 1 else found[i]
    return tuple(found)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[RBETensor, ...]:
    """Return for each vector the coordinates of a grid: views of the shape of all their lengths.

    Parameters
    ----------
    tensors : vectors
        Given one by one or as one sequence.
    indexing : {"ij", "xy"}
        The first vector runs down, or across.

    Raises
    ------
    DTypeError, ShapeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> a, b = rbe.meshgrid(rbe.tensor([1, 2]), rbe.tensor([3, 4, 5]), indexing="ij")
    >>> a.tolist(), b.tolist()
    ([[1, 1, 1], [2, 2, 2]], [[3, 4, 5], [3, 4, 5]])
    """
    found = _tensors("meshgrid", tensors)
    if indexing not in ("ij", "xy"):
        raise UnknownNameError("meshgrid", "ij or xy", repr(indexing))
    if not found or any(x.ndim > 1 for x in found):
        raise ShapeError("meshgrid", "at least one vector", str([tuple(x.shape) for x in found]))
    swaps = indexing == "xy" and len(found) > 1
    if swaps:
        found[:2] = found[1::-1]
    shape = [x.numel() for x in found]
    grids = [x.reshape([-1 if i == j else 1 for j in range(len(found))]).broadcast_to(shape) for i, x in enumerate(found)]
    if swaps:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def hstack(tensors: Sequence[RBETensor]) -> RBETensor:
    """Return tensors one after another along the second axis; vectors along their only one.

    Examples
    --------
    >>> import rbe
    >>> rbe.hstack([rbe.tensor([1]), rbe.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    found = [x.reshape(1) if x.ndim == 0 else x for x in _tensors("hstack", (tensors,))]
    return _rbe.concat(found, 0 if found and found[0].ndim == 1 else 1)


def vstack(tensors: Sequence[RBETensor]) -> RBETensor:
    """Return tensors one after another along the first axis; vectors as rows.

    Examples
    --------
    >>> import rbe
    >>> rbe.vstack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return _rbe.concat([x.reshape(1, -1) if x.ndim < 2 else x for x in _tensors("vstack", (tensors,))], 0)
