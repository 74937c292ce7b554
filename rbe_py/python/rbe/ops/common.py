"""Matrices and images for the operations, with their number of axes checked, and outputs to write into."""

from typing import Any

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError
from .named import require as require
from .operand import listed

__all__ = ["as_tensor_2d", "as_tensor_4d", "make_empty_output", "make_tensor_2d", "make_tensor_4d", "require"]


def _of_axes(op: str, given: Any, axes: int, copy: bool) -> RBETensor:
    tensor = creation.as_tensor(listed(given))
    if tensor.ndim != axes:
        raise ShapeError(op, f"{axes} axes", str(tuple(tensor.shape)))
    return tensor.detach().clone() if copy else tensor


def as_tensor_2d(data: Any) -> RBETensor:
    """Return a matrix as a tensor that shares its memory where `rbe.as_tensor` does.

    Raises
    ------
    ShapeError
        For another number of axes than two.

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.ops.common import as_tensor_2d
    >>> as_tensor_2d(np.ones((2, 3))).shape
    (2, 3)
    """
    return _of_axes("as_tensor_2d", data, 2, copy=False)


def as_tensor_4d(data: Any) -> RBETensor:
    """Return images (N, C, H, W) as a tensor that shares their memory where `rbe.as_tensor` does.

    Raises
    ------
    ShapeError
        For another number of axes than four.

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.ops.common import as_tensor_4d
    >>> as_tensor_4d(np.ones((1, 3, 8, 8))).shape
    (1, 3, 8, 8)
    """
    return _of_axes("as_tensor_4d", data, 4, copy=False)


def make_tensor_2d(data: Any) -> RBETensor:
    """Return a copy of a matrix as a tensor.

    Raises
    ------
    ShapeError
        For another number of axes than two.

    Examples
    --------
    >>> from rbe.ops.common import make_tensor_2d
    >>> make_tensor_2d([[1.0, 2.0]]).dtype
    rbe.float64
    """
    return _of_axes("make_tensor_2d", data, 2, copy=True)


def make_tensor_4d(data: Any) -> RBETensor:
    """Return a copy of images (N, C, H, W) as a tensor.

    Raises
    ------
    ShapeError
        For another number of axes than four.

    Examples
    --------
    >>> from rbe.ops.common import make_tensor_4d
    >>> make_tensor_4d([[[[1.0, 2.0]]]]).shape
    (1, 1, 1, 2)
    """
    return _of_axes("make_tensor_4d", data, 4, copy=True)


def make_empty_output(shape: tuple[int, ...], dtype: DTypeLike = None) -> RBETensor:
    """Return an uninitialised tensor for the result of an operation's `forward_ex`.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype, optional
        The default dtype unless given.

    Examples
    --------
    >>> import rbe
    >>> from rbe.ops.common import make_empty_output
    >>> y = make_empty_output((1, 2))
    >>> rbe.ops.gemm.forward_ex(rbe.ones(1, 3), rbe.ones(3, 2), y).tolist()
    [[3.0, 3.0]]
    """
    return creation.empty(*shape, dtype=dtype)
