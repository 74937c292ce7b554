"""Linear systems on a backend: factorisations of its kernels, and solvers made of other operations."""

import math
from collections.abc import Callable

from ..errors import TensorError
from . import _operands
from .common import Common
from .protocol import Array, CGResult

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


class Complete(Common):
    """A backend over `kernels` with every operation of `Backend`."""

    def cholesky(self, A: Array) -> Array:
        """See `Backend`."""
        self._floats("cholesky", A)
        self._square("cholesky", A)
        return self._kernels.cholesky(A)

    @staticmethod
    def _square(op: str, A: Array) -> None:
        _operands.shape(A.ndim == 2 and A.shape[0] == A.shape[1] and A.shape[0] > 0, op, "a square matrix", A)

    def qr(self, A: Array) -> tuple[Array, Array]:
        """See `Backend`."""
        self._floats("qr", A)
        _operands.shape(A.ndim == 2 and A.shape[0] >= A.shape[1] > 0, "qr", "a matrix (m, n) with m >= n > 0", A)
        q, r = self._kernels.qr(A)
        return q, r

    def triangular_solve(self, T: Array, b: Array, lower: bool = True, transpose: bool = False) -> Array:
        """See `Backend`."""
        self._floats("triangular_solve", T, b)
        self._square("triangular_solve", T)
        self._right_side("triangular_solve", T, b)
        if not self._kernels.nonzero_diagonal(T):
            raise TensorError("triangular_solve", "a triangle without zeros on its diagonal", "a singular one")
        t, lower = (self._kernels.transposed(T), not lower) if transpose else (T, lower)
        x = self._kernels.triangular_solve(t, b if b.ndim == 2 else b[:, None], lower)
        return x if b.ndim == 2 else x[:, 0]

    @staticmethod
    def _right_side(op: str, A: Array, b: Array) -> None:
        fits = b.ndim in (1, 2) and b.shape[0] == A.shape[0]
        _operands.shape(fits, op, "a right side (n) or (n, m) as long as the matrix", A, b)

    def cholesky_solve(self, A: Array, b: Array) -> Array:
        """See `Backend`."""
        self._floats("cholesky_solve", A, b)
        self._square("cholesky_solve", A)
        self._right_side("cholesky_solve", A, b)
        lower = self.cholesky(A)
        return self.triangular_solve(lower, self.triangular_solve(lower, b), transpose=True)

    def qr_solve(self, A: Array, b: Array) -> Array:
        """See `Backend`."""
        dtype = self._floats("qr_solve", A, b)
        _operands.axes("qr_solve", A, 2)
        self._right_side("qr_solve", A, b)
        q, r = self.qr(A)
        small, large = self._kernels.diagonal_range(r)
        if not small > large * max(A.shape) * EPSILON[dtype]:
            raise TensorError(
                "qr_solve", "a matrix of full column rank", f"one whose R has diagonal entries {small} and {large}"
            )
        qb = self.gemm(q, b, tA=True) if b.ndim == 2 else self.gemv(q, b, tA=True)
        return self.triangular_solve(r, qb, lower=False)

    def cg(
        self,
        A: Array | Callable[[Array], Array],
        b: Array,
        x0: Array | None = None,
        tol: float = 1e-6,
        max_iter: int | None = None,
    ) -> CGResult:
        """See `Backend`."""
        dtype = self._floats("cg", b, *(() if callable(A) else (A,)), *(() if x0 is None else (x0,)))
        _operands.axes("cg", b, 1)
        if not callable(A):
            self._square("cg", A)
            _operands.shape(A.shape[0] == b.shape[0], "cg", "a matrix (n, n) and a vector (n)", A, b)
        if x0 is not None:
            _operands.shape(x0.shape == b.shape, "cg", "a start as long as b", x0, b)
        tol = _operands.real("cg", "tol", tol)
        limit = 10 * b.shape[0] if max_iter is None else _operands.count("cg", "max_iter", max_iter)
        product = A if callable(A) else lambda v: self.gemv(A, v)
        x = self.zeros(tuple(b.shape), dtype) if x0 is None else x0
        r = b if x0 is None else self.axpy(-1.0, product(x0), b)
        p, rr = r, float(self.dot(r, r))
        enough, done = tol * float(self.nrm2(b)), 0
        while done < limit and math.sqrt(rr) > enough:
            step = product(p)
            curvature = float(self.dot(p, step))
            if not curvature > 0.0:  # p is in the null space
                break
            x = self.axpy(rr / curvature, p, x)
            r = self.axpy(-rr / curvature, step, r)
            rr, before = float(self.dot(r, r)), rr
            p = self.axpy(rr / before, p, r)
            done += 1
        return CGResult(x, done, math.sqrt(rr))
