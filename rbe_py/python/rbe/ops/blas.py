"""Products and sums of vectors and matrices."""

from typing import Any

from .. import _rbe
from ..errors import TensorError
from ._operation import into, operation
from .operand import Operands, activated, chosen

__all__ = ["axpy", "batched_gemm", "dot", "gemm", "gemv", "matrix_add", "matrix_multiply", "scal"]


@operation
def gemm(
    a: Any,
    b: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    act: str | None = None,
    with_bias: bool | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> Any:
    """Return `activation(a b + bias)`.

    `gemm.forward_ex(a, b, bias, out, …)` writes the result into `out`.

    Parameters
    ----------
    a : array or tensor (m, k), or (k, m) if `transpose_a`
    b : array or tensor (k, n), or (n, k) if `transpose_b`
    bias : array or tensor (n), optional
    activation, act : {"relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "none"}, optional
        By either name.
    with_bias : bool, optional
        Whether the bias counts: by default if it is given.

    Returns
    -------
    array or tensor (m, n)

    Raises
    ------
    ShapeError
        If the shapes do not match.
    TensorError
        For an unknown activation, one by both names, or `with_bias` without a bias.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.gemm(np.eye(2), np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([0.5, 0.5]), "relu")
    array([[1.5, 0. ],
           [3.5, 4.5]])
    """
    if act is not None or with_bias is not None or activation == "none":
        activation = chosen("gemm", activation, act)
        bias = counted(bias, with_bias)
    found = _rbe._plain_gemm(a, b, bias, activation, (transpose_a, transpose_b))
    if found is not None:
        return found
    given = Operands("gemm", a, b, bias)
    x, w, c = given.tensors
    given.check(x.ndim == 2 and w.ndim == 2, "two matrices")
    x = x.transpose(0, 1) if transpose_a else x
    w = w if transpose_b else w.transpose(0, 1)  # (n, k), as `linear` expects
    given.check(x.shape[1] == w.shape[1], "matrices whose inner lengths agree")
    given.check(c is None or c.shape == (w.shape[0],), f"a bias ({w.shape[0]},)")
    return given.result(activated("gemm", x.linear(w, c), activation))


def counted(bias: Any, with_bias: bool | None) -> Any:
    """Return the bias, None if `with_bias` is False.

    Raises
    ------
    TensorError
        If it is True and there is none.
    """
    if with_bias and bias is None:
        raise TensorError("gemm", "a bias with with_bias=True", "None")
    return None if with_bias is False else bias


def gemm_into(*args: Any, **options: Any) -> Any:
    """Write `gemm` of all arguments but the last into the last, without another array where it is row-major."""
    *operands, out = args
    activation = chosen("gemm", operands[3] if len(operands) > 3 else options.get("activation"), options.get("act"))
    bias = counted(operands[2] if len(operands) > 2 else options.get("bias"), options.get("with_bias"))
    transposed = bool(options.get("transpose_a")), bool(options.get("transpose_b"))
    if len(operands) >= 2:
        found = _rbe._plain_gemm(operands[0], operands[1], bias, activation, transposed, out)
        if found is not None:
            return found
    return into("gemm", out, gemm(*operands, **options))


gemm.forward_ex = gemm_into  # type: ignore[method-assign]


@operation
def gemv(a: Any, x: Any, *, transpose: bool = False) -> Any:
    """Return `a x`, or `aᵀ x`: of a (m, n) and x (n) the vector (m).

    Raises
    ------
    ShapeError
        If the shapes do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.gemv(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    array([3., 7.])
    """
    found = _rbe._plain_gemv(a, x, transpose)
    if found is not None:
        return found
    given = Operands("gemv", a, x)
    m, v = given.tensors
    given.check(m.ndim == 2 and v.ndim == 1, "a matrix and a vector")
    m = m.transpose(0, 1) if transpose else m
    given.check(m.shape[1] == v.shape[0], "a vector as long as the matrix is wide")
    return given.result(m.matmul(v))


@operation
def dot(x: Any, y: Any) -> Any:
    """Return `Σ x y` of two vectors (n), without axes.

    Raises
    ------
    ShapeError
        For vectors of different lengths.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> float(rbe.ops.dot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    11.0
    """
    found = _rbe._plain_dot(x, y)
    if found is not None:
        return found
    given = Operands("dot", x, y)
    u, v = given.tensors
    given.check(u.ndim == 1 and u.shape == v.shape, "two vectors of one length")
    return given.result(u.matmul(v))


@operation
def axpy(alpha: Any, x: Any, y: Any) -> Any:
    """Return `alpha x + y` for a number and two operands of one shape.

    Raises
    ------
    ShapeError
        For operands of different shapes.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.axpy(2.0, np.array([1.0, 2.0]), np.array([10.0, 10.0]))
    array([12., 14.])
    """
    found = _rbe._plain_axpy(alpha, x, y) if isinstance(alpha, float | int) else None
    if found is not None:
        return found
    given = Operands("axpy", x, y)
    u, v = given.tensors
    given.check(u.shape == v.shape, "operands of one shape")
    return given.result(u * alpha + v)


@operation
def scal(alpha: Any, x: Any) -> Any:
    """Return `alpha x`.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.scal(2.0, np.array([1.0, 2.0]))
    array([2., 4.])
    """
    found = _rbe._plain_axpy(alpha, x) if isinstance(alpha, float | int) else None
    if found is not None:
        return found
    given = Operands("scal", x)
    return given.result(given.tensors[0] * alpha)


@operation
def batched_gemm(a: Any, b: Any) -> Any:
    """Return the products of the matrices in a (…, m, k) and b (…, k, n): (…, m, n). Leading axes broadcast.

    Raises
    ------
    ShapeError
        For fewer than three axes, or if the shapes do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.batched_gemm(np.ones((5, 2, 3)), np.ones((5, 3, 4))).shape
    (5, 2, 4)
    """
    found = _rbe._plain_batched_gemm(a, b)
    if found is not None:
        return found
    given = Operands("batched_gemm", a, b)
    x, y = given.tensors
    given.check(max(x.ndim, y.ndim) > 2 and min(x.ndim, y.ndim) > 1, "stacks of matrices")
    given.check(x.shape[-1] == y.shape[-2], "matrices whose inner lengths agree")
    return given.result(x.matmul(y))


@operation
def matrix_multiply(a: Any, b: Any) -> Any:
    """Return the product of two matrices, (m, k) and (k, n): (m, n).

    Raises
    ------
    ShapeError
        If the shapes do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.matrix_multiply(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    found = _rbe._plain_gemm(a, b)
    if found is not None:
        return found
    given = Operands("matrix_multiply", a, b)
    x, y = given.tensors
    given.check(x.ndim == 2 and y.ndim == 2 and x.shape[1] == y.shape[0], "matrices (m, k) and (k, n)")
    return given.result(x.matmul(y))


@operation
def matrix_add(a: Any, b: Any) -> Any:
    """Return the sum of two matrices of one shape.

    Raises
    ------
    ShapeError
        If the shapes differ; there is no broadcasting.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.matrix_add(np.eye(2), np.eye(2))
    array([[2., 0.],
           [0., 2.]])
    """
    found = _rbe._plain_matrix_add(a, b)
    if found is not None:
        return found
    given = Operands("matrix_add", a, b)
    x, y = given.tensors
    given.check(x.ndim == 2 and x.shape == y.shape, "two matrices of one shape")
    return given.result(x + y)
