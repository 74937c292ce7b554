"""Largest elements of even parts of the spatial axes as functions, with torch's signatures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _interchange
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .conv import batched

__all__ = ["adaptive_max_pool1d", "adaptive_max_pool2d"]


def _along(x: RBETensor, axis: int, parts: int) -> tuple[RBETensor, RBETensor]:
    """Return the largest element of each part of an axis, and its position along the axis."""
    n = x.shape[axis]
    first, last = np.arange(parts) * n // parts, -(-(np.arange(parts) + 1) * n // parts)
    places = np.minimum(first[:, None] + np.arange(int((last - first).max())), last[:, None] - 1)
    taken = x.index_select(axis, _interchange.from_numpy(places.reshape(-1)))
    split = taken.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    values, which = split.max(axis + 1)
    starts = _interchange.from_numpy(first.astype(np.int64)).reshape(-1, *[1] * (x.ndim - axis - 1))
    return values, which + starts


def adaptive_max_pool(axes: int, input: RBETensor, output_size: int | Sequence[int | None] | None, return_indices: bool) -> Any:
    """Compute `adaptive_max_pool1d` or `adaptive_max_pool2d`, for one or two spatial axes."""
    op = f"adaptive_max_pool{axes}d"
    batched(op, input, axes)
    given = [output_size] * axes if output_size is None or isinstance(output_size, int) else list(output_size)
    if len(given) != axes:
        raise ShapeError(op, f"output_size of {axes} numbers", str(output_size))
    parts = [have if n is None else n for n, have in zip(given, input.shape[-axes:], strict=True)]
    if min(parts) < 1 or min(input.shape[-axes:]) < 1:
        raise TensorError(op, "at least one part of axes with elements", f"{parts} of {list(input.shape[-axes:])}")
    values, columns = _along(input, input.ndim - 1, parts[-1])
    if axes == 2:
        values, rows = _along(values, input.ndim - 2, parts[0])
        columns = rows * input.shape[-1] + columns.gather(-2, rows)
    return (values, columns) if return_indices else values


def adaptive_max_pool1d(input: RBETensor, output_size: int | Sequence[int], return_indices: bool = False) -> Any:
    """Return the largest elements of `output_size` even parts of x (N, C, L) or (C, L): (…, C, output_size).

    Parameters and errors are those of `adaptive_max_pool2d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.adaptive_max_pool1d(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]]), 2).tolist()
    [[[3.0, 7.0]]]
    """
    return adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: RBETensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False) -> Any:
    """Return the largest elements of even parts of each spatial axis; the gradient goes to the first of equal ones.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    output_size : int or (int or None, int or None)
        Number of parts; None leaves an axis as it is. Parts are those of `adaptive_avg_pool2d`.
    return_indices : bool
        Whether to return the positions of the elements in their plane, too.

    Returns
    -------
    tensor (…, C, *output_size), or a pair of it and int64 positions

    Raises
    ------
    ShapeError
        For other axes.
    TensorError
        For an empty axis, or less than one part.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.adaptive_max_pool2d(rbe.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[5.0, 7.0], [13.0, 15.0]]]
    """
    return adaptive_max_pool(2, input, output_size, return_indices)
