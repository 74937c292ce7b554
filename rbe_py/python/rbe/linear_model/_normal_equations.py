"""Solvers of the normal equations `(Xᵀ W X + alpha) B = Xᵀ W Y`."""

import math

from ..backend import Backend
from ..backend.protocol import Array
from ..errors import TensorError
from ._rows import Rows

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


def inverse_roots(backend: Backend, gram: Array) -> Array:
    """Return `1 / √g` of the diagonal (d) of a Gram matrix; a 0 counts as 1e-30."""
    dtype = backend.dtype_of(gram)
    diagonal = backend.sum(backend.multiply(gram, backend.eye(gram.shape[0], dtype)), axis=0)
    return backend.divide(backend.ones(gram.shape[0], dtype), backend.sqrt(backend.clip(diagonal, low=1e-30)))


def by_cholesky(rows: Rows, alpha: float = 0.0) -> Array:
    """Return the coefficients (d, t) by the Cholesky factor of the Gram matrix of columns scaled to one length.

    One step of refinement with the residuals of the rows themselves makes up for what squaring the condition number lost.

    Raises
    ------
    TensorError
        If the columns depend on each other as far as the dtype can tell.
    """
    b = rows.backend
    gram, cross = rows.products()
    dtype = b.dtype_of(gram)
    if alpha:
        gram = b.axpy(alpha, b.eye(gram.shape[0], dtype), gram)
    scale = inverse_roots(b, gram)
    lower = b.cholesky(b.multiply(b.multiply(gram, scale[:, None]), scale[None, :]))
    pivots = b.sum(b.multiply(lower, b.eye(lower.shape[0], dtype)), axis=0)
    least = float(b.topk(pivots, 1, largest=False)[0][0])
    if least**2 < 1e3 * EPSILON[dtype]:  # the scaled columns have length 1: a pivot is a column's distance from those before it
        raise TensorError("cholesky", "columns that do not depend on each other", f"a pivot of {least}")

    def solve(right: Array) -> Array:
        scaled = b.triangular_solve(lower, b.multiply(right, scale[:, None]))
        return b.multiply(b.triangular_solve(lower, scaled, transpose=True), scale[:, None])

    coef = solve(cross)
    gradient = rows.correlation(coef)
    return b.axpy(1.0, solve(b.axpy(-alpha, coef, gradient) if alpha else gradient), coef)


def by_dual(rows: Rows, alpha: float) -> Array:
    """Return the coefficients (d, t) by the Cholesky factor of `X Xᵀ + alpha`, the smaller system where n < d."""
    b = rows.backend
    x, y = rows.whole()
    kernel = b.axpy(alpha, b.eye(x.shape[0], b.dtype_of(x)), b.gemm(x, x, tB=True))
    return b.gemm(x, b.cholesky_solve(kernel, y), tA=True)


def by_qr(rows: Rows) -> Array:
    """Return the coefficients (d, t) by QR of the rows; `TensorError` unless they have full column rank."""
    x, y = rows.whole()
    if x.shape[0] < x.shape[1]:
        raise TensorError("qr", "as many samples as features", f"{x.shape[0]} samples of {x.shape[1]} features")
    return rows.backend.qr_solve(x, y)


def by_cg(rows: Rows, alpha: float, tol: float, max_iter: int | None) -> tuple[Array, int]:
    """Return the coefficients (d, t) by conjugate gradients, which start at 0, and the most steps of a target.

    Without a penalty they are those of least norm where several fit as well.
    """
    b = rows.backend
    x, y = rows.whole()

    def product(v: Array) -> Array:
        return b.gemv(x, b.gemv(x, v), tA=True, beta=alpha, y=v)

    columns, most = [], 0
    for t in range(y.shape[1]):
        found = b.cg(product, b.gemv(x, y[:, t], tA=True), tol=tol, max_iter=max_iter)
        columns.append(found.x[:, None])
        most = max(most, found.iterations)
    return b.concat(columns, axis=1), max(most, 1)


def least_squares(rows: Rows, solver: str, tol: float, max_iter: int | None) -> tuple[Array, int]:
    """Return the coefficients without a penalty, and the steps of "cg", 1 for a direct solver."""
    if solver == "auto":
        for direct in (by_cholesky, by_qr):
            try:
                return direct(rows), 1
            except TensorError:  # dependent columns
                continue
        return by_cg(rows, 0.0, tol, max_iter)
    if solver == "cg":
        return by_cg(rows, 0.0, tol, max_iter)
    return (by_cholesky if solver == "cholesky" else by_qr)(rows), 1


def ridge(rows: Rows, alpha: float, solver: str, tol: float, max_iter: int | None) -> tuple[Array, int]:
    """Return the coefficients with the penalty `alpha ‖B‖²`, and the steps of "cg", 1 for a direct solver."""
    if solver == "cg":
        return by_cg(rows, alpha, tol, max_iter)
    try:
        if alpha and rows.X.shape[0] < rows.X.shape[1]:
            return by_dual(rows, alpha), 1
        return by_cholesky(rows, alpha), 1
    except TensorError:
        if solver == "cholesky" or not math.isfinite(alpha):
            raise
        return by_cg(rows, alpha, tol, max_iter)
