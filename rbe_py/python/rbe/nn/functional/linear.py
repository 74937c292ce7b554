"""Linear maps, embeddings and one-hot encoding as functions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _rbe
from ..._arguments import describe
from ..._tensor import RBETensor
from ...autograd import no_grad
from ...creation import as_tensor, ones_like, zeros
from ...dtypes import int64
from ...errors import DTypeError, OutOfRangeError, ShapeError, TensorError

__all__ = ["cycle_linear", "embedding", "linear", "one_hot", "packed_linear"]


def words(op: str, hi: Any) -> RBETensor:
    """Return uint64 state bits as the int64 tensor of the same words."""
    if isinstance(hi, RBETensor):
        return hi
    array = np.ascontiguousarray(hi)
    if array.dtype.kind not in "iu":
        raise DTypeError(op, "hi of uint64", array.dtype.name)
    return as_tensor(array.astype(np.uint64, copy=False).view(np.int64).copy())


def linear(input: RBETensor, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor:
    """Return `x Wᵀ + bias` for x (…, in) and a dense or packed weight (out, in): (…, out), or (…) for a weight (in).

    All may be int64.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.linear(rbe.ones(1, 2), rbe.tensor([[1.0, 2.0]]), rbe.tensor([0.5]))
    tensor([[3.5]])
    """
    integers = weight.dtype is int64 and input.dtype is int64
    if weight.ndim == 1 or (integers and weight.ndim == 2):
        product = input.matmul(weight.t() if weight.ndim == 2 else weight)
        return product if bias is None else product + bias
    return input.linear(weight, bias)


def split_linear(inputs: Sequence[RBETensor], weight: RBETensor, bias: RBETensor | None = None) -> list[RBETensor]:
    """Return the product of each input with its own share of the rows of a dense or packed weight.

    Parameters
    ----------
    inputs : sequence of n tensors (…, in)
    weight : tensor (n · out, in)
    bias : tensor (n · out), optional

    Returns
    -------
    list of n tensors (…, out)
    """
    n, rows = len(inputs), weight.shape[0] // len(inputs)
    if weight.is_packed:  # rows of a packed weight cannot be taken apart: each different input goes through all of it
        products = {id(x): linear(x, weight, bias).split(rows, -1) for x in inputs}
        return [products[id(x)][i] for i, x in enumerate(inputs)]
    biases: Sequence[RBETensor | None] = [None] * n if bias is None else bias.split(rows, 0)
    return [linear(x, w, b) for x, w, b in zip(inputs, weight.split(rows, 0), biases, strict=True)]


def packed_linear(x: RBETensor, hi: Any, z: RBETensor, scale: float, bias: RBETensor | None = None) -> RBETensor:
    """Return `x Wᵀ + bias` for weights of two levels a block, `W[n, 64j + k] = (scale · log_0(z[n, j]))[bit k of hi[n, j]]`.

    An ordinary differentiable operation of x, z and bias, in float32 or float64.

    Parameters
    ----------
    x : tensor (…, in)
    hi : uint64 array (out, blocks)
        State bits; blocks = ceil(in / 64), unused bits 0.
    z : tensor (out, blocks, 2)
        Points with |z| <= 1 - 1e-3.
    scale : float
    bias : tensor (out), optional

    Returns
    -------
    tensor (…, out)

    Examples
    --------
    >>> import rbe
    >>> import math, numpy as np
    >>> hi, z = np.array([[1]], dtype=np.uint64), rbe.tensor([[[0.0, math.tanh(0.5)]]])
    >>> rbe.nn.functional.packed_linear(rbe.ones(1, 64), hi, z, 1.0)    # one weight of 1, 63 of 0
    tensor([[1.]])
    """
    return _rbe.two_level_linear(x, words("packed_linear", hi), z, scale, bias)


def cycle_linear(x: RBETensor, hi: Any, z: RBETensor, scale: float, bias: RBETensor | None = None) -> RBETensor:
    """Return `x Wᵀ + bias` for weights of which a block generates 64 from a cycle state and a point.

    `W[n, 64j + k] = scale · d · g(ω u + θ)` at the position `u = (2k - 63) / 63`, with d, θ, g and ω as in `rbe_activation`.
    An ordinary differentiable operation of x, z and bias, in float32 or float64.

    Parameters
    ----------
    x : tensor (…, in)
    hi : uint64 array (out · blocks)
        Cycle states of the families circular, tanh and log, row by row; blocks = ceil(in / 64).
    z : tensor (out · blocks, 2)
        Points with 1e-3 <= |z| <= 1 - 1e-3.
    scale : float
        Finite and positive.
    bias : tensor (out), optional

    Returns
    -------
    tensor (…, out)

    Raises
    ------
    ShapeError, TensorError
        For lengths that do not fit, an invalid state, point or scale.

    Examples
    --------
    >>> import rbe
    >>> import math, numpy as np
    >>> hi, z = np.array([1 << 6], dtype=np.uint64), rbe.tensor([[math.tanh(0.5), 0.0]])    # cos(u / 16)
    >>> rbe.nn.functional.cycle_linear(rbe.ones(1, 64), hi, z, 1.0)    # the sum of 64 weights near 1
    tensor([[63.957]])
    """
    return _rbe.cycle_linear_of(x, words("cycle_linear", hi), z, scale, bias)


def padding_row(op: str, padding_idx: int | None, rows: int) -> int | None:
    """Return the row of a table that receives no gradient, a negative one counted from the end."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise OutOfRangeError(op, f"padding_idx from {-rows} to {rows - 1}", str(padding_idx))
    return padding_idx % rows


def embedding(
    input: RBETensor,
    weight: RBETensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> RBETensor:
    """Return the rows `input` (int64, any shape) of `weight` (rows, width): (…, width).

    Parameters
    ----------
    padding_idx : int, optional
        Row that receives no gradient; a negative one counts from the end.
    max_norm : float, optional
        Rows that are looked up and have a larger p-norm, of p = `norm_type`, are scaled down to it in place first.
    scale_grad_by_freq : bool
        Whether to divide the gradient of each row by the number of times it is looked up.
    sparse : bool
        False: gradients are dense.

    Raises
    ------
    ShapeError, DTypeError
        For a weight without two axes, or indices that are not int64.
    OutOfRangeError
        For a row that is not there.
    TensorError
        For `sparse`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.embedding(rbe.tensor([1, 0]), rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    op = "embedding"
    if weight.ndim != 2:
        raise ShapeError(op, "a weight (rows, width)", str(tuple(weight.shape)))
    if sparse:
        raise TensorError(op, "sparse=False (gradients are dense)", "sparse=True")
    row = padding_row(op, padding_idx, weight.shape[0])
    if max_norm is None and not scale_grad_by_freq:
        return weight.embedding(input, row)
    if weight.is_packed:
        raise DTypeError(op, "a dense weight with max_norm or scale_grad_by_freq", describe(weight))
    with no_grad():
        found = weight.embedding(input)  # checks the indices
        if max_norm is not None:
            norms = found.norm(norm_type, -1, True)
            weight[input] = _rbe.where(norms > max_norm, found * (max_norm / (norms + 1e-7)), found)
        if scale_grad_by_freq:
            counts = zeros(weight.shape[0], dtype="int64").scatter_add(0, input.reshape(-1), ones_like(input.reshape(-1)))
            share = counts[input].to(weight.dtype).reciprocal().unsqueeze(-1)
    out = weight.embedding(input, row)
    if not scale_grad_by_freq:
        return out
    scaled = out * share
    return (scaled - scaled.detach()) + out.detach()  # the values of one, the gradient of the other


def one_hot(input: RBETensor, num_classes: int = -1) -> RBETensor:
    """Return int64 (…, num_classes) with 1 at the class of each element; -1 takes the largest class plus one.

    Raises
    ------
    DTypeError
        For elements that are not int64.
    OutOfRangeError
        For a class below 0, or not below `num_classes`.
    TensorError
        For no elements and no number of classes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.one_hot(rbe.tensor([2, 0]), 3).tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    if input.dtype is not int64:
        raise DTypeError("one_hot", "int64 classes", str(input.dtype))
    flat = input.reshape(-1).numpy()
    if not flat.size and num_classes < 1:
        raise TensorError("one_hot", "a number of classes for no elements", str(num_classes))
    n = int(flat.max()) + 1 if num_classes == -1 else num_classes
    if flat.size and not (flat.min() >= 0 and flat.max() < n):
        raise OutOfRangeError("one_hot", f"classes from 0 to {n - 1}", f"{flat.min()} to {flat.max()}")
    out = zeros(flat.size, n, dtype="int64")
    out.numpy()[np.arange(flat.size), flat] = 1
    return out.reshape(*input.shape, n)
