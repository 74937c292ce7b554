"""Packed tensors from their blocks and from dense ones."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _rbe
from ._rbe import RBETensor
from .creation import as_tensor, tensor
from .errors import DTypeError, ShapeError


def packed(
    hi: ArrayLike, lo: ArrayLike, shape: Sequence[int], scale: float | None = None, requires_grad: bool = False
) -> RBETensor:
    """Return a packed tensor: 64 weights of one row in a block of 16 bytes.

    Parameters
    ----------
    hi : uint64 array (out, blocks)
        State bits; bit k of a block selects the level of its weight k. Bits beyond a row's end are 0.
    lo : float32 array (out, blocks, 2)
        Points of the Poincaré disk with |z| <= 1 - 1e-3; the levels are `scale * log_0(z)`.
    shape : sequence of int
        Logical shape (out, in) or (out, …); blocks = ceil(in / 64).
    scale : float, optional
        Default 1 / sqrt(in).

    Raises
    ------
    DTypeError, ShapeError, TensorError, NonFiniteError
        If the arrays do not fit, a point lies outside or is not finite, or an unused bit is set.
    """
    words, points = np.asarray(hi), np.asarray(lo, dtype=np.float32)
    if words.dtype.kind not in "iu":
        raise DTypeError("packed", "hi of uint64", words.dtype.name)
    if words.ndim != 2 or points.shape != (*words.shape, 2):
        raise ShapeError("packed", "hi (out, blocks) and lo (out, blocks, 2)", f"{words.shape} and {points.shape}")
    try:
        lengths = [operator.index(n) for n in shape]
    except TypeError:
        raise ShapeError("packed", "a shape of integers", repr(shape)) from None
    if any(n < 0 or n >= 2**63 for n in lengths):
        raise ShapeError("packed", "lengths from 1 to 2^63 - 1", repr(shape))
    words = np.ascontiguousarray(words, dtype=np.uint64).view(np.int64)
    return _rbe._packed(tensor(words), tensor(points), lengths, scale, requires_grad)


def encode(dense: Any, scale: float | None = None) -> RBETensor:
    """Return the packed tensor nearest to a dense one: the best two-level split of every block, exact by sorting.

    Parameters
    ----------
    dense : tensor or array (out, …)
        Finite weights.
    scale : float, optional
        Default 1 / sqrt(in), or more where a block's levels would lie beyond the reach of the disk.
    """
    return _rbe._encode(as_tensor(dense).detach(), scale)
