"""Products and sums of vectors and matrices."""

from typing import Any

from .operand import Operands, activated

__all__ = ["axpy", "batched_gemm", "dot", "gemm", "gemv", "matrix_add", "matrix_multiply", "scal"]


def gemm(
    a: Any,
    b: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> Any:
    """Return `activation(a b + bias)`.

    Parameters
    ----------
    a : array or tensor (m, k), or (k, m) if `transpose_a`
    b : array or tensor (k, n), or (n, k) if `transpose_b`
    bias : array or tensor (n), optional
    activation : {"relu", "tanh", "sigmoid", "gelu", "silu"}, optional

    Returns
    -------
    array or tensor (m, n)

    Raises
    ------
    ShapeError
        If the shapes do not match.
    TensorError
        For an unknown activation.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.gemm(np.eye(2), np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([0.5, 0.5]), "relu")
    array([[1.5, 0. ],
           [3.5, 4.5]])
    """
    given = Operands("gemm", a, b, bias)
    x, w, c = given.tensors
    given.check(x.ndim == 2 and w.ndim == 2, "two matrices")
    x = x.transpose(0, 1) if transpose_a else x
    w = w if transpose_b else w.transpose(0, 1)  # (n, k), as `linear` expects
    given.check(x.shape[1] == w.shape[1], "matrices whose inner lengths agree")
    given.check(c is None or c.shape == (w.shape[0],), f"a bias ({w.shape[0]},)")
    return given.result(activated("gemm", x.linear(w, c), activation))


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
    given = Operands("gemv", a, x)
    m, v = given.tensors
    given.check(m.ndim == 2 and v.ndim == 1, "a matrix and a vector")
    m = m.transpose(0, 1) if transpose else m
    given.check(m.shape[1] == v.shape[0], "a vector as long as the matrix is wide")
    return given.result(m.matmul(v))


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
    given = Operands("dot", x, y)
    u, v = given.tensors
    given.check(u.ndim == 1 and u.shape == v.shape, "two vectors of one length")
    return given.result(u.matmul(v))


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
    given = Operands("axpy", x, y)
    u, v = given.tensors
    given.check(u.shape == v.shape, "operands of one shape")
    return given.result(u * alpha + v)


def scal(alpha: Any, x: Any) -> Any:
    """Return `alpha x`.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.scal(2.0, np.array([1.0, 2.0]))
    array([2., 4.])
    """
    given = Operands("scal", x)
    return given.result(given.tensors[0] * alpha)


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
    given = Operands("batched_gemm", a, b)
    x, y = given.tensors
    given.check(max(x.ndim, y.ndim) > 2 and min(x.ndim, y.ndim) > 1, "stacks of matrices")
    given.check(x.shape[-1] == y.shape[-2], "matrices whose inner lengths agree")
    return given.result(x.matmul(y))


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
    given = Operands("matrix_multiply", a, b)
    x, y = given.tensors
    given.check(x.ndim == 2 and y.ndim == 2 and x.shape[1] == y.shape[0], "matrices (m, k) and (k, n)")
    return given.result(x.matmul(y))


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
    given = Operands("matrix_add", a, b)
    x, y = given.tensors
    given.check(x.ndim == 2 and x.shape == y.shape, "two matrices of one shape")
    return given.result(x + y)
