"""Norms of vectors and matrices."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._axes import axis_of
from ..dtypes import as_dtype
from ..errors import ShapeError, TensorError, UnknownNameError
from ._lapack import floats, matrices
from ._spectra import svdvals
from ._systems import inv

if TYPE_CHECKING:
    from .._rbe import RBETensor

_Axes = int | Sequence[int] | None


def vector_norm(x: "RBETensor", ord: float = 2, dim: _Axes = None, keepdim: bool = False, *, dtype: Any = None) -> "RBETensor":
    """Return the norm `(Σ |x|^ord)^(1/ord)` over axes; all by default.

    Parameters
    ----------
    x : tensor
    ord : float
        inf: the largest magnitude, -inf: the smallest, 0: the number of elements other than 0.
    dim : int or sequence, optional
    keepdim : bool
    dtype : dtype, optional
        Convert first.

    Raises
    ------
    DTypeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.vector_norm(rbe.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = x if dtype is None else x.to(as_dtype(dtype))
    floats("vector_norm", x)
    axes = dim if dim is None or isinstance(dim, int) else list(dim)
    return x._norm(float(ord), axes, keepdim)


def matrix_norm(
    A: "RBETensor", ord: float | str = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> "RBETensor":
    """Return a norm of matrices, which two axes hold.

    Parameters
    ----------
    A : tensor (…, m, n)
    ord : {"fro", "nuc", inf, -inf, 1, -1, 2, -2}
        The root of the sum of squares; the sum of singular values; the largest or smallest sum of magnitudes of a row (inf) or
        a column (1); the largest or smallest singular value (2).
    dim : (int, int)
        Rows and columns.
    keepdim : bool
    dtype : dtype, optional
        Convert first.

    Raises
    ------
    UnknownNameError
        For another norm.
    DTypeError, ShapeError, OutOfRangeError, LinAlgError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.matrix_norm(rbe.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    A = A if dtype is None else A.to(as_dtype(dtype))
    matrices("matrix_norm", A)
    if not isinstance(dim, Sequence) or len(dim) != 2:
        raise ShapeError("matrix_norm", "two axes as dim", repr(dim))
    rows, columns = (axis_of("matrix_norm", d, A.ndim) for d in dim)
    if rows == columns:
        raise ShapeError("matrix_norm", "two different axes as dim", repr(dim))
    if ord == "fro":
        return A._norm(2.0, [rows, columns], keepdim)
    x = A.permute([*(i for i in range(A.ndim) if i not in (rows, columns)), rows, columns])
    if ord == "nuc":
        found = svdvals(x).sum(-1)
    elif ord in (2, -2):
        found = svdvals(x).amax(-1) if ord == 2 else svdvals(x).amin(-1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = x.abs().sum(-2 if abs(float(ord)) == 1 else -1)
        found = sums.amax(-1) if float(ord) > 0 else sums.amin(-1)
    else:
        raise UnknownNameError("matrix_norm", "fro, nuc, inf, -inf, 1, -1, 2 or -2", repr(ord))
    if not keepdim:
        return found
    first, second = sorted((rows, columns))
    return found.unsqueeze(first).unsqueeze(second)


def norm(
    A: "RBETensor", ord: float | str | None = None, dim: _Axes = None, keepdim: bool = False, *, dtype: Any = None
) -> "RBETensor":
    """Return a norm of vectors or matrices.

    Without `ord` it is the root of the sum of squares over `dim`, or all axes; with it that of vectors for one axis, and of
    matrices for two. Without `dim` the tensor is then a vector or a matrix.

    Raises
    ------
    ShapeError
        For other axes.
    DTypeError, OutOfRangeError, UnknownNameError, LinAlgError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.norm(rbe.tensor([[3.0, 0.0], [0.0, 4.0]]), "nuc")
    tensor(7.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    axes = list(range(A.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if len(axes) == 2:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype)
    if len(axes) != 1:
        raise ShapeError("norm", "one or two axes", f"{len(axes)} of {tuple(A.shape)}")
    if isinstance(ord, str):
        raise TensorError("norm", "a number as the order of a vector's norm", repr(ord))
    return vector_norm(A, ord, axes, keepdim, dtype=dtype)


def cond(A: "RBETensor", p: float | str | None = None) -> "RBETensor":
    """Return the condition number of matrices (…, n, n): the norm times that of the inverse.

    Parameters
    ----------
    A : tensor (…, n, n); (…, m, n) for the default
    p : {2, -2, "fro", "nuc", inf, -inf, 1, -1}, optional
        The norm; by default 2, the largest singular value divided by the smallest.

    Raises
    ------
    LinAlgError
        For a singular matrix, unless p is 2 or -2.
    DTypeError, ShapeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.cond(rbe.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p is None or p in (2, -2):
        matrices("cond", A)
        s = svdvals(A)
        return s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
    matrices("cond", A, square=True)
    return matrix_norm(A, p) * matrix_norm(inv(A), p)
