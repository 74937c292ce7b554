"""Operations as functions, under torch's names."""

from collections.abc import Sequence
from typing import Any

from . import _rbe
from ._rbe import RBETensor
from .creation import as_tensor, full

where = _rbe.where


def _left(a: Any, b: Any) -> RBETensor:
    """The first operand as a tensor; a number takes the type of the second, as it does beside an operator."""
    if isinstance(b, RBETensor) and b.dtype.is_floating_point and isinstance(a, int | float):
        return full((), a, dtype=b.dtype)
    return as_tensor(a)


def _binary(name: str, doc: str) -> Any:
    def function(a: Any, b: Any) -> RBETensor:
        left = a if isinstance(a, RBETensor) else _left(a, b)
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


pow = _binary("pow", "Return `a ** b`.")
floor_divide = _binary("floor_divide", "Return the floor of `a / b`.")
remainder = _binary("remainder", "Return `a - b floor(a / b)`, of the sign of `b`.")
eq = _binary("eq", "Return whether `a == b`, element by element.")
ne = _binary("ne", "Return whether `a != b`, element by element.")
lt = _binary("lt", "Return whether `a < b`, element by element.")
le = _binary("le", "Return whether `a <= b`, element by element.")
gt = _binary("gt", "Return whether `a > b`, element by element.")
ge = _binary("ge", "Return whether `a >= b`, element by element.")
logical_and = _binary("logical_and", "Return whether both are true, element by element.")
logical_or = _binary("logical_or", "Return whether one or both are true, element by element.")
logical_xor = _binary("logical_xor", "Return whether exactly one is true, element by element.")


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
neg = _unary("neg", "Return `-x`.")
square = _unary("square", "Return `x^2`.")
reciprocal = _unary("reciprocal", "Return `1 / x`.")
rsqrt = _unary("rsqrt", "Return `1 / sqrt(x)`.")
expm1 = _unary("expm1", "Return `e^x - 1`, accurate near 0.")
log1p = _unary("log1p", "Return `ln(1 + x)`, accurate near 0.")
floor = _unary("floor", "Return the largest integer not above `x`.")
ceil = _unary("ceil", "Return the smallest integer not below `x`.")
round = _unary("round", "Return the nearest integer, the even one of two.")
sign = _unary("sign", "Return -1, 0 or 1.")
logical_not = _unary("logical_not", "Return whether each element is 0.")
std = _unary("std", "Return the standard deviation over an axis or all.")
prod = _unary("prod", "Return the product of all elements.")
max = _unary("max", "Return the largest of all, or the largest along `dim` and their indices, or the larger of two tensors.")
min = _unary("min", "Return the smallest of all, or the smallest along `dim` and their indices, or the smaller of two tensors.")
amax = _unary("amax", "Return the largest values over an axis or all.")
amin = _unary("amin", "Return the smallest values over an axis or all.")
any = _unary("any", "Return whether any element is true, over an axis or all.")
all = _unary("all", "Return whether all elements are true, over an axis or all.")
isinf = _unary("isinf", "Return whether each element is infinite.")
reshape = _unary("reshape", "Return the elements in another shape.")
flatten = _unary("flatten", "Return the axes from `start_dim` to `end_dim` joined into one.")
permute = _unary("permute", "Return the axes in another order.")
transpose = _unary("transpose", "Return the tensor with two axes exchanged.")
squeeze = _unary("squeeze", "Return the tensor without its axes of length 1, or without one of them.")
unsqueeze = _unary("unsqueeze", "Return the tensor with a new axis of length 1.")
broadcast_to = _unary("broadcast_to", "Return a view repeated to a shape.")
narrow = _unary("narrow", "Return a part along an axis: a view.")
split = _unary("split", "Return consecutive parts along an axis: views.")
chunk = _unary("chunk", "Return at most so many parts of equal length along an axis: views.")
unbind = _unary("unbind", "Return the slices along an axis: views without it.")
gather = _unary("gather", "Return the elements along an axis that an index of the same rank names.")
index_select = _unary("index_select", "Return the slices along an axis that an index names.")
masked_fill = _unary("masked_fill", "Return the tensor with a value where a mask holds.")
clone = _unary("clone", "Return a copy with memory of its own.")
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


def is_tensor(x: object) -> bool:
    """Return whether `x` is a tensor."""
    return isinstance(x, RBETensor)


def numel(x: RBETensor) -> int:
    """Return the number of elements."""
    return x.numel()


def allclose(a: RBETensor, b: RBETensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Return whether `|a - b| <= atol + rtol |b|` everywhere."""
    return bool(((a - b).abs() <= b.abs() * rtol + atol).all())
