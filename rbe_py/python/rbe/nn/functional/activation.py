"""Activations as functions, with torch's signatures."""

from collections.abc import Callable
from typing import Any

from ... import _rbe
from ..._in_place import changed as _changed
from ..._tensor import RBETensor
from ...dtypes import DTypeLike
from ...errors import TensorError
from .linear import words


def rbe_activation(x: RBETensor, hi: Any, z: RBETensor) -> RBETensor:
    """Return `d · g(ω x + θ)` with `d = 2 artanh|z|`, `θ = arg z`, and `g`, `ω` from the 11-bit cycle state in hi.

    An ordinary differentiable operation of x and z, in float32 or float64.

    Parameters
    ----------
    x : tensor (…, features)
    hi : uint64 array (features) or (1)
        Cycle states: family in bits 10:8, phase in 7:6, frequency in 5:0.
    z : tensor (features or 1, 2)
        Points with 1e-3 <= |z| <= 1 - 1e-3.

    Examples
    --------
    >>> import rbe
    >>> import math, numpy as np
    >>> tanh = np.array([2 << 8 | 32], dtype=np.uint64)
    >>> z = rbe.tensor([[math.tanh(0.5), 0.0]])
    >>> rbe.nn.functional.rbe_activation(rbe.tensor([[0.0, 1.0]]), tanh, z)
    tensor([[0.    , 0.7616]])
    """
    return _rbe.rbe_activation(x, words("rbe_activation", hi), z)


_READ_NO_INPUT = frozenset({"relu", "sigmoid", "tanh", "dropout"})  # gradients of the others read the input again


def _applied(name: str, input: RBETensor, inplace: bool, compute: Callable[[RBETensor], RBETensor]) -> RBETensor:
    """Return `compute(x)`, in the memory of x if `inplace`."""
    return _changed(input, f"{name}_", compute, keep=name not in _READ_NO_INPUT) if inplace else compute(input)


def relu(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `max(x, 0)`; the gradient at 0 is 0. With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.relu(rbe.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _applied("relu", input, inplace, lambda x: x.relu())


def leaky_relu(input: RBETensor, negative_slope: float = 0.01, inplace: bool = False) -> RBETensor:
    """Return x above 0 and `negative_slope · x` below. With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.leaky_relu(rbe.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    return _applied("leaky_relu", input, inplace, lambda x: x.leaky_relu(negative_slope))


def elu(input: RBETensor, alpha: float = 1.0, inplace: bool = False) -> RBETensor:
    """Return x above 0 and `alpha (e^x - 1)` below. With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.elu(rbe.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    return _applied("elu", input, inplace, lambda x: x.elu(alpha))


def gelu(input: RBETensor, approximate: str = "none") -> RBETensor:
    """Return `x Φ(x)`, exactly or ("tanh") by the tanh approximation.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.gelu(rbe.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    return input.gelu(approximate)


def silu(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `x · sigmoid(x)`. With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.silu(rbe.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return _applied("silu", input, inplace, lambda x: x.silu())


def tanh(input: RBETensor) -> RBETensor:
    """Return the hyperbolic tangent.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.tanh(rbe.tensor([-1.0, 2.0]))
    tensor([-0.7616,  0.964 ])
    """
    return input.tanh()


def sigmoid(input: RBETensor) -> RBETensor:
    """Return `1 / (1 + e^-x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.sigmoid(rbe.tensor([-1.0, 2.0]))
    tensor([0.2689, 0.8808])
    """
    return input.sigmoid()


def softplus(input: RBETensor, beta: float = 1.0, threshold: float = 20.0) -> RBETensor:
    """Return `ln(1 + e^(βx)) / β`, and x itself where βx > threshold.

    Raises
    ------
    TensorError
        For a threshold above 20, where e^(βx) would not stay exact, or beta <= 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.softplus(rbe.tensor([-1.0, 2.0]))
    tensor([0.3133, 2.1269])
    """
    if not beta > 0 or not threshold <= 20:
        raise TensorError("softplus", "beta > 0 and threshold <= 20", f"{beta} and {threshold}")
    smooth = input.softplus(beta)
    return smooth if threshold == 20 else _rbe.where(input * beta > threshold, input, smooth)


def softmax(input: RBETensor, dim: int = -1, *, dtype: DTypeLike | None = None) -> RBETensor:
    """Return `e^x / Σ e^x` along an axis, of x converted to `dtype` if one is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.softmax(rbe.zeros(4), dim=0)
    tensor([0.25, 0.25, 0.25, 0.25])
    """
    return (input if dtype is None else input.to(dtype)).softmax(dim)


def log_softmax(input: RBETensor, dim: int = -1, *, dtype: DTypeLike | None = None) -> RBETensor:
    """Return `x - ln Σ e^x` along an axis, of x converted to `dtype` if one is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.log_softmax(rbe.zeros(2), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return (input if dtype is None else input.to(dtype)).log_softmax(dim)
