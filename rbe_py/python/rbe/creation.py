"""Tensors from values and from NumPy; filled ones and ranges."""

from typing import Any

import numpy as np

from . import _rbe, dtypes
from ._arguments import integer, number
from ._default_dtype import default_float
from ._interchange import from_numpy, own
from ._memory_format import check_memory_format
from ._sizes import Shape, check_memory, sizes
from ._tensor import RBETensor
from .device import check_device as check_device
from .dtypes import DTypeLike, as_dtype
from .errors import DTypeError, TensorError


def finish(t: RBETensor, requires_grad: bool) -> RBETensor:
    """Return a fresh tensor, recorded from here on if wanted."""
    if requires_grad:
        t.requires_grad = True
    return t


def tensor(data: Any, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None) -> RBETensor:
    """Return a tensor of a copy of `data`.

    Parameters
    ----------
    data : number, nested lists, NumPy array or tensor
        Floats become the default dtype (float32), integers int64, bools bool; arrays and tensors keep their own type, but that
        unsigned integers of more than 8 bits become int64.
    dtype : dtype, optional
        The element type instead.
    requires_grad : bool
        Whether operations on the tensor are recorded.

    Raises
    ------
    ShapeError
        For lists of unequal length.
    DTypeError
        For an element type that tensors do not have.

    Examples
    --------
    >>> import rbe
    >>> rbe.tensor([[1.0, 2.0], [3.0, 4.0]]).sum()
    tensor(10.)
    """
    check_device("tensor", device)
    if isinstance(data, RBETensor):
        t = data.detach().clone() if dtype is None else data.detach()._cast(as_dtype(dtype)).clone()
        return finish(t, requires_grad)
    if isinstance(data, np.ndarray | np.generic):
        return finish(_converted(own(_supported(np.array(data), dtype)), dtype), requires_grad)
    try:
        t = _rbe.tensor_from_list(data, None if dtype is None else as_dtype(dtype))
    except (AttributeError, TypeError) as e:
        if isinstance(e, DTypeError):
            raise
        array = np.asarray(data)
        if array.dtype == object or array.dtype.kind in "SU":
            raise DTypeError("tensor", "numbers", type(data).__name__) from None
        t = _converted(own(_supported(array.copy(), dtype)), dtype)
    return finish(t, requires_grad)


def _supported(array: "np.ndarray[Any, Any]", dtype: DTypeLike) -> "np.ndarray[Any, Any]":
    """Convert to `dtype`, or integers that tensors do not have to int64."""
    if dtype is not None:
        wanted = as_dtype(dtype)
        if wanted is dtypes.bfloat16:
            return array  # NumPy does not have it: the caller converts
        if not wanted.is_floating_point and wanted is not dtypes.bool and array.dtype.kind == "f":
            if not (np.abs(array, dtype=np.float64) < 2.0**63).all():
                raise TensorError("tensor", "numbers that int64 holds", str(array[~(np.abs(array) < 2.0**63)].ravel()[0]))
            array = array.astype(np.int64)
        return array.astype(wanted.numpy)
    if array.dtype.kind == "u" and array.itemsize > 1:
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise DTypeError("tensor", "integers that int64 holds", "uint64 beyond it")
        return array.astype(np.int64)
    return array


def _converted(t: RBETensor, dtype: DTypeLike) -> RBETensor:
    """Convert to a type that NumPy does not have."""
    return t if dtype is None else t.to(as_dtype(dtype))


def as_tensor(data: Any, dtype: DTypeLike = None, device: object = None) -> RBETensor:
    """Return `data` as a tensor, without a copy where it is one or a NumPy array of a supported type.

    Examples
    --------
    >>> import rbe
    >>> rbe.as_tensor([1, 2])
    tensor([1, 2])
    """
    check_device("as_tensor", device)
    if isinstance(data, RBETensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        return _converted(from_numpy(_supported(data, dtype)), dtype)
    return tensor(data, dtype)


def full(
    size: Shape,
    fill_value: Any,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return a tensor of shape `size` whose every element is `fill_value`.

    Parameters
    ----------
    size : int or sequence of int
    fill_value : number
        A bool gives bools, an integer int64, a float the default dtype, unless `dtype` says otherwise.

    Raises
    ------
    DTypeError
        If `fill_value` is no number.
    TensorError
        For a number that `dtype` does not hold: NaN as int64, say.

    Examples
    --------
    >>> import rbe
    >>> rbe.full((2,), 7.0)
    tensor([7., 7.])
    """
    check_device("full", device)
    value = number("full", fill_value)
    if dtype is None:
        chosen = dtypes.bool if isinstance(value, bool) else dtypes.int64 if isinstance(value, int) else default_float(None)
    else:
        chosen = as_dtype(dtype)
    return finish(_rbe.full(sizes("full", (size,), chosen), value, chosen, "full"), requires_grad)


def zeros(
    *shape: Any, size: Shape | None = None, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return zeros of a shape, given as numbers, as a sequence or as `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros(2)
    tensor([0., 0.])
    """
    check_device("zeros", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("zeros", shape, chosen, size), 0, chosen, "zeros"), requires_grad)


def ones(
    *shape: Any, size: Shape | None = None, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return ones of a shape, given as numbers, as a sequence or as `size`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones(2)
    tensor([1., 1.])
    """
    check_device("ones", device)
    chosen = default_float(dtype)
    return finish(_rbe.full(sizes("ones", shape, chosen, size), 1, chosen, "ones"), requires_grad)


def empty(
    *shape: Any,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return a tensor of a shape to be filled; its elements are zero.

    Examples
    --------
    >>> import rbe
    >>> rbe.empty(2, 3).shape
    (2, 3)
    """
    check_device("empty", device)
    check_memory_format("empty", memory_format)
    return zeros(*shape, size=size, dtype=dtype, requires_grad=requires_grad)


def _like(
    op: str, t: RBETensor, value: Any, dtype: DTypeLike, requires_grad: bool, device: object, memory_format: Any
) -> RBETensor:
    check_device(op, device)
    check_memory_format(op, memory_format)
    if not isinstance(t, RBETensor):
        raise DTypeError(op, "a tensor", type(t).__name__)
    chosen = t.dtype if dtype is None else as_dtype(dtype)
    return finish(_rbe.full(sizes(op, tuple(t.shape), chosen), number(op, value), chosen, op), requires_grad)


def zeros_like(
    input: RBETensor,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return zeros of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.zeros_like(rbe.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros_like", input, 0, dtype, requires_grad, device, memory_format)


def empty_like(
    input: RBETensor,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return a tensor of the shape and (unless given) dtype of `input` to be filled; its elements are zero.

    Examples
    --------
    >>> import rbe
    >>> rbe.empty_like(rbe.ones(2, 3)).shape
    (2, 3)
    """
    return _like("empty_like", input, 0, dtype, requires_grad, device, memory_format)


def ones_like(
    input: RBETensor,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return ones of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.ones_like(rbe.tensor([1, 2]))
    tensor([1, 1])
    """
    return _like("ones_like", input, 1, dtype, requires_grad, device, memory_format)


def full_like(
    input: RBETensor,
    fill_value: Any,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return a tensor of the shape and (unless given) dtype of `input` whose every element is `fill_value`.

    Raises
    ------
    DTypeError, TensorError
        As `full`.

    Examples
    --------
    >>> import rbe
    >>> rbe.full_like(rbe.tensor([1, 2]), 5)
    tensor([5, 5])
    """
    return _like("full_like", input, fill_value, dtype, requires_grad, device, memory_format)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return `start`, `start + step`, … before `end`; int64 if all three are integers.

    Raises
    ------
    TensorError
        For a step of 0 or away from `end`, and for bounds that are not finite.

    Examples
    --------
    >>> import rbe
    >>> rbe.arange(1, 4)
    tensor([1, 2, 3])
    """
    check_device("arange", device)
    if end is None:
        start, end = 0, start
    numbers = [number("arange", v) for v in (start, end, step)]
    whole = all(isinstance(v, int) for v in numbers)
    chosen = as_dtype(dtype) if dtype is not None else dtypes.int64 if whole else default_float(None)
    if chosen is dtypes.bool:
        raise DTypeError("arange", "numbers as dtype", chosen.name)
    if whole and all(-(2**63) <= v < 2**63 for v in numbers):
        first, last, by = map(int, numbers)
        return finish(_rbe._arange_integers(first, last, by, chosen), requires_grad)
    try:
        start, end, step = map(float, numbers)
    except OverflowError:
        raise TensorError("arange", "bounds and step that float64 holds", str(numbers)) from None
    return finish(_rbe._arange_floats(start, end, step, chosen), requires_grad)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return `steps` evenly spaced numbers from `start` to `end`, both included; integers are truncated.

    Raises
    ------
    TensorError
        For a negative number of steps.

    Examples
    --------
    >>> import rbe
    >>> rbe.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    check_device("linspace", device)
    count = integer("linspace", "steps", steps)
    if count < 0:
        raise TensorError("linspace", "at least 0 steps", str(count))
    chosen = default_float(dtype)
    if chosen is dtypes.bool:
        raise DTypeError("linspace", "numbers as dtype", chosen.name)
    check_memory("linspace", [count], chosen)
    first, last = (float(number("linspace", v)) for v in (start, end))
    return finish(_rbe._linspace(first, last, count, chosen), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return an (n, m) matrix with ones on the diagonal.

    Raises
    ------
    ShapeError
        For a negative length.

    Examples
    --------
    >>> import rbe
    >>> rbe.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    check_device("eye", device)
    chosen = default_float(dtype)
    rows, cols = sizes("eye", (n, n if m is None else m), chosen)
    return finish(_rbe._eye(rows, cols, chosen), requires_grad)
