"""Operations as functions, under torch's names. Written by `make generate` from the methods of the tensor class."""

from collections.abc import Sequence
from typing import Any

from . import _rbe
from ._rbe import (
    abs,
    ceil,
    copysign,
    cos,
    eq,
    exp,
    expm1,
    floor,
    floor_divide,
    fmod,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    log,
    log1p,
    log2,
    log10,
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
    sqrt,
    square,
    tanh,
    trunc,
)
from ._tensor import Ranked, RBETensor
from .dtypes import DTypeLike
from .functional_ops import left

_Axis = int | Sequence[int] | None

__all__ = [
    "abs",
    "add",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bmm",
    "broadcast_to",
    "ceil",
    "chunk",
    "clamp",
    "clip",
    "clone",
    "copysign",
    "cos",
    "cumsum",
    "div",
    "dot",
    "eq",
    "exp",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "fmod",
    "gather",
    "ge",
    "gt",
    "index_select",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "lt",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mm",
    "mul",
    "narrow",
    "ne",
    "neg",
    "nonzero",
    "norm",
    "permute",
    "pow",
    "prod",
    "reciprocal",
    "relu",
    "remainder",
    "reshape",
    "round",
    "rsqrt",
    "scatter_add",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "std",
    "sub",
    "sum",
    "take_along_dim",
    "tanh",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "unbind",
    "unsqueeze",
    "var",
]


def add(input: Any, other: Any, *, alpha: Any = None) -> RBETensor:
    """Return `input + alpha * other`, `alpha` being 1 unless given; integers and bools keep their kind.

    Examples
    --------
    >>> import rbe
    >>> rbe.add(rbe.tensor([1.0, 2.0]), 3)
    tensor([4., 5.])
    """
    return left(input, other).add(other, alpha=alpha)


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


def dot(input: Any, other: RBETensor) -> RBETensor:
    """Return the sum of the products of two vectors' elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.dot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _rbe._as_tensor(input).dot(other)


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


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> RBETensor:
    """Return whether `|input - other| <= atol + rtol |other|`, element by element; equal infinities are close.

    Examples
    --------
    >>> import rbe
    >>> rbe.isclose(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    return _rbe._as_tensor(input).isclose(other, rtol, atol, equal_nan)


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
    p : float, "fro" or None
        2, "fro" and None are the Euclidean length; infinity the largest absolute value, 0 the number of elements other
        than 0.
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


def sub(input: Any, other: Any, *, alpha: Any = None) -> RBETensor:
    """Return `input - alpha * other`, `alpha` being 1 unless given.

    Examples
    --------
    >>> import rbe
    >>> rbe.sub(rbe.tensor([1.0, 2.0]), 3)
    tensor([-2., -1.])
    """
    return left(input, other).sub(other, alpha=alpha)


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


def unbind(input: Any, dim: int = 0) -> tuple[RBETensor, ...]:
    """Return the slices along an axis: views without it.

    Examples
    --------
    >>> import rbe
    >>> rbe.unbind(rbe.arange(6).reshape(2, 3))
    (tensor([0, 1, 2]), tensor([3, 4, 5]))
    """
    return _rbe._as_tensor(input).unbind(dim)


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
