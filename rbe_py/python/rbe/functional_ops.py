"""Operations as functions, under torch's names."""

from collections.abc import Sequence
from typing import Any

from . import _rbe
from ._rbe import RBETensor
from .creation import as_tensor

where = _rbe.where


def _binary(name: str, doc: str) -> Any:
    def function(a: Any, b: Any) -> RBETensor:
        left = a if isinstance(a, RBETensor) else as_tensor(a)
        result: RBETensor = getattr(left, name)(b)
        return result

    function.__name__ = name
    function.__doc__ = doc
    return function


add = _binary("add", "Return `a + b`.")
sub = _binary("sub", "Return `a - b`.")
mul = _binary("mul", "Return `a * b`.")
div = _binary("div", "Return `a / b`.")
matmul = _binary("matmul", "Return the matrix product of `a` and `b`.")
maximum = _binary("maximum", "Return the larger of `a` and `b`, element by element.")
minimum = _binary("minimum", "Return the smaller of `a` and `b`, element by element.")


def _unary(name: str, doc: str) -> Any:
    def function(x: Any, *args: Any, **kwargs: Any) -> RBETensor:
        result: RBETensor = getattr(as_tensor(x), name)(*args, **kwargs)
        return result

    function.__name__ = name
    function.__doc__ = doc
    return function


exp = _unary("exp", "Return `e^x`.")
log = _unary("log", "Return the natural logarithm.")
sqrt = _unary("sqrt", "Return the square root.")
abs = _unary("abs", "Return the absolute value.")
sin = _unary("sin", "Return the sine of `x` radians.")
cos = _unary("cos", "Return the cosine of `x` radians.")
tanh = _unary("tanh", "Return the hyperbolic tangent.")
sigmoid = _unary("sigmoid", "Return `1 / (1 + e^-x)`.")
relu = _unary("relu", "Return `max(x, 0)`.")
clamp = _unary("clamp", "Return `x` held between `min` and `max`.")
sum = _unary("sum", "Return the sum over an axis or all.")
mean = _unary("mean", "Return the mean over an axis or all.")
var = _unary("var", "Return the variance over an axis or all.")
logsumexp = _unary("logsumexp", "Return `ln Σ e^x` over an axis or all.")
softmax = _unary("softmax", "Return `e^x / Σ e^x` along an axis.")
log_softmax = _unary("log_softmax", "Return `x - ln Σ e^x` along an axis.")
argmax = _unary("argmax", "Return where the largest elements are.")
argmin = _unary("argmin", "Return where the smallest elements are.")
isfinite = _unary("isfinite", "Return whether each element is neither NaN nor infinite.")
isnan = _unary("isnan", "Return whether each element is NaN.")


def cat(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors one after another along an axis."""
    return _rbe.concat(list(tensors), dim)


concat = cat


def stack(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors of one shape along a new axis."""
    return _rbe.stack(list(tensors), dim)


def equal(a: RBETensor, b: RBETensor) -> bool:
    """Return whether two tensors have the same shape and elements."""
    return a.shape == b.shape and bool((a == b).all())


def allclose(a: RBETensor, b: RBETensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Return whether `|a - b| <= atol + rtol |b|` everywhere."""
    return bool(((a - b).abs() <= b.abs() * rtol + atol).all())
