"""`create_tensor` and `create_variable`, which make tensors that can be recorded, and two operations on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _rbe
from ._default_dtype import default_float
from ._functions import add
from ._tensor import RBETensor
from .creation import as_tensor, tensor
from .dtypes import DTypeLike

__all__ = ["Variable", "create_tensor", "create_variable", "tensor_add", "tensor_matmul"]


def create_tensor(
    data: Any, shape: Sequence[int] | None = None, *, dtype: DTypeLike = None, requires_grad: bool = False
) -> RBETensor:
    """Return a tensor of a copy of `data`, in a shape.

    Numbers and lists become the default dtype (float32), integers too, which `rbe.tensor` leaves integers: the result can
    be recorded.

    Parameters
    ----------
    data : number, nested lists, NumPy array or tensor
        Arrays and tensors keep their dtype.
    shape : sequence of int, optional
        -1 stands for what is left.
    dtype : dtype, optional
        The element type instead.
    requires_grad : bool
        Whether operations on the tensor are recorded.

    Raises
    ------
    ShapeError
        For a shape of another number of elements, and for lists of unequal length.
    DTypeError
        For an element type that tensors do not have.

    Examples
    --------
    >>> import rbe
    >>> rbe.create_tensor([1, 2, 3, 4], shape=[2, 2])
    tensor([[1., 2.],
            [3., 4.]])
    """
    typed = isinstance(data, RBETensor | np.ndarray | np.generic)
    made = tensor(data, default_float(None) if dtype is None and not typed else dtype)
    if shape is not None:
        made = made.reshape(tuple(shape))
    if requires_grad:
        made.requires_grad = True
    return made


def create_variable(data: Any, requires_grad: bool = True, *, dtype: DTypeLike = None) -> RBETensor:
    """Return `create_tensor(data)` that is recorded, unless `requires_grad` is False.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.create_variable([2, 3])
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([4., 6.])
    """
    return create_tensor(data, dtype=dtype, requires_grad=requires_grad)


def Variable(data: Any, requires_grad: bool = False) -> RBETensor:
    """Return a tensor of numbers or, of a tensor, one over the same memory; recorded from here on if `requires_grad`.

    The name that torch had before tensors could be recorded themselves.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.autograd.Variable([1, 2], requires_grad=True)
    >>> rbe.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    if not isinstance(data, RBETensor):
        return create_variable(data, requires_grad)
    variable = data.detach()
    if requires_grad:
        variable.requires_grad = True
    return variable


def tensor_add(a: Any, b: Any) -> RBETensor:
    """Return `a + b`, as `rbe.add`.

    Examples
    --------
    >>> import rbe
    >>> rbe.tensor_add(rbe.create_tensor([1, 2]), rbe.create_tensor([3, 4]))
    tensor([4., 6.])
    """
    return add(a, b)


def tensor_matmul(a: Any, b: Any) -> RBETensor:
    """Return `a @ b`, as `rbe.matmul`.

    Examples
    --------
    >>> import rbe
    >>> a = rbe.create_tensor([1, 2, 3, 4], shape=[2, 2])
    >>> rbe.tensor_matmul(a, a).tolist()
    [[7.0, 10.0], [15.0, 22.0]]
    """
    return _rbe.matmul(as_tensor(a), as_tensor(b))
