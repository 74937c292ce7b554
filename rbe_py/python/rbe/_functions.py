"""Operations as functions, under torch's names. Written by `make generate` from the methods of the tensor class."""

from collections.abc import Sequence
from typing import Any

from . import _rbe, linalg
from ._rbe import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    copysign,
    cos,
    cosh,
    digamma,
    eq,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    floor,
    floor_divide,
    fmod,
    ge,
    gt,
    hypot,
    isfinite,
    isinf,
    isnan,
    le,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    matmul,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    reciprocal,
    relu,
    remainder,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    squared_relu,
    tan,
    tanh,
    trunc,
    xlogy,
)
from ._results import Range, Ranked
from ._tensor import RBETensor
from .dtypes import DTypeLike
from .functional_ops import left

_Axis = int | Sequence[int] | None
_Places = int | Sequence[int]

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addr",
    "all",
    "allclose",
    "amax",
    "amin",
    "aminmax",
    "any",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "baddbmm",
    "bernoulli",
    "bincount",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "bmm",
    "broadcast_to",
    "bucketize",
    "ceil",
    "cholesky_inverse",
    "cholesky_solve",
    "chunk",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "clone",
    "conj",
    "copysign",
    "corrcoef",
    "cos",
    "cosh",
    "count_nonzero",
    "cov",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "deg2rad",
    "det",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "diff",
    "digamma",
    "dist",
    "div",
    "divide",
    "dot",
    "dsplit",
    "eq",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "gather",
    "ge",
    "ger",
    "greater",
    "greater_equal",
    "gt",
    "heaviside",
    "histc",
    "hsplit",
    "hypot",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_select",
    "inner",
    "inverse",
    "is_complex",
    "is_floating_point",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "kron",
    "kthvalue",
    "ldexp",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logdet",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsumexp",
    "lt",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "mm",
    "moveaxis",
    "movedim",
    "msort",
    "mul",
    "multinomial",
    "multiply",
    "mv",
    "nan_to_num",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "narrow",
    "narrow_copy",
    "ne",
    "neg",
    "negative",
    "nonzero",
    "norm",
    "not_equal",
    "outer",
    "permute",
    "pinverse",
    "positive",
    "pow",
    "prod",
    "put",
    "qr",
    "quantile",
    "rad2deg",
    "ravel",
    "reciprocal",
    "relu",
    "remainder",
    "repeat_interleave",
    "reshape",
    "roll",
    "rot90",
    "round",
    "rsqrt",
    "rsub",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "select",
    "select_scatter",
    "sgn",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "slice_scatter",
    "slogdet",
    "softmax",
    "sort",
    "split",
    "split_with_sizes",
    "sqrt",
    "square",
    "squared_relu",
    "squeeze",
    "std",
    "std_mean",
    "sub",
    "subtract",
    "sum",
    "svd",
    "swapaxes",
    "swapdims",
    "take",
    "take_along_dim",
    "tan",
    "tanh",
    "tensor_split",
    "tile",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "unbind",
    "unflatten",
    "unique",
    "unique_consecutive",
    "unsqueeze",
    "var",
    "var_mean",
    "vdot",
    "vsplit",
    "xlogy",
]


def absolute(input: Any) -> RBETensor:
    """Return `abs()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.absolute(rbe.tensor([-1.0]))
    tensor([1.])
    """
    return _rbe._as_tensor(input).absolute()


def add(input: Any, other: Any, *, alpha: Any = None) -> RBETensor:
    """Return `input + alpha * other`, `alpha` being 1 unless given; integers and bools keep their kind.

    Examples
    --------
    >>> import rbe
    >>> rbe.add(rbe.tensor([1.0, 2.0]), 3)
    tensor([4., 5.])
    """
    return left(input, other).add(other, alpha=alpha)


def addbmm(input: Any, batch1: RBETensor, batch2: RBETensor, *, beta: Any = 1, alpha: Any = 1) -> RBETensor:
    """Return `beta * input` plus `alpha` times the sum of the products of two batches (b, n, k) and (b, k, m).

    Examples
    --------
    >>> import rbe
    >>> rbe.addbmm(rbe.ones(1), rbe.ones(3, 1, 2), rbe.ones(3, 2, 1))
    tensor([[7.]])
    """
    return _rbe._as_tensor(input).addbmm(batch1, batch2, beta=beta, alpha=alpha)


def addcdiv(input: Any, tensor1: RBETensor, tensor2: RBETensor, *, value: Any = 1) -> RBETensor:
    """Return `input + value * tensor1 / tensor2`.

    Raises
    ------
    DTypeError
        For a quotient of two tensors of integers: say how to round it with `div`.

    Examples
    --------
    >>> import rbe
    >>> rbe.addcdiv(rbe.ones(2), rbe.tensor([1.0, 2.0]), rbe.tensor([2.0, 4.0]))
    tensor([1.5, 1.5])
    """
    return _rbe._as_tensor(input).addcdiv(tensor1, tensor2, value=value)


def addcmul(input: Any, tensor1: RBETensor, tensor2: RBETensor, *, value: Any = 1) -> RBETensor:
    """Return `input + value * tensor1 * tensor2`.

    Examples
    --------
    >>> import rbe
    >>> rbe.addcmul(rbe.ones(2), rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]), value=10)
    tensor([31., 81.])
    """
    return _rbe._as_tensor(input).addcmul(tensor1, tensor2, value=value)


def addmm(input: Any, mat1: RBETensor, mat2: RBETensor, *, beta: Any = 1, alpha: Any = 1) -> RBETensor:
    """Return `beta * input + alpha * mat1 @ mat2` of matrices (n, k) and (k, m); the tensor broadcasts to (n, m).

    Examples
    --------
    >>> import rbe
    >>> rbe.addmm(rbe.ones(2), rbe.eye(2), rbe.eye(2), beta=2).tolist()
    [[3.0, 2.0], [2.0, 3.0]]
    """
    return _rbe._as_tensor(input).addmm(mat1, mat2, beta=beta, alpha=alpha)


def addmv(input: Any, mat: RBETensor, vec: RBETensor, *, beta: Any = 1, alpha: Any = 1) -> RBETensor:
    """Return `beta * input + alpha * mat @ vec` of a matrix (n, k) and a vector (k); the tensor broadcasts to (n).

    Examples
    --------
    >>> import rbe
    >>> rbe.addmv(rbe.ones(2), rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([4., 5.])
    """
    return _rbe._as_tensor(input).addmv(mat, vec, beta=beta, alpha=alpha)


def addr(input: Any, vec1: RBETensor, vec2: RBETensor, *, beta: Any = 1, alpha: Any = 1) -> RBETensor:
    """Return `beta * input + alpha * outer(vec1, vec2)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.addr(rbe.zeros(1, 2), rbe.tensor([2.0]), rbe.tensor([3.0, 4.0]))
    tensor([[6., 8.]])
    """
    return _rbe._as_tensor(input).addr(vec1, vec2, beta=beta, alpha=alpha)


def all(input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False) -> RBETensor:
    """Return whether all elements are other than 0, over an axis, several or all: bool.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.all(rbe.tensor([False, True]))
    tensor(False)
    """
    return _rbe._as_tensor(input).all(axis, keepdims, dim=dim, keepdim=keepdim)


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are close, as `isclose` has it.

    Examples
    --------
    >>> import rbe
    >>> rbe.allclose(rbe.ones(2), rbe.ones(2) + 1e-7)
    True
    """
    return _rbe._as_tensor(input).allclose(other, rtol, atol, equal_nan)


def amax(input: Any, dim: _Axis = None, keepdim: bool = False, *, axis: _Axis = None, keepdims: bool = False) -> RBETensor:
    """Return the largest elements over an axis, several or all; equal ones share the gradient.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([2., 4.])
    """
    return _rbe._as_tensor(input).amax(dim, keepdim, axis=axis, keepdims=keepdims)


def amin(input: Any, dim: _Axis = None, keepdim: bool = False, *, axis: _Axis = None, keepdims: bool = False) -> RBETensor:
    """Return the smallest elements over an axis, several or all; equal ones share the gradient.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([1., 3.])
    """
    return _rbe._as_tensor(input).amin(dim, keepdim, axis=axis, keepdims=keepdims)


def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Range:
    """Return the smallest and the largest elements, of all or along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.aminmax(rbe.tensor([1, 2]))
    Range(min=tensor(1), max=tensor(2))
    """
    return _rbe._as_tensor(input).aminmax(dim=dim, keepdim=keepdim)


def any(input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False) -> RBETensor:
    """Return whether any element is other than 0, over an axis, several or all: bool.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.any(rbe.tensor([False, True]))
    tensor(True)
    """
    return _rbe._as_tensor(input).any(axis, keepdims, dim=dim, keepdim=keepdim)


def arccos(input: Any) -> RBETensor:
    """Return `acos()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arccos(rbe.tensor([1.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arccos()


def arccosh(input: Any) -> RBETensor:
    """Return `acosh()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arccosh(rbe.tensor([1.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arccosh()


def arcsin(input: Any) -> RBETensor:
    """Return `asin()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arcsin(rbe.tensor([0.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arcsin()


def arcsinh(input: Any) -> RBETensor:
    """Return `asinh()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arcsinh(rbe.tensor([0.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arcsinh()


def arctan(input: Any) -> RBETensor:
    """Return `atan()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arctan(rbe.tensor([0.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arctan()


def arctan2(input: Any, other: Any) -> RBETensor:
    """Return `atan2(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arctan2(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arctan2(other)


def arctanh(input: Any) -> RBETensor:
    """Return `atanh()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.arctanh(rbe.tensor([0.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).arctanh()


def argmax(
    input: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> RBETensor:
    """Return where the largest element along an axis is, the first of equals: int64.

    Parameters
    ----------
    axis, dim : int, optional
        The axis, by either name; without it the place among all elements in row-major order.
    keepdims, keepdim : bool
        Leave the axis in the result with length 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.argmax(rbe.tensor([1, 5, 3]))
    tensor(1)
    """
    return _rbe._as_tensor(input).argmax(axis, keepdims, dim=dim, keepdim=keepdim)


def argmin(
    input: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> RBETensor:
    """Return where the smallest element along an axis is, the first of equals: int64.

    Parameters
    ----------
    axis, dim : int, optional
        The axis, by either name; without it the place among all elements in row-major order.
    keepdims, keepdim : bool
        Leave the axis in the result with length 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.argmin(rbe.tensor([1, 5, 3]))
    tensor(0)
    """
    return _rbe._as_tensor(input).argmin(axis, keepdims, dim=dim, keepdim=keepdim)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> RBETensor:
    """Return where the elements in order along an axis are, equal ones in their order: int64.

    Examples
    --------
    >>> import rbe
    >>> rbe.argsort(rbe.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    return _rbe._as_tensor(input).argsort(dim, descending, stable)


def argwhere(input: Any) -> RBETensor:
    """Return where the elements are not 0: int64 (count, axes) in row-major order.

    Examples
    --------
    >>> import rbe
    >>> rbe.argwhere(rbe.tensor([0, 5, 7])).tolist()
    [[1], [2]]
    """
    return _rbe._as_tensor(input).argwhere()


def baddbmm(input: Any, batch1: RBETensor, batch2: RBETensor, *, beta: Any = 1, alpha: Any = 1) -> RBETensor:
    """Return `beta * input + alpha * batch1 @ batch2` of batches (b, n, k) and (b, k, m); the tensor broadcasts.

    Examples
    --------
    >>> import rbe
    >>> rbe.baddbmm(rbe.ones(1), rbe.ones(3, 1, 2), rbe.ones(3, 2, 1), alpha=10).reshape(-1)
    tensor([21., 21., 21.])
    """
    return _rbe._as_tensor(input).baddbmm(batch1, batch2, beta=beta, alpha=alpha)


def bernoulli(input: Any, p: float | None = None, *, generator: Any = None) -> RBETensor:
    """Return 1 with the probability that each element is, or `p`, else 0.

    Raises
    ------
    DTypeError, OutOfRangeError
        For probabilities that are no floats, or not from 0 to 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.bernoulli(rbe.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    return _rbe._as_tensor(input).bernoulli(p, generator=generator)


def bincount(input: Any, weights: "RBETensor | None" = None, minlength: int = 0) -> RBETensor:
    """Return how often each integer from 0 on occurs, or the sums of weights.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For what is no vector of integers of at least 0, or weights of another length.

    Examples
    --------
    >>> import rbe
    >>> rbe.bincount(rbe.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    """
    return _rbe._as_tensor(input).bincount(weights, minlength)


def bitwise_and(input: Any, other: Any) -> RBETensor:
    """Return `input & other` of integers or masks.

    Examples
    --------
    >>> import rbe
    >>> rbe.bitwise_and(rbe.tensor([6]), 3)
    tensor([2])
    """
    return _rbe._as_tensor(input).bitwise_and(other)


def bitwise_not(input: Any) -> RBETensor:
    """Return `~input` of integers or masks.

    Examples
    --------
    >>> import rbe
    >>> rbe.bitwise_not(rbe.tensor([6]))
    tensor([-7])
    """
    return _rbe._as_tensor(input).bitwise_not()


def bitwise_or(input: Any, other: Any) -> RBETensor:
    """Return `input | other` of integers or masks.

    Examples
    --------
    >>> import rbe
    >>> rbe.bitwise_or(rbe.tensor([6]), 3)
    tensor([7])
    """
    return _rbe._as_tensor(input).bitwise_or(other)


def bitwise_xor(input: Any, other: Any) -> RBETensor:
    """Return `input ^ other` of integers or masks.

    Examples
    --------
    >>> import rbe
    >>> rbe.bitwise_xor(rbe.tensor([6]), 3)
    tensor([5])
    """
    return _rbe._as_tensor(input).bitwise_xor(other)


def bmm(input: Any, mat2: RBETensor) -> RBETensor:
    """Return the products of two batches of matrices, (b, n, k) and (b, k, m).

    Examples
    --------
    >>> import rbe
    >>> rbe.bmm(rbe.ones(3, 1, 2), rbe.ones(3, 2, 1)).shape
    (3, 1, 1)
    """
    return _rbe._as_tensor(input).bmm(mat2)


def broadcast_to(input: Any, *shape: Any, size: Sequence[int] | None = None) -> RBETensor:
    """Return a view repeated along axes of length 1 and new leading axes; -1 keeps an axis.

    Raises
    ------
    ShapeError
        For a shape that the tensor does not broadcast to.

    Examples
    --------
    >>> import rbe
    >>> rbe.broadcast_to(rbe.tensor([1, 2]), (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    return _rbe._as_tensor(input).broadcast_to(*shape, size=size)


def bucketize(input: Any, boundaries: RBETensor, *, out_int32: bool = False, right: bool = False) -> RBETensor:
    """Return the interval between boundaries, which are in order, that each element is in: int64.

    Parameters
    ----------
    out_int32 : bool
        False: places are int64.
    right : bool
        Whether a boundary belongs to the interval behind it.

    Raises
    ------
    ShapeError
        For boundaries that are no vector.

    Examples
    --------
    >>> import rbe
    >>> rbe.bucketize(rbe.tensor([0.5, 2.0]), rbe.tensor([1.0, 2.0]))
    tensor([0, 1])
    """
    return _rbe._as_tensor(input).bucketize(boundaries, out_int32=out_int32, right=right)


def cholesky_inverse(input: Any, upper: bool = False) -> RBETensor:
    """Return the inverse of the matrices whose factor, made by `linalg.cholesky`, is the tensor.

    Examples
    --------
    >>> import rbe
    >>> rbe.cholesky_inverse(rbe.tensor([[2.0]])).tolist()
    [[0.25]]
    """
    return _rbe._as_tensor(input).cholesky_inverse(upper)


def cholesky_solve(input: Any, L: RBETensor, upper: bool = False) -> RBETensor:
    """Return the solution X of `A X = B` for right sides (…, n, k), from the factor that `linalg.cholesky` makes of A.

    Examples
    --------
    >>> import rbe
    >>> rbe.cholesky_solve(rbe.tensor([[8.0]]), rbe.tensor([[2.0]])).tolist()
    [[2.0]]
    """
    return _rbe._as_tensor(input).cholesky_solve(L, upper)


def chunk(input: Any, chunks: int, dim: int = 0) -> list[RBETensor]:
    """Return at most `chunks` parts of equal length (the last may be shorter) along an axis: views.

    An empty axis gives as many as asked for.

    Raises
    ------
    ShapeError
        For less than one.
    OutOfMemoryError
        For more than fit in memory.

    Examples
    --------
    >>> import rbe
    >>> rbe.chunk(rbe.arange(4), 2)
    [tensor([0, 1]), tensor([2, 3])]
    """
    return _rbe._as_tensor(input).chunk(chunks, dim)


def clamp(input: Any, min: Any = None, max: Any = None) -> RBETensor:
    """Return the elements held between `min` and `max`, numbers or tensors, either of which may be left out.

    Integers bounded by integers stay integers; where the lower bound is above the upper, the upper one counts.

    Raises
    ------
    TensorError
        Without a bound.

    Examples
    --------
    >>> import rbe
    >>> rbe.clamp(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)
    tensor([-1.,  0.])
    """
    return _rbe._as_tensor(input).clamp(min, max)


def clamp_max(input: Any, max: Any) -> RBETensor:
    """Return the elements, those above `max` replaced by it.

    Examples
    --------
    >>> import rbe
    >>> rbe.clamp_max(rbe.tensor([-1.0, 2.0]), 1)
    tensor([-1.,  1.])
    """
    return _rbe._as_tensor(input).clamp_max(max)


def clamp_min(input: Any, min: Any) -> RBETensor:
    """Return the elements, those below `min` replaced by it.

    Examples
    --------
    >>> import rbe
    >>> rbe.clamp_min(rbe.tensor([-1.0, 2.0]), 0)
    tensor([0., 2.])
    """
    return _rbe._as_tensor(input).clamp_min(min)


def clip(input: Any, min: Any = None, max: Any = None) -> RBETensor:
    """Return `clamp(min, max)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.clip(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)
    tensor([-1.,  0.])
    """
    return _rbe._as_tensor(input).clip(min, max)


def clone(input: Any, *, memory_format: Any = None) -> RBETensor:
    """Return a copy with memory of its own; gradients flow through.

    Examples
    --------
    >>> import rbe
    >>> rbe.clone(rbe.tensor([1, 2]))
    tensor([1, 2])
    """
    return _rbe._as_tensor(input).clone(memory_format=memory_format)


def conj(input: Any) -> RBETensor:
    """Return the tensor itself, as elements are real.

    Examples
    --------
    >>> import rbe
    >>> rbe.conj(rbe.ones(1))
    tensor([1.])
    """
    return _rbe._as_tensor(input).conj()


def corrcoef(input: Any) -> RBETensor:
    """Return the correlations of the rows of a matrix, whose columns are observations.

    Examples
    --------
    >>> import rbe
    >>> rbe.corrcoef(rbe.tensor([[1.0, 2.0], [2.0, 0.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    return _rbe._as_tensor(input).corrcoef()


def count_nonzero(input: Any, dim: _Axis = None) -> RBETensor:
    """Return how many elements are other than 0, over an axis, several or all.

    Examples
    --------
    >>> import rbe
    >>> rbe.count_nonzero(rbe.tensor([0, 5, 7]))
    tensor(2)
    """
    return _rbe._as_tensor(input).count_nonzero(dim)


def cov(
    input: Any, *, correction: int = 1, fweights: "RBETensor | None" = None, aweights: "RBETensor | None" = None
) -> RBETensor:
    """Return the covariances of the rows of a matrix, whose columns are observations.

    Parameters
    ----------
    correction : int
        Taken from the number of observations that sums are divided by.
    fweights, aweights : tensor (columns), optional
        How often each observation occurs, and how much it counts.

    Raises
    ------
    ShapeError
        For more than two axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.cov(rbe.tensor([[1.0, 2.0], [2.0, 0.0]])).tolist()
    [[0.5, -1.0], [-1.0, 2.0]]
    """
    return _rbe._as_tensor(input).cov(correction=correction, fweights=fweights, aweights=aweights)


def cross(input: Any, other: RBETensor, dim: int | None = None) -> RBETensor:
    """Return the cross products of vectors of three elements along an axis, by default the first of length 3.

    Raises
    ------
    ShapeError
        Without such an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.cross(rbe.tensor([1, 0, 0]), rbe.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    return _rbe._as_tensor(input).cross(other, dim)


def cummax(input: Any, dim: int) -> Ranked:
    """Return the largest elements up to and including each along an axis, and the last places that have them.

    Examples
    --------
    >>> import rbe
    >>> rbe.cummax(rbe.tensor([2, 1, 3]), 0).values
    tensor([2, 2, 3])
    """
    return _rbe._as_tensor(input).cummax(dim)


def cummin(input: Any, dim: int) -> Ranked:
    """Return the smallest elements up to and including each along an axis, and the last places that have them.

    Examples
    --------
    >>> import rbe
    >>> rbe.cummin(rbe.tensor([2, 1, 3]), 0).values
    tensor([2, 1, 1])
    """
    return _rbe._as_tensor(input).cummin(dim)


def cumprod(input: Any, dim: int, *, dtype: Any = None) -> RBETensor:
    """Return the products up to and including each element along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.cumprod(rbe.tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
    """
    return _rbe._as_tensor(input).cumprod(dim, dtype=dtype)


def cumsum(input: Any, dim: int, *, dtype: DTypeLike = None) -> RBETensor:
    """Return the sums up to and including each element along an axis.

    Raises
    ------
    OutOfRangeError
        For an axis that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.cumsum(rbe.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _rbe._as_tensor(input).cumsum(dim, dtype=dtype)


def deg2rad(input: Any) -> RBETensor:
    """Return degrees as radians.

    Examples
    --------
    >>> import rbe
    >>> rbe.deg2rad(rbe.tensor([180.0]))
    tensor([3.1416])
    """
    return _rbe._as_tensor(input).deg2rad()


def det(input: Any) -> RBETensor:
    """Return the determinant of matrices (…, n, n): (…).

    Examples
    --------
    >>> import rbe
    >>> rbe.det(rbe.tensor([[2.0, 0.0], [1.0, 3.0]]))
    tensor(6.)
    """
    return _rbe._as_tensor(input).det()


def diag(input: Any, diagonal: int = 0) -> RBETensor:
    """Return a diagonal of a matrix, or the matrix that has a vector on it.

    Raises
    ------
    ShapeError
        For a tensor of another number of axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.diag(rbe.tensor([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    return _rbe._as_tensor(input).diag(diagonal)


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> RBETensor:
    """Return matrices, in two new axes, that have the last axis on a diagonal and 0 elsewhere.

    Raises
    ------
    ShapeError, OutOfRangeError
        As `diagonal`.

    Examples
    --------
    >>> import rbe
    >>> rbe.diag_embed(rbe.tensor([[5]]), 1).tolist()
    [[[0, 5], [0, 0]]]
    """
    return _rbe._as_tensor(input).diag_embed(offset, dim1, dim2)


def diagflat(input: Any, offset: int = 0) -> RBETensor:
    """Return the matrix that has all elements, in row-major order, on a diagonal.

    Examples
    --------
    >>> import rbe
    >>> rbe.diagflat(rbe.tensor([[1], [2]])).tolist()
    [[1, 0], [0, 2]]
    """
    return _rbe._as_tensor(input).diagflat(offset)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> RBETensor:
    """Return the diagonal of two axes, moved to the end: a copy.

    Parameters
    ----------
    offset : int
        Which diagonal: above the main one, or below it if negative.
    dim1, dim2 : int
        The axes.

    Raises
    ------
    ShapeError, OutOfRangeError
        For one axis given twice, or one that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.diagonal(rbe.arange(4).reshape(2, 2))
    tensor([0, 3])
    """
    return _rbe._as_tensor(input).diagonal(offset, dim1, dim2)


def diagonal_scatter(input: Any, src: RBETensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> RBETensor:
    """Return the tensor with `src` on a diagonal of two axes.

    Raises
    ------
    ShapeError, OutOfRangeError
        As `diagonal`, and for a `src` of another shape than it has.

    Examples
    --------
    >>> import rbe
    >>> rbe.diagonal_scatter(rbe.zeros(2, 2), rbe.ones(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return _rbe._as_tensor(input).diagonal_scatter(src, offset, dim1, dim2)


def diff(
    input: Any, n: int = 1, dim: int = -1, prepend: "RBETensor | None" = None, append: "RBETensor | None" = None
) -> RBETensor:
    """Return the differences of neighbours along an axis, `n` times over; of masks whether they differ.

    Parameters
    ----------
    prepend, append : tensor, optional
        Put before and behind the tensor first.

    Raises
    ------
    ShapeError, OutOfRangeError
        For a tensor without axes, or n below 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.diff(rbe.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    return _rbe._as_tensor(input).diff(n, dim, prepend, append)


def dist(input: Any, other: RBETensor, p: float = 2) -> RBETensor:
    """Return the p-norm of the difference of two tensors.

    Examples
    --------
    >>> import rbe
    >>> rbe.dist(rbe.tensor([0.0, 0.0]), rbe.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return _rbe._as_tensor(input).dist(other, p)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> RBETensor:
    """Return `input / other`, rounded down with `rounding_mode="floor"`, towards 0 with `"trunc"`.

    Integers become floats, unless the quotient is rounded.

    Raises
    ------
    TensorError
        For another rounding mode, or an integer divisor of 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.div(rbe.tensor([1.0, 2.0]), 4)
    tensor([0.25, 0.5 ])
    """
    return left(input, other).div(other, rounding_mode=rounding_mode)


def divide(input: Any, other: Any, *, rounding_mode: str | None = None) -> RBETensor:
    """Return `div(other, rounding_mode=rounding_mode)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.divide(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).divide(other, rounding_mode=rounding_mode)


def dot(input: Any, other: RBETensor) -> RBETensor:
    """Return the sum of the products of two vectors' elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.dot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _rbe._as_tensor(input).dot(other)


def dsplit(input: Any, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
    """Return equal parts, or those between given places, along the third of at least three axes.

    Raises
    ------
    ShapeError
        For fewer axes, or a number that does not divide the length.

    Examples
    --------
    >>> import rbe
    >>> rbe.dsplit(rbe.zeros(1, 1, 4), 2)[0].shape
    (1, 1, 2)
    """
    return _rbe._as_tensor(input).dsplit(indices_or_sections)


def fix(input: Any) -> RBETensor:
    """Return `trunc()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.fix(rbe.tensor([1.5]))
    tensor([1.])
    """
    return _rbe._as_tensor(input).fix()


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> RBETensor:
    """Return the axes from `start_dim` to `end_dim` joined into one.

    Raises
    ------
    OutOfRangeError, ShapeError
        If there is no such axis, or `start_dim` comes after `end_dim`.

    Examples
    --------
    >>> import rbe
    >>> rbe.flatten(rbe.arange(6).reshape(2, 3))
    tensor([0, 1, 2, 3, 4, 5])
    """
    return _rbe._as_tensor(input).flatten(start_dim, end_dim)


def flip(input: Any, *axes: Any, dims: _Axis = None) -> RBETensor:
    """Return the elements in reverse along axes, given as numbers or a sequence.

    Examples
    --------
    >>> import rbe
    >>> rbe.flip(rbe.tensor([1, 2, 3]), 0)
    tensor([3, 2, 1])
    """
    return _rbe._as_tensor(input).flip(*axes, dims=dims)


def fliplr(input: Any) -> RBETensor:
    """Return the elements in reverse along the second axis.

    Raises
    ------
    ShapeError
        For less than two axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.fliplr(rbe.tensor([[1, 2]]))
    tensor([[2, 1]])
    """
    return _rbe._as_tensor(input).fliplr()


def flipud(input: Any) -> RBETensor:
    """Return the elements in reverse along the first axis.

    Raises
    ------
    ShapeError
        For a tensor without axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.flipud(rbe.tensor([1, 2]))
    tensor([2, 1])
    """
    return _rbe._as_tensor(input).flipud()


def float_power(input: Any, exponent: Any) -> RBETensor:
    """Return `input ** exponent` in float64.

    Examples
    --------
    >>> import rbe
    >>> rbe.float_power(rbe.tensor([2]), 0.5)
    tensor([1.4142], dtype=rbe.float64)
    """
    return _rbe._as_tensor(input).float_power(exponent)


def fmax(input: Any, other: RBETensor) -> RBETensor:
    """Return the larger of two tensors' elements, of a number and NaN the number; equal ones share the gradient.

    Examples
    --------
    >>> import rbe
    >>> rbe.fmax(rbe.tensor([1.0, 5.0]), rbe.tensor([float("nan"), 7.0]))
    tensor([1., 7.])
    """
    return _rbe._as_tensor(input).fmax(other)


def fmin(input: Any, other: RBETensor) -> RBETensor:
    """Return the smaller of two tensors' elements, of a number and NaN the number; equal ones share the gradient.

    Examples
    --------
    >>> import rbe
    >>> rbe.fmin(rbe.tensor([1.0, 5.0]), rbe.tensor([float("nan"), 7.0]))
    tensor([1., 5.])
    """
    return _rbe._as_tensor(input).fmin(other)


def frac(input: Any) -> RBETensor:
    """Return the part behind the point, `x - trunc(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.frac(rbe.tensor([1.5, -2.25]))
    tensor([ 0.5 , -0.25])
    """
    return _rbe._as_tensor(input).frac()


def gather(input: Any, dim: int, index: RBETensor) -> RBETensor:
    """Return the elements along an axis that an int64 index of as many axes names.

    Raises
    ------
    ShapeError, OutOfRangeError, DTypeError
        For an index that does not fit, names a place that is not there, or is not int64.

    Examples
    --------
    >>> import rbe
    >>> rbe.gather(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([[2], [0]])).tolist()
    [[2], [3]]
    """
    return _rbe._as_tensor(input).gather(dim, index)


def ger(input: Any, vec2: RBETensor) -> RBETensor:
    """Return `outer(vec2)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ger(rbe.tensor([1, 2]), rbe.tensor([3])).tolist()
    [[3], [6]]
    """
    return _rbe._as_tensor(input).ger(vec2)


def greater(input: Any, other: Any) -> RBETensor:
    """Return `gt(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.greater(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([False])
    """
    return _rbe._as_tensor(input).greater(other)


def greater_equal(input: Any, other: Any) -> RBETensor:
    """Return `ge(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.greater_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([False])
    """
    return _rbe._as_tensor(input).greater_equal(other)


def heaviside(input: Any, values: RBETensor) -> RBETensor:
    """Return 0 below 0, 1 above and `values` at 0.

    Raises
    ------
    DTypeError
        For two types.

    Examples
    --------
    >>> import rbe
    >>> rbe.heaviside(rbe.tensor([-1.0, 0.0, 2.0]), rbe.tensor([0.5]))
    tensor([0. , 0.5, 1. ])
    """
    return _rbe._as_tensor(input).heaviside(values)


def histc(input: Any, bins: int = 100, min: Any = 0, max: Any = 0) -> RBETensor:
    """Return how many elements are in each of `bins` equal intervals from `min` to `max`; both 0 stand for the extremes.

    Raises
    ------
    DTypeError, TensorError
        For integers, bounds in the wrong order or that are not finite, or no intervals.

    Examples
    --------
    >>> import rbe
    >>> rbe.histc(rbe.tensor([1.0, 2.0, 2.5]), 2, 1, 3)
    tensor([1., 2.])
    """
    return _rbe._as_tensor(input).histc(bins, min, max)


def hsplit(input: Any, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
    """Return equal parts, or those between given places, along the second axis; of a vector along its only one.

    Raises
    ------
    ShapeError
        For a tensor without axes, or a number that does not divide the length.

    Examples
    --------
    >>> import rbe
    >>> rbe.hsplit(rbe.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
    """
    return _rbe._as_tensor(input).hsplit(indices_or_sections)


def index_add(input: Any, dim: int, index: RBETensor, source: RBETensor, *, alpha: Any = 1) -> RBETensor:
    """Return the tensor with `alpha` times the slices of `source` added to those along an axis that an index names.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.index_add(rbe.zeros(2), 0, rbe.tensor([1, 1]), rbe.tensor([3.0, 4.0]))
    tensor([0., 7.])
    """
    return _rbe._as_tensor(input).index_add(dim, index, source, alpha=alpha)


def index_copy(input: Any, dim: int, index: RBETensor, source: RBETensor) -> RBETensor:
    """Return the tensor with slices of `source` in place of those along an axis that an index names.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.index_copy(rbe.zeros(3), 0, rbe.tensor([2]), rbe.tensor([5.0]))
    tensor([0., 0., 5.])
    """
    return _rbe._as_tensor(input).index_copy(dim, index, source)


def index_fill(input: Any, dim: int, index: RBETensor, value: Any) -> RBETensor:
    """Return the tensor with a number in place of the slices along an axis that an index names.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.index_fill(rbe.zeros(3), 0, rbe.tensor([0, 2]), 1.0)
    tensor([1., 0., 1.])
    """
    return _rbe._as_tensor(input).index_fill(dim, index, value)


def index_put(input: Any, indices: "tuple[RBETensor, ...]", values: Any, accumulate: bool = False) -> RBETensor:
    """Return the tensor with the elements replaced that int64 or bool tensors name, or added to: `index_put_` of a copy.

    Examples
    --------
    >>> import rbe
    >>> rbe.index_put(rbe.zeros(3), (rbe.tensor([1]),), 2.0)
    tensor([0., 2., 0.])
    """
    return _rbe._as_tensor(input).index_put(indices, values, accumulate)


def index_select(input: Any, dim: int, index: RBETensor) -> RBETensor:
    """Return the slices along an axis that an int64 index (n,) names.

    Raises
    ------
    OutOfRangeError, DTypeError
        For a place that is not there, or an index that is not int64.

    Examples
    --------
    >>> import rbe
    >>> rbe.index_select(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([2, 0])).tolist()
    [[2, 0], [5, 3]]
    """
    return _rbe._as_tensor(input).index_select(dim, index)


def inner(input: Any, other: RBETensor) -> RBETensor:
    """Return the sums of products over the last axes of two tensors; with a tensor without axes the product.

    Raises
    ------
    ShapeError
        For last axes of different lengths.

    Examples
    --------
    >>> import rbe
    >>> rbe.inner(rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """
    return _rbe._as_tensor(input).inner(other)


def inverse(input: Any) -> RBETensor:
    """Return the inverse of matrices (…, n, n).

    Examples
    --------
    >>> import rbe
    >>> rbe.inverse(rbe.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return _rbe._as_tensor(input).inverse()


def is_complex(input: Any) -> bool:
    """Return False: elements are real.

    Examples
    --------
    >>> import rbe
    >>> rbe.is_complex(rbe.ones(2))
    False
    """
    return _rbe._as_tensor(input).is_complex()


def is_floating_point(input: Any) -> bool:
    """Return whether the elements are floats.

    Examples
    --------
    >>> import rbe
    >>> rbe.is_floating_point(rbe.tensor([1, 2]))
    False
    """
    return _rbe._as_tensor(input).is_floating_point()


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> RBETensor:
    """Return whether `|input - other| <= atol + rtol |other|`, element by element; equal infinities are close.

    Examples
    --------
    >>> import rbe
    >>> rbe.isclose(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    return _rbe._as_tensor(input).isclose(other, rtol, atol, equal_nan)


def isin(input: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> RBETensor:
    """Return whether each element is among others, or is not.

    Parameters
    ----------
    test_elements : tensor or number
    assume_unique : bool
        Neither has an element twice, which makes no difference here.
    invert : bool
        Whether each element is not among them.

    Raises
    ------
    DTypeError
        For masks.

    Examples
    --------
    >>> import rbe
    >>> rbe.isin(rbe.tensor([1, 2, 3]), rbe.tensor([2, 3, 5]))
    tensor([False,  True,  True])
    """
    return _rbe._as_tensor(input).isin(test_elements, assume_unique=assume_unique, invert=invert)


def isneginf(input: Any) -> RBETensor:
    """Return whether each element is minus infinity.

    Examples
    --------
    >>> import rbe
    >>> rbe.isneginf(rbe.tensor([1.0, -float("inf")]))
    tensor([False,  True])
    """
    return _rbe._as_tensor(input).isneginf()


def isposinf(input: Any) -> RBETensor:
    """Return whether each element is plus infinity.

    Examples
    --------
    >>> import rbe
    >>> rbe.isposinf(rbe.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    return _rbe._as_tensor(input).isposinf()


def kron(input: Any, other: RBETensor) -> RBETensor:
    """Return the Kronecker product: every element of the tensor times the whole of another.

    Examples
    --------
    >>> import rbe
    >>> rbe.kron(rbe.tensor([1, 10]), rbe.tensor([3, 4]))
    tensor([ 3,  4, 30, 40])
    """
    return _rbe._as_tensor(input).kron(other)


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Ranked:
    """Return the `k`-th smallest elements along an axis, counted from 1, and their places.

    Raises
    ------
    OutOfRangeError
        If the axis has fewer.

    Examples
    --------
    >>> import rbe
    >>> rbe.kthvalue(rbe.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    return _rbe._as_tensor(input).kthvalue(k, dim, keepdim)


def ldexp(input: Any, other: RBETensor) -> RBETensor:
    """Return `input * 2 ** other`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ldexp(rbe.tensor([1.5]), rbe.tensor([3]))
    tensor([12.])
    """
    return _rbe._as_tensor(input).ldexp(other)


def lerp(input: Any, end: RBETensor, weight: Any) -> RBETensor:
    """Return `input + weight * (end - input)`; the weight is a number or a tensor.

    Examples
    --------
    >>> import rbe
    >>> rbe.lerp(rbe.zeros(2), rbe.tensor([1.0, 2.0]), 0.25)
    tensor([0.25, 0.5 ])
    """
    return _rbe._as_tensor(input).lerp(end, weight)


def less(input: Any, other: Any) -> RBETensor:
    """Return `lt(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.less(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([ True])
    """
    return _rbe._as_tensor(input).less(other)


def less_equal(input: Any, other: Any) -> RBETensor:
    """Return `le(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.less_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([ True])
    """
    return _rbe._as_tensor(input).less_equal(other)


def log_softmax(input: Any, axis: int | None = None, dtype: DTypeLike = None, *, dim: int | None = None) -> RBETensor:
    """Return `x - ln Σ e^x` along an axis.

    Parameters
    ----------
    axis, dim : int
        The axis, by either name; the last unless given.
    dtype : dtype, optional
        Converted to before.

    Examples
    --------
    >>> import rbe
    >>> rbe.log_softmax(rbe.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """
    return _rbe._as_tensor(input).log_softmax(axis, dtype, dim=dim)


def logcumsumexp(input: Any, dim: int) -> RBETensor:
    """Return `ln Σ e^x` up to and including each element along an axis, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.logcumsumexp(rbe.tensor([0.0, 0.0]), 0)
    tensor([0.    , 0.6931])
    """
    return _rbe._as_tensor(input).logcumsumexp(dim)


def logdet(input: Any) -> RBETensor:
    """Return the logarithm of the determinant of matrices (…, n, n).

    It is -inf for a determinant of 0, and NaN for a negative one.

    Examples
    --------
    >>> import rbe
    >>> rbe.logdet(rbe.eye(2))
    tensor(0.)
    """
    return _rbe._as_tensor(input).logdet()


def logit(input: Any, eps: float | None = None) -> RBETensor:
    """Return `ln(x / (1 - x))`, of x held between `eps` and `1 - eps` if that is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.logit(rbe.tensor([0.5, 0.9]))
    tensor([0.    , 2.1972])
    """
    return _rbe._as_tensor(input).logit(eps)


def logsumexp(
    input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False, dtype: DTypeLike = None
) -> RBETensor:
    """Return `ln Σ e^x` over an axis, several or all, without overflow.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.logsumexp(rbe.zeros(2, 4), dim=1)
    tensor([1.3863, 1.3863])
    """
    return _rbe._as_tensor(input).logsumexp(axis, keepdims, dim=dim, keepdim=keepdim, dtype=dtype)


def masked_fill(input: Any, mask: RBETensor, value: Any) -> RBETensor:
    """Return the tensor with `value`, a number or a tensor without axes, where `mask` (bool) holds.

    Raises
    ------
    ShapeError
        For shapes that do not broadcast, or a value with axes.
    DTypeError
        For a mask that is not bool.

    Examples
    --------
    >>> import rbe
    >>> rbe.masked_fill(rbe.tensor([-1.5, 0.5]), rbe.tensor([True, False]), 0.0)
    tensor([0. , 0.5])
    """
    return _rbe._as_tensor(input).masked_fill(mask, value)


def masked_scatter(input: Any, mask: RBETensor, source: RBETensor) -> RBETensor:
    """Return the tensor with elements of `source`, in order, where a mask holds; tensor and mask broadcast.

    Raises
    ------
    DTypeError, ShapeError
        For a mask that is not bool, another type of `source`, or too few elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.masked_scatter(rbe.zeros(3), rbe.tensor([True, False, True]), rbe.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    return _rbe._as_tensor(input).masked_scatter(mask, source)


def masked_select(input: Any, mask: RBETensor) -> RBETensor:
    """Return the elements where a mask holds, in one axis; the two broadcast.

    Raises
    ------
    DTypeError
        For a mask that is not bool.

    Examples
    --------
    >>> import rbe
    >>> rbe.masked_select(rbe.tensor([1, 2, 3]), rbe.tensor([True, False, True]))
    tensor([1, 3])
    """
    return _rbe._as_tensor(input).masked_select(mask)


def matrix_power(input: Any, n: int) -> RBETensor:
    """Return the n-th power of matrices (…, m, m).

    Examples
    --------
    >>> import rbe
    >>> rbe.matrix_power(rbe.tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    return _rbe._as_tensor(input).matrix_power(n)


def max(
    input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False, other: Any = None
) -> Any:
    """Return the largest element of all, the largest along `dim` (`axis`) and where, or the larger of two tensors.

    Along an axis the gradient goes to the first of equals.

    Examples
    --------
    >>> import rbe
    >>> rbe.max(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(4.)
    """
    x: Any = _rbe._as_tensor(input)
    return x.max(dim, keepdim, axis=axis, keepdims=keepdims, other=other)


def mean(
    input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False, dtype: DTypeLike = None
) -> RBETensor:
    """Return the mean over an axis, several or all; integers become floats.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.
    DTypeError
        For a dtype that is not float32 or float64.

    Examples
    --------
    >>> import rbe
    >>> rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    return _rbe._as_tensor(input).mean(axis, keepdims, dim=dim, keepdim=keepdim, dtype=dtype)


def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle element, the lower of two; along an axis with its place. NaN where one is.

    Examples
    --------
    >>> import rbe
    >>> rbe.median(rbe.tensor([3.0, 1.0, 2.0, 4.0]))
    tensor(2.)
    """
    x: Any = _rbe._as_tensor(input)
    return x.median(dim, keepdim)


def min(
    input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False, other: Any = None
) -> Any:
    """Return the smallest element of all, the smallest along `dim` (`axis`) and where, or the smaller of two tensors.

    Along an axis the gradient goes to the first of equals.

    Examples
    --------
    >>> import rbe
    >>> rbe.min(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(1.)
    """
    x: Any = _rbe._as_tensor(input)
    return x.min(dim, keepdim, axis=axis, keepdims=keepdims, other=other)


def mm(input: Any, mat2: RBETensor) -> RBETensor:
    """Return the product of two matrices, (n, k) and (k, m).

    Examples
    --------
    >>> import rbe
    >>> rbe.mm(rbe.eye(2), rbe.ones(2, 1)).tolist()
    [[1.0], [1.0]]
    """
    return _rbe._as_tensor(input).mm(mat2)


def moveaxis(input: Any, source: _Places, destination: _Places) -> RBETensor:
    """Return `movedim(source, destination)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.moveaxis(rbe.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    return _rbe._as_tensor(input).moveaxis(source, destination)


def movedim(input: Any, source: _Places, destination: _Places) -> RBETensor:
    """Return the tensor with axes moved to other places: a view.

    Raises
    ------
    ShapeError
        For another number of sources than of destinations, or an axis named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.movedim(rbe.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    return _rbe._as_tensor(input).movedim(source, destination)


def msort(input: Any) -> RBETensor:
    """Return the elements in order along the first axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.msort(rbe.tensor([3, 1]))
    tensor([1, 3])
    """
    return _rbe._as_tensor(input).msort()


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> RBETensor:
    """Return places drawn with the weights that a vector has, or each row of a matrix: int64.

    Parameters
    ----------
    num_samples : int
    replacement : bool
        Whether a place can be drawn again.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError, TensorError
        For weights that are no floats of at least 0 with a finite positive sum, or more samples than there are weights.

    Examples
    --------
    >>> import rbe
    >>> rbe.multinomial(rbe.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    return _rbe._as_tensor(input).multinomial(num_samples, replacement, generator=generator)


def multiply(input: Any, other: Any) -> RBETensor:
    """Return `mul(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.multiply(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([0.])
    """
    return _rbe._as_tensor(input).multiply(other)


def mv(input: Any, vec: RBETensor) -> RBETensor:
    """Return the product of a matrix (n, k) and a vector (k).

    Examples
    --------
    >>> import rbe
    >>> rbe.mv(rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """
    return _rbe._as_tensor(input).mv(vec)


def nan_to_num(input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> RBETensor:
    """Return the tensor with numbers in place of NaN (0) and of infinities (the largest that its type has).

    Examples
    --------
    >>> import rbe
    >>> rbe.nan_to_num(rbe.tensor([float("nan"), float("inf"), 2.0]), posinf=9.0)
    tensor([0., 9., 2.])
    """
    return _rbe._as_tensor(input).nan_to_num(nan, posinf, neginf)


def nanmean(input: Any, dim: _Axis = None, keepdim: bool = False, *, dtype: Any = None) -> RBETensor:
    """Return the mean of the elements other than NaN over an axis, several or all.

    Examples
    --------
    >>> import rbe
    >>> rbe.nanmean(rbe.tensor([1.0, float("nan")]))
    tensor(1.)
    """
    return _rbe._as_tensor(input).nanmean(dim, keepdim, dtype=dtype)


def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle of the elements other than NaN, the lower of two; along an axis with its place.

    Examples
    --------
    >>> import rbe
    >>> rbe.nanmedian(rbe.tensor([float("nan"), 1.0, 2.0]))
    tensor(1.)
    """
    x: Any = _rbe._as_tensor(input)
    return x.nanmedian(dim, keepdim)


def nanquantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> RBETensor:
    """Return `quantile` of the elements other than NaN.

    Examples
    --------
    >>> import rbe
    >>> rbe.nanquantile(rbe.tensor([1.0, float("nan"), 2.0]), 0.5)
    tensor(1.5)
    """
    return _rbe._as_tensor(input).nanquantile(q, dim, keepdim, interpolation=interpolation)


def nansum(input: Any, dim: _Axis = None, keepdim: bool = False, *, dtype: Any = None) -> RBETensor:
    """Return the sum of the elements other than NaN over an axis, several or all.

    Examples
    --------
    >>> import rbe
    >>> rbe.nansum(rbe.tensor([1.0, float("nan")]))
    tensor(1.)
    """
    return _rbe._as_tensor(input).nansum(dim, keepdim, dtype=dtype)


def narrow(input: Any, dim: int, start: int, length: int) -> RBETensor:
    """Return `length` positions of an axis from `start`, which counts from the end if negative: a view.

    Raises
    ------
    OutOfRangeError
        For positions outside the axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.narrow(rbe.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    return _rbe._as_tensor(input).narrow(dim, start, length)


def narrow_copy(input: Any, dim: int, start: int, length: int) -> RBETensor:
    """Return `narrow(dim, start, length)` with memory of its own.

    Examples
    --------
    >>> import rbe
    >>> rbe.narrow_copy(rbe.arange(4), 0, 1, 2)
    tensor([1, 2])
    """
    return _rbe._as_tensor(input).narrow_copy(dim, start, length)


def negative(input: Any) -> RBETensor:
    """Return `neg()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.negative(rbe.tensor([1.0]))
    tensor([-1.])
    """
    return _rbe._as_tensor(input).negative()


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Return where the elements are not 0: int64 (count, axes) in row-major order, or a tensor for each axis.

    As a tuple a tensor without axes counts as one of a single axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nonzero(rbe.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    x: Any = _rbe._as_tensor(input)
    return x.nonzero(as_tuple=as_tuple)


def norm(
    input: Any, p: float | str | None = "fro", dim: _Axis = None, keepdim: bool = False, dtype: DTypeLike = None
) -> RBETensor:
    """Return the p-norm over an axis, several or all: `(Σ |x|^p)^(1/p)`. Its gradient where it is 0 is 0.

    Parameters
    ----------
    p : float, "fro", "nuc" or None
        2, "fro" and None are the Euclidean length; infinity the largest absolute value, 0 the number of elements other
        than 0; "nuc" the sum of the singular values of matrices, which two axes hold.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    TensorError
        For another text.

    Examples
    --------
    >>> import rbe
    >>> rbe.norm(rbe.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return _rbe._as_tensor(input).norm(p, dim, keepdim, dtype)


def not_equal(input: Any, other: Any) -> RBETensor:
    """Return `ne(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.not_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([ True])
    """
    return _rbe._as_tensor(input).not_equal(other)


def outer(input: Any, vec2: RBETensor) -> RBETensor:
    """Return the products of every element of a vector with every one of another.

    Raises
    ------
    ShapeError
        For tensors that are no vectors.

    Examples
    --------
    >>> import rbe
    >>> rbe.outer(rbe.tensor([1, 2]), rbe.tensor([3, 4, 5])).tolist()
    [[3, 4, 5], [6, 8, 10]]
    """
    return _rbe._as_tensor(input).outer(vec2)


def permute(input: Any, *axes: Any, dims: Sequence[int] | None = None) -> RBETensor:
    """Return the axes in another order, given as numbers or a sequence: a view.

    Raises
    ------
    ShapeError, OutOfRangeError
        If not every axis is named once.

    Examples
    --------
    >>> import rbe
    >>> rbe.permute(rbe.arange(6).reshape(2, 3), 1, 0).shape
    (3, 2)
    """
    return _rbe._as_tensor(input).permute(*axes, dims=dims)


def pinverse(input: Any, rcond: float = 1e-15) -> RBETensor:
    """Return the Moore-Penrose inverse; singular values up to `rcond` times the largest count as 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.pinverse(rbe.tensor([[2.0, 0.0]])).tolist()
    [[0.5], [0.0]]
    """
    return _rbe._as_tensor(input).pinverse(rcond)


def positive(input: Any) -> RBETensor:
    """Return the tensor itself.

    Raises
    ------
    DTypeError
        For a mask.

    Examples
    --------
    >>> import rbe
    >>> rbe.positive(rbe.tensor([-2.0]))
    tensor([-2.])
    """
    return _rbe._as_tensor(input).positive()


def pow(input: Any, exponent: Any) -> RBETensor:
    """Return `input ** exponent`; integers stay integers. Quicker for a number than for a tensor.

    Examples
    --------
    >>> import rbe
    >>> rbe.pow(rbe.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return left(input, exponent).pow(exponent)


def prod(
    input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False, dtype: DTypeLike = None
) -> RBETensor:
    """Return the product over an axis, several or all.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(24.)
    """
    return _rbe._as_tensor(input).prod(axis, keepdims, dim=dim, keepdim=keepdim, dtype=dtype)


def put(input: Any, index: RBETensor, source: RBETensor, accumulate: bool = False) -> RBETensor:
    """Return the tensor with elements of `source` at places of its flattened elements, or added there.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.put(rbe.zeros(2, 2), rbe.tensor([3]), rbe.tensor([5.0])).tolist()
    [[0.0, 0.0], [0.0, 5.0]]
    """
    return _rbe._as_tensor(input).put(index, source, accumulate)


def qr(input: Any, some: bool = True) -> linalg.QR:
    """Return orthonormal columns and an upper triangle whose product is the tensor; all columns with some=False.

    Examples
    --------
    >>> import rbe
    >>> rbe.qr(rbe.ones(3, 2)).R.shape
    (2, 2)
    """
    return _rbe._as_tensor(input).qr(some)


def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> RBETensor:
    """Return the numbers below which a share `q` of the elements lies, along an axis or of all; NaN where one is.

    Parameters
    ----------
    q : float or tensor (n)
        Shares from 0 to 1; a vector makes a new first axis.
    interpolation : {"linear", "lower", "higher", "midpoint", "nearest"}
        What lies between two elements.

    Raises
    ------
    DTypeError, OutOfRangeError, ShapeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.quantile(rbe.tensor([1.0, 2.0, 4.0]), 0.75)
    tensor(3.)
    """
    return _rbe._as_tensor(input).quantile(q, dim, keepdim, interpolation=interpolation)


def rad2deg(input: Any) -> RBETensor:
    """Return radians as degrees.

    Examples
    --------
    >>> import rbe
    >>> rbe.rad2deg(rbe.tensor([1.0]))
    tensor([57.2958])
    """
    return _rbe._as_tensor(input).rad2deg()


def ravel(input: Any) -> RBETensor:
    """Return the elements in one axis, in row-major order: a view where the layout allows.

    Examples
    --------
    >>> import rbe
    >>> rbe.ravel(rbe.tensor([[1], [2]]))
    tensor([1, 2])
    """
    return _rbe._as_tensor(input).ravel()


def repeat_interleave(input: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> RBETensor:
    """Return the elements along an axis, each repeated: by one number of times, or by one for each.

    Parameters
    ----------
    repeats : int, or int64 tensor (n) or (1)
    dim : int, optional
        Without it the tensor is flattened first.
    output_size : int, optional
        The length of the result, if known.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For counts that are no int64, another number of them than of elements, or negative ones.

    Examples
    --------
    >>> import rbe
    >>> rbe.repeat_interleave(rbe.tensor([5, 6]), rbe.tensor([1, 2]))
    tensor([5, 6, 6])
    """
    return _rbe._as_tensor(input).repeat_interleave(repeats, dim, output_size=output_size)


def reshape(input: Any, *shape: Any) -> RBETensor:
    """Return the elements in another shape, given as numbers or a sequence: a view where the layout allows.

    -1 stands for what is left.

    Raises
    ------
    ShapeError
        For a shape of another number of elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.reshape(rbe.arange(4), 2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    return _rbe._as_tensor(input).reshape(*shape)


def roll(input: Any, shifts: _Places, dims: _Places | None = None) -> RBETensor:
    """Return the elements moved along axes, those beyond the end to the start; without axes of the flattened tensor.

    Raises
    ------
    ShapeError
        For another number of shifts than of axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.roll(rbe.arange(5), 2)
    tensor([3, 4, 0, 1, 2])
    """
    return _rbe._as_tensor(input).roll(shifts, dims)


def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> RBETensor:
    """Return the tensor turned by `k` right angles in the plane of two axes, from the first towards the second.

    Raises
    ------
    ShapeError
        Unless there are two different axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.rot90(rbe.tensor([[0, 1], [2, 3]])).tolist()
    [[1, 3], [0, 2]]
    """
    return _rbe._as_tensor(input).rot90(k, dims)


def round(input: Any, *, decimals: int = 0) -> RBETensor:
    """Return the nearest number of `decimals` decimal places, the even one of two; of integers only with 0.

    Raises
    ------
    DTypeError
        For integers and other than 0 decimals.

    Examples
    --------
    >>> import rbe
    >>> rbe.round(rbe.tensor([0.5, 1.5, 2.4]))
    tensor([0., 2., 2.])
    """
    return _rbe._as_tensor(input).round(decimals=decimals)


def rsqrt(input: Any) -> RBETensor:
    """Return `1 / sqrt(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.rsqrt(rbe.tensor([4.0, 16.0]))
    tensor([0.5 , 0.25])
    """
    return _rbe._as_tensor(input).rsqrt()


def rsub(input: Any, other: Any, *, alpha: float = 1) -> RBETensor:
    """Return `other - alpha * input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.rsub(rbe.tensor([1.0]), 5)
    tensor([4.])
    """
    return _rbe._as_tensor(input).rsub(other, alpha=alpha)


def scatter(
    input: Any, dim: int, index: RBETensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> RBETensor:
    """Return the tensor with elements of `src`, or a number, at the places along an axis that an int64 index names.

    Of several elements for one place the last counts.

    Parameters
    ----------
    dim : int
    index : int64 tensor
        Of as many axes; no longer than the tensor along the others.
    src : tensor or number
        At least as long as the index along every axis.
    value : number, optional
        Another name of a `src` that is a number.
    reduce : {"add", "multiply"}, optional
        Add to the elements, or multiply them.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError, TensorError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.scatter(rbe.zeros(4), 0, rbe.tensor([1, 3]), rbe.tensor([5.0, 6.0]))
    tensor([0., 5., 0., 6.])
    """
    return _rbe._as_tensor(input).scatter(dim, index, src, value=value, reduce=reduce)


def scatter_add(input: Any, dim: int, index: RBETensor, src: RBETensor) -> RBETensor:
    """Return the tensor with the elements of `src` added at the places along an axis that an int64 index names.

    Raises
    ------
    ShapeError, OutOfRangeError, DTypeError
        For an index that does not fit, names a place that is not there, or is not int64.

    Examples
    --------
    >>> import rbe
    >>> rbe.scatter_add(rbe.zeros(3), 0, rbe.tensor([2, 2]), rbe.ones(2))
    tensor([0., 0., 2.])
    """
    return _rbe._as_tensor(input).scatter_add(dim, index, src)


def scatter_reduce(
    input: Any, dim: int, index: RBETensor, src: RBETensor, reduce: str, *, include_self: bool = True
) -> RBETensor:
    """Return the tensor with elements of `src` combined at the places along an axis that an int64 index names.

    Parameters
    ----------
    reduce : {"sum", "prod", "mean", "amax", "amin"}
    include_self : bool
        Whether the element that is there takes part.

    Raises
    ------
    DTypeError, ShapeError, OutOfRangeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.scatter_reduce(rbe.zeros(2), 0, rbe.tensor([0, 0]), rbe.tensor([1.0, 3.0]), "mean", include_self=False)
    tensor([2., 0.])
    """
    return _rbe._as_tensor(input).scatter_reduce(dim, index, src, reduce, include_self=include_self)


def searchsorted(
    input: Any,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: "RBETensor | None" = None,
) -> RBETensor:
    """Return where numbers belong among the elements, which are in order along the last axis: int64.

    Parameters
    ----------
    values : tensor or number
        Of the same axes but the last, unless the elements are a vector.
    out_int32 : bool
        False: places are int64.
    right : bool
        Behind equal elements instead of before them; `side="right"` is another way to say so.
    sorter : int64 tensor, optional
        The order of the elements, if they are not in order themselves.

    Raises
    ------
    ShapeError, TensorError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.searchsorted(rbe.tensor([1, 3, 5]), rbe.tensor([3, 4]))
    tensor([1, 2])
    """
    return _rbe._as_tensor(input).searchsorted(values, out_int32=out_int32, right=right, side=side, sorter=sorter)


def select(input: Any, dim: int, index: int) -> RBETensor:
    """Return one slice along an axis: a view without it.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis or an index that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.select(rbe.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return _rbe._as_tensor(input).select(dim, index)


def select_scatter(input: Any, src: RBETensor, dim: int, index: int) -> RBETensor:
    """Return the tensor with `src` in place of one slice along an axis.

    Raises
    ------
    ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.select_scatter(rbe.zeros(2, 2), rbe.ones(2), 0, 1).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    return _rbe._as_tensor(input).select_scatter(src, dim, index)


def sgn(input: Any) -> RBETensor:
    """Return `sign()`.

    Examples
    --------
    >>> import rbe
    >>> rbe.sgn(rbe.tensor([-2.0, 3.0]))
    tensor([-1.,  1.])
    """
    return _rbe._as_tensor(input).sgn()


def signbit(input: Any) -> RBETensor:
    """Return whether the sign of each element is negative, also of -0.0.

    Examples
    --------
    >>> import rbe
    >>> rbe.signbit(rbe.tensor([-0.0, 1.0]))
    tensor([ True, False])
    """
    return _rbe._as_tensor(input).signbit()


def sinc(input: Any) -> RBETensor:
    """Return `sin(πx) / (πx)`, 1 at 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.sinc(rbe.tensor([0.0, 0.5]))
    tensor([1.    , 0.6366])
    """
    return _rbe._as_tensor(input).sinc()


def slice_scatter(
    input: Any, src: RBETensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> RBETensor:
    """Return the tensor with `src` in place of the elements from `start` to `end` along an axis.

    Raises
    ------
    ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.slice_scatter(rbe.zeros(4), rbe.ones(2), 0, 1, 3)
    tensor([0., 1., 1., 0.])
    """
    return _rbe._as_tensor(input).slice_scatter(src, dim, start, end, step)


def slogdet(input: Any) -> linalg.Slogdet:
    """Return the sign of the determinant of matrices (…, n, n), and the logarithm of its magnitude.

    Examples
    --------
    >>> import rbe
    >>> rbe.slogdet(rbe.tensor([[-1.0]])).sign
    tensor(-1.)
    """
    return _rbe._as_tensor(input).slogdet()


def softmax(input: Any, axis: int | None = None, dtype: DTypeLike = None, *, dim: int | None = None) -> RBETensor:
    """Return `e^x / Σ e^x` along an axis.

    Parameters
    ----------
    axis, dim : int
        The axis, by either name; the last unless given.
    dtype : dtype, optional
        Converted to before.

    Examples
    --------
    >>> import rbe
    >>> rbe.softmax(rbe.tensor([0.0, 0.0, 0.0, 0.0]))
    tensor([0.25, 0.25, 0.25, 0.25])
    """
    return _rbe._as_tensor(input).softmax(axis, dtype, dim=dim)


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Ranked:
    """Return the elements in order along an axis, and their positions; equal ones keep their order, NaN counts as largest.

    Examples
    --------
    >>> import rbe
    >>> rbe.sort(rbe.tensor([3, 1, 2])).values
    tensor([1, 2, 3])
    """
    return _rbe._as_tensor(input).sort(dim, descending, stable)


def split(input: Any, split_size: int | Sequence[int], dim: int = 0) -> list[RBETensor]:
    """Return consecutive parts of `split_size` (or of the given lengths) along an axis: views.

    Raises
    ------
    ShapeError, OutOfRangeError
        For lengths below 0 or that do not add up, or an axis that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.split(rbe.arange(5), 2)
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """
    return _rbe._as_tensor(input).split(split_size, dim)


def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> "list[RBETensor]":
    """Return consecutive parts of the given lengths along an axis: views.

    Examples
    --------
    >>> import rbe
    >>> rbe.split_with_sizes(rbe.arange(3), [1, 2])
    [tensor([0]), tensor([1, 2])]
    """
    return _rbe._as_tensor(input).split_with_sizes(split_sizes, dim)


def squeeze(input: Any, dim: _Axis = None) -> RBETensor:
    """Return the tensor without its axes of length 1, or without those named if they have length 1: a view.

    Raises
    ------
    OutOfRangeError
        For an axis that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.squeeze(rbe.zeros(1, 3)).shape
    (3,)
    """
    return _rbe._as_tensor(input).squeeze(dim)


def std(
    input: Any,
    axis: _Axis | bool = None,
    correction: float | None = None,
    keepdims: bool = False,
    *,
    unbiased: bool | None = None,
    dim: _Axis = None,
    keepdim: bool = False,
) -> RBETensor:
    """Return the standard deviation over an axis, several or all.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    correction : float, optional
        Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    unbiased : bool, optional
        Another way to say a correction of 1 or 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([1.4142, 1.4142])
    """
    return _rbe._as_tensor(input).std(axis, correction, keepdims, unbiased=unbiased, dim=dim, keepdim=keepdim)


def std_mean(
    input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> "tuple[RBETensor, RBETensor]":
    """Return standard deviation and mean over an axis, several or all.

    Examples
    --------
    >>> import rbe
    >>> rbe.std_mean(rbe.tensor([1.0, 1.0]))
    (tensor(0.), tensor(1.))
    """
    return _rbe._as_tensor(input).std_mean(dim, unbiased, keepdim, correction=correction)


def sub(input: Any, other: Any, *, alpha: Any = None) -> RBETensor:
    """Return `input - alpha * other`, `alpha` being 1 unless given.

    Examples
    --------
    >>> import rbe
    >>> rbe.sub(rbe.tensor([1.0, 2.0]), 3)
    tensor([-2., -1.])
    """
    return left(input, other).sub(other, alpha=alpha)


def subtract(input: Any, other: Any, *, alpha: Any = 1) -> RBETensor:
    """Return `sub(other, alpha=alpha)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.subtract(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor([-2.])
    """
    return _rbe._as_tensor(input).subtract(other, alpha=alpha)


def sum(
    input: Any, axis: _Axis = None, keepdims: bool = False, *, dim: _Axis = None, keepdim: bool = False, dtype: DTypeLike = None
) -> RBETensor:
    """Return the sum over an axis, several or all: integers and bools add up to int64.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    dtype : dtype, optional
        Converted to before.

    Raises
    ------
    OutOfRangeError, ShapeError
        For an axis that is not there, or named twice.

    Examples
    --------
    >>> import rbe
    >>> rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    return _rbe._as_tensor(input).sum(axis, keepdims, dim=dim, keepdim=keepdim, dtype=dtype)


def svd(input: Any, some: bool = True) -> "tuple[RBETensor, RBETensor, RBETensor]":
    """Return U, S and V of the decomposition `U diag(S) Vᵀ`: V, where `rbe.linalg.svd` returns Vᵀ.

    Examples
    --------
    >>> import rbe
    >>> rbe.svd(rbe.tensor([[0.0, 2.0], [1.0, 0.0]]))[1]
    tensor([2., 1.])
    """
    return _rbe._as_tensor(input).svd(some)


def swapaxes(input: Any, axis0: int, axis1: int) -> RBETensor:
    """Return `transpose(axis0, axis1)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.swapaxes(rbe.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    return _rbe._as_tensor(input).swapaxes(axis0, axis1)


def swapdims(input: Any, dim0: int, dim1: int) -> RBETensor:
    """Return `transpose(dim0, dim1)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.swapdims(rbe.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    return _rbe._as_tensor(input).swapdims(dim0, dim1)


def take(input: Any, index: RBETensor) -> RBETensor:
    """Return the elements of the flattened tensor that an int64 index names, in its shape.

    Raises
    ------
    DTypeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.take(rbe.tensor([[1, 2], [3, 4]]), rbe.tensor([3, -4]))
    tensor([4, 1])
    """
    return _rbe._as_tensor(input).take(index)


def take_along_dim(input: Any, indices: RBETensor, dim: int | None = None) -> RBETensor:
    """Return the elements along an axis that an index names; other axes broadcast. Without `dim` both are flattened.

    Raises
    ------
    ShapeError, DTypeError, OutOfRangeError
        For an index of another number of axes, that is not int64, or names a place that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.take_along_dim(rbe.tensor([5, 6, 7]), rbe.tensor([2, 0]))
    tensor([7, 5])
    """
    return _rbe._as_tensor(input).take_along_dim(indices, dim)


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> "tuple[RBETensor, ...]":
    """Return so many parts along an axis, of lengths that differ by at most 1, or the parts between given places: views.

    Raises
    ------
    ShapeError
        For a number of parts below 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.tensor_split(rbe.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    return _rbe._as_tensor(input).tensor_split(indices_or_sections, dim)


def tile(input: Any, *dims: Any) -> RBETensor:
    """Return the tensor repeated so many times along its last axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.tile(rbe.tensor([[1], [2]]), (2,)).tolist()
    [[1, 1], [2, 2]]
    """
    return _rbe._as_tensor(input).tile(*dims)


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ranked:
    """Return the `k` largest (or smallest) elements along an axis in order, and their positions.

    Raises
    ------
    TensorError
        If the axis has fewer.

    Examples
    --------
    >>> import rbe
    >>> rbe.topk(rbe.tensor([3, 1, 2]), 2).values
    tensor([3, 2])
    """
    return _rbe._as_tensor(input).topk(k, dim, largest, sorted)


def trace(input: Any) -> RBETensor:
    """Return the sum of the elements on the diagonal of a matrix.

    Raises
    ------
    ShapeError
        For a tensor that is no matrix.

    Examples
    --------
    >>> import rbe
    >>> rbe.trace(rbe.eye(3))
    tensor(3.)
    """
    return _rbe._as_tensor(input).trace()


def transpose(input: Any, dim0: int, dim1: int) -> RBETensor:
    """Return the tensor with two axes exchanged: a view.

    Raises
    ------
    OutOfRangeError
        For an axis that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.transpose(rbe.arange(6).reshape(2, 3), 0, 1).shape
    (3, 2)
    """
    return _rbe._as_tensor(input).transpose(dim0, dim1)


def tril(input: Any, diagonal: int = 0) -> RBETensor:
    """Return the elements on and below a diagonal of the last two axes, 0 elsewhere.

    `diagonal` counts upwards from the main one.

    Examples
    --------
    >>> import rbe
    >>> rbe.tril(rbe.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _rbe._as_tensor(input).tril(diagonal)


def triu(input: Any, diagonal: int = 0) -> RBETensor:
    """Return the elements on and above a diagonal of the last two axes, 0 elsewhere.

    `diagonal` counts upwards from the main one.

    Examples
    --------
    >>> import rbe
    >>> rbe.triu(rbe.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _rbe._as_tensor(input).triu(diagonal)


def true_divide(input: Any, other: Any) -> RBETensor:
    """Return `input / other`.

    Examples
    --------
    >>> import rbe
    >>> rbe.true_divide(rbe.tensor([3]), 2)
    tensor([1.5])
    """
    return _rbe._as_tensor(input).true_divide(other)


def unbind(input: Any, dim: int = 0) -> tuple[RBETensor, ...]:
    """Return the slices along an axis: views without it.

    Examples
    --------
    >>> import rbe
    >>> rbe.unbind(rbe.arange(6).reshape(2, 3))
    (tensor([0, 1, 2]), tensor([3, 4, 5]))
    """
    return _rbe._as_tensor(input).unbind(dim)


def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> RBETensor:
    """Return the tensor with one axis in several; one length may be -1.

    Raises
    ------
    ShapeError
        For lengths whose product is another than that of the axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.unflatten(rbe.zeros(2, 6), 1, (-1, 3)).shape
    (2, 2, 3)
    """
    return _rbe._as_tensor(input).unflatten(dim, sizes)


def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the distinct elements in order, or the distinct slices along an axis.

    Parameters
    ----------
    sorted : bool
        They are in order either way.
    return_inverse, return_counts : bool
        Return where each element is found in the result, and how often each of those occurs, too.

    Examples
    --------
    >>> import rbe
    >>> rbe.unique(rbe.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    x: Any = _rbe._as_tensor(input)
    return x.unique(sorted, return_inverse, return_counts, dim)


def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """Return the elements, or the slices along an axis, without those that equal the one before.

    Parameters
    ----------
    return_inverse, return_counts : bool
        Return where each element is found in the result, and how often each of those follows, too.

    Examples
    --------
    >>> import rbe
    >>> rbe.unique_consecutive(rbe.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    x: Any = _rbe._as_tensor(input)
    return x.unique_consecutive(return_inverse, return_counts, dim)


def unsqueeze(input: Any, dim: int) -> RBETensor:
    """Return the tensor with a new axis of length 1 before `dim`: a view.

    Raises
    ------
    OutOfRangeError
        For a place that is not there.

    Examples
    --------
    >>> import rbe
    >>> rbe.unsqueeze(rbe.zeros(3), 0).shape
    (1, 3)
    """
    return _rbe._as_tensor(input).unsqueeze(dim)


def var(
    input: Any,
    axis: _Axis | bool = None,
    correction: float | None = None,
    keepdims: bool = False,
    *,
    unbiased: bool | None = None,
    dim: _Axis = None,
    keepdim: bool = False,
) -> RBETensor:
    """Return the variance over an axis, several or all.

    Parameters
    ----------
    axis, dim : int or sequence of int, optional
        Axes to reduce, by either name; all without them.
    keepdims, keepdim : bool
        Leave reduced axes in the result with length 1.
    correction : float, optional
        Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    unbiased : bool, optional
        Another way to say a correction of 1 or 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 2.])
    """
    return _rbe._as_tensor(input).var(axis, correction, keepdims, unbiased=unbiased, dim=dim, keepdim=keepdim)


def var_mean(
    input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> "tuple[RBETensor, RBETensor]":
    """Return variance and mean over an axis, several or all.

    Examples
    --------
    >>> import rbe
    >>> rbe.var_mean(rbe.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    return _rbe._as_tensor(input).var_mean(dim, unbiased, keepdim, correction=correction)


def vdot(input: Any, other: RBETensor) -> RBETensor:
    """Return `dot(other)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.vdot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _rbe._as_tensor(input).vdot(other)


def vsplit(input: Any, indices_or_sections: Any) -> "tuple[RBETensor, ...]":
    """Return equal parts, or those between given places, along the first of at least two axes.

    Raises
    ------
    ShapeError
        For fewer axes, or a number that does not divide the length.

    Examples
    --------
    >>> import rbe
    >>> rbe.vsplit(rbe.zeros(4, 2), 2)[0].shape
    (2, 2)
    """
    return _rbe._as_tensor(input).vsplit(indices_or_sections)
