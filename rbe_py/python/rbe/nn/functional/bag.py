"""Sums, means and maxima of rows of a table."""

from typing import Any

import numpy as np

from ... import _rbe
from ..._tensor import RBETensor
from ...dtypes import int64
from ...errors import DTypeError, ShapeError, TensorError
from .linear import embedding, padding_row

__all__ = ["embedding_bag"]


def embedding_bag(
    input: RBETensor,
    weight: RBETensor,
    offsets: RBETensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: RBETensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> RBETensor:
    """Return the sum, mean or maximum of the rows of `weight` that each bag of indices names: (bags, width).

    Parameters
    ----------
    input : int64 tensor (bags, length), or (indices) with offsets
    weight : tensor (rows, width)
    offsets : int64 tensor (bags), optional
        Where in `input` each bag begins: 0 first, ascending.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `embedding`.
    mode : {"mean", "sum", "max"}
        An empty bag gives 0.
    per_sample_weights : tensor of the shape of `input`, optional
        Factors of the rows, for sums.
    include_last_offset : bool
        Whether the last offset is the end of the last bag.
    padding_idx : int, optional
        Indices of this row do not count.

    Raises
    ------
    ShapeError, DTypeError, TensorError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> table = rbe.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> rbe.nn.functional.embedding_bag(rbe.tensor([0, 1, 1]), table, rbe.tensor([0, 1])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    op = "embedding_bag"
    if mode not in ("mean", "sum", "max"):
        raise TensorError(op, "mode 'mean', 'sum' or 'max'", repr(mode))
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        got = f"mode {mode!r} and {tuple(per_sample_weights.shape)} for {tuple(input.shape)}"
        raise TensorError(op, "mode 'sum' and a factor for every index", got)
    flat, bags, count = _bags(op, input, offsets, include_last_offset)
    factors = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None:
        pad = padding_row(op, padding_idx, weight.shape[0])
        kept = np.flatnonzero(flat._array() != pad)
        places = _rbe._as_tensor(kept)
        flat, bags = flat.index_select(0, places), bags[kept]
        factors = None if factors is None else factors.index_select(0, places)
    rows = embedding(flat, weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    if factors is not None:
        rows = rows * factors.unsqueeze(1)
    into = _rbe.full([count, weight.shape[1]], 0.0, rows.dtype, op)
    index = _rbe._as_tensor(bags)
    if mode == "max":
        wide = index.unsqueeze(1).broadcast_to(rows.shape)
        return into.scatter_reduce(0, wide, rows, "amax", include_self=False)
    total = into.index_add(0, index, rows)
    if mode == "sum":
        return total
    sizes = np.maximum(np.bincount(bags, minlength=count), 1).reshape(-1, 1)
    return total / _rbe._as_tensor(sizes.astype(np.int64)).to(total.dtype)


def _bags(op: str, input: RBETensor, offsets: RBETensor | None, include_last: bool) -> tuple[RBETensor, Any, int]:
    """Return all indices in a row, the bag of each, and the number of bags."""
    if input.dtype is not int64 or (offsets is not None and offsets.dtype is not int64):
        raise DTypeError(op, "int64 indices and offsets", input.dtype.name)
    if input.ndim == 2 and offsets is None:
        count, length = input.shape
        return input.reshape(-1), np.repeat(np.arange(count), length), count
    if input.ndim != 1 or offsets is None or offsets.ndim != 1:
        got = f"{tuple(input.shape)} and {None if offsets is None else tuple(offsets.shape)}"
        raise ShapeError(op, "indices (bags, length), or (indices) with offsets (bags)", got)
    starts = np.asarray(offsets._array())
    ends = np.append(starts[1:], starts[-1:] if include_last else input.shape[0])[: len(starts)]
    if len(starts) and (starts[0] != 0 or (ends < starts).any() or starts[-1] > input.shape[0]):
        raise TensorError(op, f"offsets that ascend from 0 to at most {input.shape[0]}", str(offsets.tolist())[:60])
    if include_last:
        if not len(starts) or starts[-1] != input.shape[0]:
            raise TensorError(op, f"a last offset of {input.shape[0]}", str(offsets.tolist())[:60])
        starts, ends = starts[:-1], starts[1:]
    return input, np.repeat(np.arange(len(starts)), ends - starts), len(starts)
