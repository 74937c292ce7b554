"""Operations as functions, under torch's names."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _rbe
from ._rbe import RBETensor
from .creation import as_tensor, full

where = _rbe.where


def _left(a: Any, b: Any) -> RBETensor:
    """The first operand as a tensor; a number takes the type of the second, as it does beside an operator."""
    if isinstance(a, int | float | np.generic):
        return full((), a, dtype=b.dtype if isinstance(b, RBETensor) and b.dtype.is_floating_point else None)
    return as_tensor(a)


def _documented(doc: str, code: str, result: str) -> str:
    """A docstring with an example."""
    return f"{doc}\n\nExamples\n--------\n>>> import rbe\n>>> {code}\n{result}\n"


def _named(function: Any, name: str, doc: str, code: str, result: str) -> Any:
    """The function under its name, with its documentation."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = _documented(doc, code, result)
    return function


def _binary(name: str, doc: str, code: str, result: str) -> Any:
    def function(input: Any, other: Any, **kwargs: Any) -> RBETensor:
        left = input if isinstance(input, RBETensor) else _left(input, other)
        result: RBETensor = getattr(left, name)(other, **kwargs)
        return result

    return _named(function, name, doc, code, result)


add = _binary("add", "Return `a + alpha * b`, `alpha` being 1.", "rbe.add(rbe.tensor([1.0, 2.0]), 3)", "tensor([4., 5.])")
sub = _binary("sub", "Return `a - alpha * b`, `alpha` being 1.", "rbe.sub(rbe.tensor([1.0, 2.0]), 3)", "tensor([-2., -1.])")
mul = _binary("mul", "Return `a * b`.", "rbe.mul(rbe.tensor([1.0, 2.0]), 3)", "tensor([3., 6.])")
div = _binary(
    "div",
    'Return `a / b`, rounded down with `rounding_mode="floor"`, towards 0 with `"trunc"`.',
    "rbe.div(rbe.tensor([1.0, 2.0]), 4)",
    "tensor([0.25, 0.5 ])",
)
matmul = _binary(
    "matmul", "Return the matrix product of `a` and `b`.", "rbe.matmul(rbe.eye(2), rbe.tensor([3.0, 4.0]))", "tensor([3., 4.])"
)
maximum = _binary(
    "maximum",
    "Return the larger of `a` and `b`, element by element.",
    "rbe.maximum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))",
    "tensor([3, 5])",
)
minimum = _binary(
    "minimum",
    "Return the smaller of `a` and `b`, element by element.",
    "rbe.minimum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))",
    "tensor([1, 4])",
)


def pow(input: Any, exponent: Any) -> RBETensor:
    """Return `input ** exponent`; integers stay integers.

    Examples
    --------
    >>> import rbe
    >>> rbe.pow(rbe.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return (input if isinstance(input, RBETensor) else _left(input, exponent)).pow(exponent)


fmod = _binary(
    "fmod", "Return `a - b trunc(a / b)`, of the sign of `a`.", "rbe.fmod(rbe.tensor([7, -7]), 3)", "tensor([ 1, -1])"
)
copysign = _binary(
    "copysign",
    "Return the magnitude of `a` with the sign of `b`.",
    "rbe.copysign(rbe.tensor([1.0, 2.0]), -0.0)",
    "tensor([-1., -2.])",
)
floor_divide = _binary(
    "floor_divide", "Return the floor of `a / b`.", "rbe.floor_divide(rbe.tensor([7, -7]), 2)", "tensor([ 3, -4])"
)
remainder = _binary(
    "remainder", "Return `a - b floor(a / b)`, of the sign of `b`.", "rbe.remainder(rbe.tensor([7, -7]), 3)", "tensor([1, 2])"
)
eq = _binary(
    "eq", "Return whether `a == b`, element by element.", "rbe.eq(rbe.tensor([1, 2, 3]), 2)", "tensor([False,  True, False])"
)
ne = _binary(
    "ne", "Return whether `a != b`, element by element.", "rbe.ne(rbe.tensor([1, 2, 3]), 2)", "tensor([ True, False,  True])"
)
lt = _binary(
    "lt", "Return whether `a < b`, element by element.", "rbe.lt(rbe.tensor([1, 2, 3]), 2)", "tensor([ True, False, False])"
)
le = _binary(
    "le", "Return whether `a <= b`, element by element.", "rbe.le(rbe.tensor([1, 2, 3]), 2)", "tensor([ True,  True, False])"
)
gt = _binary(
    "gt", "Return whether `a > b`, element by element.", "rbe.gt(rbe.tensor([1, 2, 3]), 2)", "tensor([False, False,  True])"
)
ge = _binary(
    "ge", "Return whether `a >= b`, element by element.", "rbe.ge(rbe.tensor([1, 2, 3]), 2)", "tensor([False,  True,  True])"
)
logical_and = _binary(
    "logical_and",
    "Return whether both are true, element by element.",
    "rbe.logical_and(rbe.tensor([True, True]), rbe.tensor([True, False]))",
    "tensor([ True, False])",
)
logical_or = _binary(
    "logical_or",
    "Return whether one or both are true, element by element.",
    "rbe.logical_or(rbe.tensor([True, True]), rbe.tensor([True, False]))",
    "tensor([ True,  True])",
)
logical_xor = _binary(
    "logical_xor",
    "Return whether exactly one is true, element by element.",
    "rbe.logical_xor(rbe.tensor([True, True]), rbe.tensor([True, False]))",
    "tensor([False,  True])",
)


def _unary(name: str, doc: str, code: str, result: str) -> Any:
    def function(input: Any, *args: Any, **kwargs: Any) -> RBETensor:
        result: RBETensor = getattr(as_tensor(input), name)(*args, **kwargs)
        return result

    return _named(function, name, doc, code, result)


exp = _unary("exp", "Return `e^x`.", "rbe.exp(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 2.7183])")
log = _unary("log", "Return the natural logarithm.", "rbe.log(rbe.tensor([1.0, 10.0]))", "tensor([0.    , 2.3026])")
sqrt = _unary("sqrt", "Return the square root.", "rbe.sqrt(rbe.tensor([4.0, 9.0]))", "tensor([2., 3.])")
abs = _unary("abs", "Return the absolute value.", "rbe.abs(rbe.tensor([-1.5, 0.5]))", "tensor([1.5, 0.5])")
sin = _unary("sin", "Return the sine of `x` radians.", "rbe.sin(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.8415])")
cos = _unary("cos", "Return the cosine of `x` radians.", "rbe.cos(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 0.5403])")
tanh = _unary("tanh", "Return the hyperbolic tangent.", "rbe.tanh(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.7616])")
sigmoid = _unary("sigmoid", "Return `1 / (1 + e^-x)`.", "rbe.sigmoid(rbe.tensor([0.0, 1.0]))", "tensor([0.5   , 0.7311])")
relu = _unary("relu", "Return `max(x, 0)`.", "rbe.relu(rbe.tensor([-1.5, 0.5]))", "tensor([0. , 0.5])")
clamp = _unary(
    "clamp", "Return `x` held between `min` and `max`.", "rbe.clamp(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)", "tensor([-1.,  0.])"
)
clip = _unary("clip", "Return `clamp(x, min, max)`.", "rbe.clip(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)", "tensor([-1.,  0.])")
mm = _unary("mm", "Return the product of two matrices.", "rbe.mm(rbe.eye(2), rbe.ones(2, 1)).tolist()", "[[1.0], [1.0]]")
bmm = _unary(
    "bmm", "Return the products of two batches of matrices.", "rbe.bmm(rbe.ones(3, 1, 2), rbe.ones(3, 2, 1)).shape", "(3, 1, 1)"
)
dot = _unary(
    "dot",
    "Return the sum of the products of two vectors' elements.",
    "rbe.dot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))",
    "tensor(11.)",
)
trace = _unary("trace", "Return the sum of a matrix's diagonal.", "rbe.trace(rbe.eye(3))", "tensor(3.)")
sum = _unary(
    "sum", "Return the sum over an axis or all.", "rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)", "tensor([4., 6.])"
)
mean = _unary(
    "mean", "Return the mean over an axis or all.", "rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)", "tensor([2., 3.])"
)
var = _unary(
    "var",
    "Return the variance over an axis or all.",
    "rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)",
    "tensor([2., 2.])",
)
logsumexp = _unary(
    "logsumexp", "Return `ln Σ e^x` over an axis or all.", "rbe.logsumexp(rbe.zeros(2, 4), dim=1)", "tensor([1.3863, 1.3863])"
)
softmax = _unary(
    "softmax",
    "Return `e^x / Σ e^x` along an axis.",
    "rbe.softmax(rbe.tensor([0.0, 0.0, 0.0, 0.0]))",
    "tensor([0.25, 0.25, 0.25, 0.25])",
)
log_softmax = _unary(
    "log_softmax",
    "Return `x - ln Σ e^x` along an axis.",
    "rbe.log_softmax(rbe.tensor([0.0, 0.0]))",
    "tensor([-0.6931, -0.6931])",
)
argmax = _unary("argmax", "Return where the largest elements are.", "rbe.argmax(rbe.tensor([1, 5, 3]))", "tensor(1)")
argmin = _unary("argmin", "Return where the smallest elements are.", "rbe.argmin(rbe.tensor([1, 5, 3]))", "tensor(0)")
neg = _unary("neg", "Return `-x`.", "rbe.neg(rbe.tensor([-1.5, 0.5]))", "tensor([ 1.5, -0.5])")
square = _unary("square", "Return `x^2`.", "rbe.square(rbe.tensor([-1.5, 0.5]))", "tensor([2.25, 0.25])")
reciprocal = _unary("reciprocal", "Return `1 / x`.", "rbe.reciprocal(rbe.tensor([2.0, 4.0]))", "tensor([0.5 , 0.25])")
rsqrt = _unary("rsqrt", "Return `1 / sqrt(x)`.", "rbe.rsqrt(rbe.tensor([4.0, 16.0]))", "tensor([0.5 , 0.25])")
expm1 = _unary("expm1", "Return `e^x - 1`, accurate near 0.", "rbe.expm1(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 1.7183])")
log2 = _unary("log2", "Return the logarithm to base 2.", "rbe.log2(rbe.tensor([1.0, 8.0]))", "tensor([0., 3.])")
log10 = _unary("log10", "Return the logarithm to base 10.", "rbe.log10(rbe.tensor([1.0, 1000.0]))", "tensor([0., 3.])")
log1p = _unary("log1p", "Return `ln(1 + x)`, accurate near 0.", "rbe.log1p(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.6931])")
floor = _unary("floor", "Return the largest integer not above `x`.", "rbe.floor(rbe.tensor([-1.5, 0.5]))", "tensor([-2.,  0.])")
ceil = _unary("ceil", "Return the smallest integer not below `x`.", "rbe.ceil(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  1.])")
round = _unary(
    "round",
    "Return the nearest integer, the even one of two.",
    "rbe.round(rbe.tensor([0.5, 1.5, 2.4]))",
    "tensor([0., 2., 2.])",
)
trunc = _unary("trunc", "Return the integer part of `x`.", "rbe.trunc(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  0.])")
sign = _unary("sign", "Return -1, 0 or 1.", "rbe.sign(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  1.])")
logical_not = _unary(
    "logical_not", "Return whether each element is 0.", "rbe.logical_not(rbe.tensor([0, 3]))", "tensor([ True, False])"
)
std = _unary(
    "std",
    "Return the standard deviation over an axis or all.",
    "rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)",
    "tensor([1.4142, 1.4142])",
)
prod = _unary(
    "prod", "Return the product over an axis or all.", "rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))", "tensor(24.)"
)
cumsum = _unary(
    "cumsum",
    "Return the sums up to and including each element along an axis.",
    "rbe.cumsum(rbe.tensor([1, 2, 3]), 0)",
    "tensor([1, 3, 6])",
)
norm = _unary(
    "norm",
    "Return the p-norm (default the Euclidean length) over an axis or all.",
    "rbe.norm(rbe.tensor([3.0, 4.0]))",
    "tensor(5.)",
)
sort = _unary(
    "sort",
    "Return the elements in order along an axis, and where they were.",
    "rbe.sort(rbe.tensor([3, 1, 2])).values",
    "tensor([1, 2, 3])",
)
argsort = _unary(
    "argsort",
    "Return where the elements in order along an axis are.",
    "rbe.argsort(rbe.tensor([3, 1, 2]))",
    "tensor([1, 2, 0])",
)
topk = _unary(
    "topk",
    "Return the k largest elements along an axis, and where they are.",
    "rbe.topk(rbe.tensor([3, 1, 2]), 2).values",
    "tensor([3, 2])",
)
flip = _unary(
    "flip", "Return the elements in reverse along axes: a view.", "rbe.flip(rbe.tensor([1, 2, 3]), 0)", "tensor([3, 2, 1])"
)
tril = _unary(
    "tril",
    "Return the elements on and below a diagonal of the last two axes, 0 elsewhere.",
    "rbe.tril(rbe.ones(2, 2))",
    "tensor([[1., 0.],\n        [1., 1.]])",
)
triu = _unary(
    "triu",
    "Return the elements on and above a diagonal of the last two axes, 0 elsewhere.",
    "rbe.triu(rbe.ones(2, 2))",
    "tensor([[1., 1.],\n        [0., 1.]])",
)
nonzero = _unary(
    "nonzero", "Return where the elements are not 0.", "rbe.nonzero(rbe.tensor([0, 5, 7]))", "tensor([[1],\n        [2]])"
)
scatter_add = _unary(
    "scatter_add",
    "Return the tensor with elements of another added at the places that an index names.",
    "rbe.scatter_add(rbe.zeros(3), 0, rbe.tensor([2, 2]), rbe.ones(2))",
    "tensor([0., 0., 2.])",
)
take_along_dim = _unary(
    "take_along_dim",
    "Return the elements along an axis that an index names; other axes broadcast.",
    "rbe.take_along_dim(rbe.tensor([5, 6, 7]), rbe.tensor([2, 0]))",
    "tensor([7, 5])",
)
max = _unary(
    "max",
    "Return the largest of all, or the largest along `dim` and their indices, or the larger of two tensors.",
    "rbe.max(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))",
    "tensor(4.)",
)
min = _unary(
    "min",
    "Return the smallest of all, or the smallest along `dim` and their indices, or the smaller of two tensors.",
    "rbe.min(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))",
    "tensor(1.)",
)
amax = _unary(
    "amax",
    "Return the largest values over an axis or all.",
    "rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)",
    "tensor([2., 4.])",
)
amin = _unary(
    "amin",
    "Return the smallest values over an axis or all.",
    "rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)",
    "tensor([1., 3.])",
)
any = _unary(
    "any", "Return whether any element is true, over an axis or all.", "rbe.any(rbe.tensor([False, True]))", "tensor(True)"
)
all = _unary(
    "all", "Return whether all elements are true, over an axis or all.", "rbe.all(rbe.tensor([False, True]))", "tensor(False)"
)
isinf = _unary(
    "isinf", "Return whether each element is infinite.", 'rbe.isinf(rbe.tensor([1.0, float("inf")]))', "tensor([False,  True])"
)
reshape = _unary(
    "reshape", "Return the elements in another shape.", "rbe.reshape(rbe.arange(4), 2, 2)", "tensor([[0, 1],\n        [2, 3]])"
)
flatten = _unary(
    "flatten",
    "Return the axes from `start_dim` to `end_dim` joined into one.",
    "rbe.flatten(rbe.arange(6).reshape(2, 3))",
    "tensor([0, 1, 2, 3, 4, 5])",
)
permute = _unary(
    "permute", "Return the axes in another order.", "rbe.permute(rbe.arange(6).reshape(2, 3), 1, 0).shape", "(3, 2)"
)
transpose = _unary(
    "transpose",
    "Return the tensor with two axes exchanged.",
    "rbe.transpose(rbe.arange(6).reshape(2, 3), 0, 1).shape",
    "(3, 2)",
)
squeeze = _unary(
    "squeeze",
    "Return the tensor without its axes of length 1, or without one of them.",
    "rbe.squeeze(rbe.zeros(1, 3)).shape",
    "(3,)",
)
unsqueeze = _unary(
    "unsqueeze", "Return the tensor with a new axis of length 1.", "rbe.unsqueeze(rbe.zeros(3), 0).shape", "(1, 3)"
)
broadcast_to = _unary(
    "broadcast_to",
    "Return a view repeated to a shape.",
    "rbe.broadcast_to(rbe.tensor([1, 2]), (2, 2)).tolist()",
    "[[1, 2], [1, 2]]",
)
narrow = _unary("narrow", "Return a part along an axis: a view.", "rbe.narrow(rbe.arange(5), 0, 1, 3)", "tensor([1, 2, 3])")
split = _unary(
    "split",
    "Return consecutive parts along an axis: views.",
    "rbe.split(rbe.arange(5), 2)",
    "[tensor([0, 1]), tensor([2, 3]), tensor([4])]",
)
chunk = _unary(
    "chunk",
    "Return at most so many parts of equal length along an axis: views.",
    "rbe.chunk(rbe.arange(4), 2)",
    "[tensor([0, 1]), tensor([2, 3])]",
)
unbind = _unary(
    "unbind",
    "Return the slices along an axis: views without it.",
    "rbe.unbind(rbe.arange(6).reshape(2, 3))",
    "(tensor([0, 1, 2]), tensor([3, 4, 5]))",
)
gather = _unary(
    "gather",
    "Return the elements along an axis that an index of the same rank names.",
    "rbe.gather(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([[2], [0]])).tolist()",
    "[[2], [3]]",
)
index_select = _unary(
    "index_select",
    "Return the slices along an axis that an index names.",
    "rbe.index_select(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([2, 0])).tolist()",
    "[[2, 0], [5, 3]]",
)
masked_fill = _unary(
    "masked_fill",
    "Return the tensor with a value where a mask holds.",
    "rbe.masked_fill(rbe.tensor([-1.5, 0.5]), rbe.tensor([True, False]), 0.0)",
    "tensor([0. , 0.5])",
)
clone = _unary("clone", "Return a copy with memory of its own.", "rbe.clone(rbe.tensor([1, 2]))", "tensor([1, 2])")
isfinite = _unary(
    "isfinite",
    "Return whether each element is neither NaN nor infinite.",
    'rbe.isfinite(rbe.tensor([1.0, float("nan")]))',
    "tensor([ True, False])",
)
isnan = _unary(
    "isnan", "Return whether each element is NaN.", 'rbe.isnan(rbe.tensor([1.0, float("nan")]))', "tensor([False,  True])"
)


def cat(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors one after another along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.cat([rbe.tensor([1]), rbe.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    return _rbe.concat(list(tensors), dim)


concat = cat


def stack(tensors: Sequence[RBETensor], dim: int = 0) -> RBETensor:
    """Return tensors of one shape along a new axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.stack([rbe.tensor([1, 2]), rbe.tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return _rbe.stack(list(tensors), dim)
