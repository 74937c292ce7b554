"""Tensors put together, and brought to common shapes."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _rbe
from ._tensor import RBETensor
from .errors import DTypeError, ShapeError, TensorError, UnknownNameError


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


def dstack(tensors: Sequence[RBETensor]) -> RBETensor:
    """Return tensors one after another along the third axis, those with fewer axes as `atleast_3d` makes them.

    Examples
    --------
    >>> import rbe
    >>> rbe.dstack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return _rbe.concat([_at_least(x, 3) for x in _tensors("dstack", (tensors,))], 2)


def column_stack(tensors: Sequence[RBETensor]) -> RBETensor:
    """Return tensors one after another along the second axis, vectors as columns.

    Examples
    --------
    >>> import rbe
    >>> rbe.column_stack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[1, 3], [2, 4]]
    """
    return _rbe.concat([x.reshape(-1, 1) if x.ndim < 2 else x for x in _tensors("column_stack", (tensors,))], 1)


def row_stack(tensors: Sequence[RBETensor]) -> RBETensor:
    """Return `vstack(tensors)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.row_stack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return vstack(tensors)


def concatenate(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return `cat(tensors, dim)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.concatenate([rbe.tensor([1]), rbe.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    return _rbe.concat(_tensors("concatenate", (tensors,)), dim)


def _at_least(x: RBETensor, axes: int) -> RBETensor:
    """Return a tensor with at least so many axes: new ones before it, and the third behind a matrix."""
    if x.ndim == 0:
        return x.reshape([1] * axes)
    if x.ndim == 1 and axes > 1:
        x = x.unsqueeze(0)
    return x.unsqueeze(2) if x.ndim == 2 and axes == 3 else x


def _each_at_least(op: str, axes: int, tensors: Any) -> Any:
    found = tuple(_at_least(x, axes) for x in _tensors(op, tensors))
    return found[0] if len(tensors) == 1 and isinstance(tensors[0], RBETensor) else found


def atleast_1d(*tensors: Any) -> Any:
    """Return a tensor with at least one axis, or a tuple of them for several.

    Examples
    --------
    >>> import rbe
    >>> rbe.atleast_1d(rbe.tensor(3))
    tensor([3])
    """
    return _each_at_least("atleast_1d", 1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Return a tensor with at least two axes, or a tuple of them for several: a vector becomes a row.

    Examples
    --------
    >>> import rbe
    >>> rbe.atleast_2d(rbe.tensor([3, 4])).tolist()
    [[3, 4]]
    """
    return _each_at_least("atleast_2d", 2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Return a tensor with at least three axes, or a tuple of them for several: new ones stand around a vector.

    Examples
    --------
    >>> import rbe
    >>> rbe.atleast_3d(rbe.tensor([3, 4])).tolist()
    [[[3], [4]]]
    """
    return _each_at_least("atleast_3d", 3, tensors)


def block_diag(*tensors: Any) -> RBETensor:
    """Return matrices along the diagonal of a larger one, 0 elsewhere; vectors and numbers count as matrices of one row.

    Raises
    ------
    DTypeError
    ShapeError
        For a tensor of more than two axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.block_diag(rbe.tensor([[1, 2]]), rbe.tensor(3)).tolist()
    [[1, 2, 0], [0, 0, 3]]
    """
    found = [_at_least(x, 2) for x in _tensors("block_diag", tensors)]
    if any(x.ndim != 2 for x in found):
        raise ShapeError("block_diag", "tensors of at most two axes", str([tuple(x.shape) for x in found]))
    width, before, rows = sum(x.shape[1] for x in found), 0, []
    for x in found:
        n, m = x.shape
        left, right = (_rbe.full([n, k], 0, x.dtype, "block_diag") for k in (before, width - before - m))
        rows.append(_rbe.concat([left, x, right], 1))
        before += m
    return _rbe.concat(rows, 0)


def cartesian_prod(*tensors: Any) -> RBETensor:
    """Return all choices of one element of each vector, as rows; of a single vector itself.

    Raises
    ------
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.cartesian_prod(rbe.tensor([1, 2]), rbe.tensor([3, 4])).tolist()
    [[1, 3], [1, 4], [2, 3], [2, 4]]
    """
    found = _tensors("cartesian_prod", tensors)
    if not found or any(x.ndim != 1 for x in found):
        raise ShapeError("cartesian_prod", "at least one vector", str([tuple(x.shape) for x in found]))
    if len(found) == 1:
        return found[0]
    grids = [grid.reshape(-1) for grid in meshgrid(*found, indexing="ij")]
    return _rbe.concat([grid.unsqueeze(1) for grid in grids], 1)


def combinations(input: RBETensor, r: int = 2, with_replacement: bool = False) -> RBETensor:
    """Return all choices of `r` elements of a vector, in its order, as rows.

    Parameters
    ----------
    input : tensor (n)
    r : int
        At least 0.
    with_replacement : bool
        Whether an element may be chosen more than once.

    Raises
    ------
    ShapeError, TensorError

    Examples
    --------
    >>> import rbe
    >>> rbe.combinations(rbe.tensor([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    if input.ndim != 1:
        raise ShapeError("combinations", "a vector", str(tuple(input.shape)))
    if r < 0:
        raise TensorError("combinations", "at least 0 elements", str(r))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    if r == 0:
        return input[:0]
    return input.index_select(0, _rbe._as_tensor(places.reshape(-1))).reshape(places.shape)
