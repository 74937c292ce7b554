"""Initial values, in place, with torch's names and formulas."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from .. import _rbe, creation
from .._arguments import describe
from .._tensor import RBETensor
from ..errors import DTypeError, ShapeError, TensorError

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "fans",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def _check(op: str, t: RBETensor) -> RBETensor:
    if t.is_packed:
        raise DTypeError(op, "a dense tensor (packed ones start from RBETensor.encode or random bits)", describe(t))
    return t.detach()


def uniform_(tensor: RBETensor, a: float = 0.0, b: float = 1.0) -> RBETensor:
    """Fill with uniform numbers in [a, b).

    Examples
    --------
    >>> import rbe
    >>> bool((rbe.nn.init.uniform_(rbe.empty(100), -1.0, 0.0) <= 0).all())
    True
    """
    _check("uniform_", tensor).uniform_(a, b)
    return tensor


def normal_(tensor: RBETensor, mean: float = 0.0, std: float = 1.0) -> RBETensor:
    """Fill with normal numbers.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.normal_(rbe.empty(2, 3), std=0.02).shape
    (2, 3)
    """
    _check("normal_", tensor).normal_(mean, std)
    return tensor


def trunc_normal_(tensor: RBETensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> RBETensor:
    """Fill with normal numbers drawn again until within [a, b], through the inverse of the distribution function.

    Examples
    --------
    >>> import rbe
    >>> bool((rbe.nn.init.trunc_normal_(rbe.empty(100)).abs() <= 2).all())
    True
    """
    t = _check("trunc_normal_", tensor)
    lower, upper = (0.5 * (1.0 + math.erf((v - mean) / std / math.sqrt(2.0))) for v in (a, b))
    u = _rbe.rand(list(t.shape), "float64").numpy() * (upper - lower) + lower
    inverse = np.vectorize(NormalDist(mean, std).inv_cdf, otypes=[np.float64])
    values = inverse(np.clip(u, 1e-15, 1 - 1e-15)) if u.size else u
    t.copy_(creation.tensor(np.clip(values, a, b)))
    return tensor


def constant_(tensor: RBETensor, val: float) -> RBETensor:
    """Fill with one value.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.constant_(rbe.empty(2), 5.0)
    tensor([5., 5.])
    """
    _check("constant_", tensor).fill_(val)
    return tensor


def zeros_(tensor: RBETensor) -> RBETensor:
    """Fill with zeros.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.zeros_(rbe.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: RBETensor) -> RBETensor:
    """Fill with ones.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.ones_(rbe.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def eye_(tensor: RBETensor) -> RBETensor:
    """Make a matrix the identity.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.eye_(rbe.empty(2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    t = _check("eye_", tensor)
    if t.ndim != 2:
        raise ShapeError("eye_", "a matrix", str(t.shape))
    t.copy_(creation.eye(*t.shape, dtype=t.dtype))
    return tensor


def fans(tensor: RBETensor) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight (out, in, …).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.fans(rbe.empty(8, 4))
    (4, 8)
    """
    if tensor.ndim < 2:
        raise ShapeError("init", "a weight of two or more axes", str(tensor.shape))
    field = int(np.prod(tensor.shape[2:], dtype=np.int64))
    return tensor.shape[1] * field, tensor.shape[0] * field


_calculate_fan_in_and_fan_out = fans  # torch's name, which programs use though it is private


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the recommended gain of a nonlinearity.

    Examples
    --------
    >>> import rbe
    >>> round(rbe.nn.init.calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity in ("linear", "sigmoid", "conv1d", "conv2d"):
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3.0
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 0.75
    raise TensorError("calculate_gain", "a known nonlinearity", repr(nonlinearity))


def xavier_uniform_(tensor: RBETensor, gain: float = 1.0) -> RBETensor:
    """Fill with uniform numbers of variance gain² · 2 / (fan_in + fan_out) (Glorot, Bengio 2010).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.xavier_uniform_(rbe.empty(8, 4)).shape
    (8, 4)
    """
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: RBETensor, gain: float = 1.0) -> RBETensor:
    """Fill with normal numbers of variance gain² · 2 / (fan_in + fan_out) (Glorot, Bengio 2010).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.xavier_normal_(rbe.empty(8, 4)).shape
    (8, 4)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))))


def _kaiming_std(tensor: RBETensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise TensorError("kaiming", "mode 'fan_in' or 'fan_out'", repr(mode))
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def kaiming_uniform_(tensor: RBETensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> RBETensor:
    """Fill with uniform numbers of variance gain² / fan (He et al. 2015).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.kaiming_uniform_(rbe.empty(8, 4)).shape
    (8, 4)
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: RBETensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> RBETensor:
    """Fill with normal numbers of variance gain² / fan (He et al. 2015).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.init.kaiming_normal_(rbe.empty(8, 4)).shape
    (8, 4)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def orthogonal_(tensor: RBETensor, gain: float = 1.0) -> RBETensor:
    """Fill with a matrix (rows, rest) of orthonormal rows or columns, times gain (Saxe et al. 2013).

    Examples
    --------
    >>> import rbe
    >>> w = rbe.nn.init.orthogonal_(rbe.empty(3, 3))
    >>> rbe.allclose(w @ w.T, rbe.eye(3), atol=1e-5)
    True
    """
    t = _check("orthogonal_", tensor)
    rows, rest = t.shape[0], int(np.prod(t.shape[1:], dtype=np.int64))
    flat: Any = _rbe.randn([max(rows, rest), min(rows, rest)], "float64").numpy()
    q, r = np.linalg.qr(flat)
    q = q * np.sign(np.diag(r))
    t.copy_(creation.tensor(np.ascontiguousarray((q if rows >= rest else q.T).reshape(t.shape)) * gain))
    return tensor
