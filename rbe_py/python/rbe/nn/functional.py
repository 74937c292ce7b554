"""Layers and losses as functions, with torch's signatures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _rbe
from .._rbe import RBETensor
from ..creation import as_tensor
from ..errors import DTypeError, ShapeError, TensorError

mse_loss = _rbe.mse_loss


def _words(hi: Any) -> RBETensor:
    if isinstance(hi, RBETensor):
        return hi
    words = np.ascontiguousarray(hi)
    if words.dtype.kind not in "iu":
        raise DTypeError("packed_linear", "hi of uint64", words.dtype.name)
    return as_tensor(words.astype(np.uint64, copy=False).view(np.int64).copy())


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
    """
    return _rbe.two_level_linear(x, _words(hi), z, scale, bias)


def rbe_activation(x: RBETensor, hi: Any, z: RBETensor) -> RBETensor:
    """Return `d · g(ω x + θ)` with `d = 2 artanh|z|`, `θ = arg z`, and `g`, `ω` from the 11-bit cycle state in hi.

    Parameters
    ----------
    x : tensor (…, features)
    hi : uint64 array (features) or (1)
        Cycle states: family in bits 10:8, phase in 7:6, frequency in 5:0.
    z : tensor (features or 1, 2)
        Points with 1e-3 <= |z| <= 1 - 1e-3.
    """
    return _rbe.rbe_activation(x, _words(hi), z)


def linear(x: RBETensor, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor:
    """Return `x Wᵀ + bias` for x (…, in) and a dense or packed weight (out, in)."""
    return x.packed_linear(weight, bias) if weight.is_packed else x.linear(weight, bias)


def embedding(index: RBETensor, weight: RBETensor, padding_idx: int | None = None) -> RBETensor:
    """Return the rows `index` (int64, any shape) of `weight` (rows, width): (…, width)."""
    return weight.embedding(index, padding_idx)


def relu(x: RBETensor) -> RBETensor:
    """Return `max(x, 0)`; the gradient at 0 is 0."""
    return x.relu()


def gelu(x: RBETensor, approximate: str = "none") -> RBETensor:
    """Return `x Φ(x)`, exactly or ("tanh") by the tanh approximation."""
    return x.gelu(approximate)


def silu(x: RBETensor) -> RBETensor:
    """Return `x · sigmoid(x)`."""
    return x.silu()


def tanh(x: RBETensor) -> RBETensor:
    """Return the hyperbolic tangent."""
    return x.tanh()


def sigmoid(x: RBETensor) -> RBETensor:
    """Return `1 / (1 + e^-x)`."""
    return x.sigmoid()


def softplus(x: RBETensor, beta: float = 1.0) -> RBETensor:
    """Return `ln(1 + e^(βx)) / β`, linear where βx > 20."""
    return x.softplus(beta)


def leaky_relu(x: RBETensor, negative_slope: float = 0.01) -> RBETensor:
    """Return x above 0 and `negative_slope · x` below."""
    return x.leaky_relu(negative_slope)


def elu(x: RBETensor, alpha: float = 1.0) -> RBETensor:
    """Return x above 0 and `alpha (e^x - 1)` below."""
    return x.elu(alpha)


def softmax(x: RBETensor, dim: int = -1) -> RBETensor:
    """Return `e^x / Σ e^x` along an axis."""
    return x.softmax(dim)


def log_softmax(x: RBETensor, dim: int = -1) -> RBETensor:
    """Return `x - ln Σ e^x` along an axis."""
    return x.log_softmax(dim)


def dropout(x: RBETensor, p: float = 0.5, training: bool = True) -> RBETensor:
    """Return x with elements set to 0 with probability p and the others scaled by 1 / (1 - p), in training."""
    return x.dropout(p, training)


def layer_norm(
    x: RBETensor,
    normalized_shape: int | Sequence[int],
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    eps: float = 1e-5,
) -> RBETensor:
    """Return x normalised over its trailing axes, scaled and shifted."""
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    return _rbe.layer_norm(x, shape, weight, bias, eps)


def batch_norm(
    x: RBETensor,
    running_mean: RBETensor | None,
    running_var: RBETensor | None,
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> RBETensor:
    """Return the channels of x (N, C, …) normalised; in training by the batch's statistics, which the running ones follow."""
    return _rbe.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)


def cross_entropy(
    logits: RBETensor,
    target: RBETensor,
    weight: RBETensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> RBETensor:
    """Return the cross entropy of logits (N, C) or (N, C, …) and class indices, in nats."""
    weights = None if weight is None else [float(w) for w in weight.tolist()]
    return _rbe.cross_entropy(logits, target, weights, ignore_index, reduction, label_smoothing)


def reduce(values: RBETensor, reduction: str) -> RBETensor:
    """Return the mean, the sum, or ("none") the values themselves."""
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise TensorError("reduction", "'mean', 'sum' or 'none'", repr(reduction))


def check_same_shape(op: str, a: RBETensor, b: RBETensor) -> None:
    """Raise ShapeError unless both have one shape."""
    if a.shape != b.shape:
        raise ShapeError(op, f"a target of shape {a.shape}", str(b.shape))
