"""The operations of a backend: checks of their operands, and those that are made of others."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import DTypeError, OutOfRangeError, TensorError
from . import operands
from .protocol import Array, CGResult

DTYPES = (*operands.FLOATS, "int64")


class Common:
    """A backend over `kernels`: a module or object with the computations, which are given operands that fit.

    Subclasses add the methods that make and move arrays.
    """

    def __init__(self, name: str, kernels: Any) -> None:
        self.name = name
        self._kernels = kernels

    def __repr__(self) -> str:
        return f"<rbe.backend {self.name}>"

    def owns(self, x: Any) -> bool:
        """See `Backend`."""
        return bool(self._kernels.owns(x))

    def dtype_of(self, x: Array) -> str:
        """See `Backend`."""
        return str(self._kernels.dtype_of(x))

    def _floats(self, op: str, *arrays: Array) -> str:
        return operands.floats(self, op, *arrays)

    # Arrays

    def to_device(self, x: Any, dtype: str | None = None) -> Array:
        """See `Backend`."""
        if dtype is not None and dtype not in DTYPES:
            raise DTypeError("to_device", f"one of {', '.join(DTYPES)}", repr(dtype))
        return self._kernels.to_device(x, dtype)

    def to_host(self, x: Array) -> Any:
        """See `Backend`."""
        if not self.owns(x):
            raise DTypeError("to_host", f"an array of the backend {self.name}", operands.describe(x))
        return self._kernels.to_host(x)

    def zeros(self, shape: int | tuple[int, ...], dtype: str = "float64") -> Array:
        """See `Backend`."""
        if dtype not in DTYPES:
            raise DTypeError("zeros", f"one of {', '.join(DTYPES)}", repr(dtype))
        return self._kernels.zeros(shape, dtype)

    def eye(self, n: int, dtype: str = "float64") -> Array:
        """See `Backend`."""
        if dtype not in operands.FLOATS:
            raise DTypeError("eye", "float32 or float64", repr(dtype))
        return self._kernels.eye(operands.count("eye", "n", n), dtype)

    def concat(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """See `Backend`."""
        if not arrays:
            raise TensorError("concat", "at least one array", "none")
        self._floats("concat", *arrays)
        axis = operands.axis_of("concat", arrays[0], axis)
        around = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in arrays if x.ndim == arrays[0].ndim}
        same = len(around) == 1 and all(x.ndim == arrays[0].ndim for x in arrays)
        operands.shape(same, "concat", "shapes that agree but for the axis", *arrays)
        return self._kernels.concat(list(arrays), axis)

    def take(self, X: Array, indices: Array) -> Array:
        """See `Backend`."""
        self._floats("take", X)
        self._indices("take", indices, int(X.shape[0]) if X.ndim else 0)
        return self._kernels.take(X, indices)

    def _indices(self, op: str, indices: Array, below: int) -> None:
        operands.integers(self, op, indices)
        if math.prod(indices.shape):
            low, high = self._kernels.bounds(indices)
            if low < 0 or high >= below:
                raise OutOfRangeError(op, f"indices from 0 to {below - 1}", f"{low} to {high}")

    # Vectors and matrices

    def dot(self, x: Array, y: Array) -> Array:
        """See `Backend`."""
        self._floats("dot", x, y)
        operands.shape(x.ndim == 1 and x.shape == y.shape, "dot", "two vectors of one length", x, y)
        return self._kernels.dot(x, y)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """See `Backend`."""
        self._floats("axpy", x, y)
        operands.shape(x.shape == y.shape, "axpy", "operands of one shape", x, y)
        return self._kernels.axpy(operands.real("axpy", "alpha", alpha), x, y)

    def scal(self, alpha: float, x: Array) -> Array:
        """See `Backend`."""
        self._floats("scal", x)
        return self._kernels.scal(operands.real("scal", "alpha", alpha), x)

    def nrm2(self, x: Array) -> Array:
        """See `Backend`."""
        self._floats("nrm2", x)
        return self._kernels.nrm2(x)

    def asum(self, x: Array) -> Array:
        """See `Backend`."""
        self._floats("asum", x)
        return self._kernels.asum(x)

    def amax(self, x: Array) -> Array:
        """See `Backend`."""
        self._floats("amax", x)
        operands.shape(math.prod(x.shape) > 0, "amax", "at least one element", x)
        return self._kernels.amax(x)

    def gemv(
        self, A: Array, x: Array, tA: bool = False, alpha: float = 1.0, beta: float = 0.0, *, y: Array | None = None
    ) -> Array:
        """See `Backend`."""
        operands.axes("gemv", A, 2) if self.owns(A) else None
        return self._product("gemv", A, x, (tA, False), (alpha, beta), y)

    def gemm(
        self,
        A: Array,
        B: Array,
        tA: bool = False,
        tB: bool = False,
        alpha: float = 1.0,
        beta: float = 0.0,
        C: Array | None = None,
    ) -> Array:
        """See `Backend`."""
        return self._product("gemm", A, B, (tA, tB), (alpha, beta), C)

    def batched_gemm(
        self,
        A: Array,
        B: Array,
        tA: bool = False,
        tB: bool = False,
        alpha: float = 1.0,
        beta: float = 0.0,
        C: Array | None = None,
    ) -> Array:
        """See `Backend`."""
        return self._product("batched_gemm", A, B, (tA, tB), (alpha, beta), C)

    def _product(
        self, op: str, A: Array, B: Array, transposed: tuple[bool, bool], scales: tuple[float, float], C: Array | None
    ) -> Array:
        self._floats(op, A, B, *(() if C is None else (C,)))
        fits = {
            "gemv": A.ndim == 2 and B.ndim == 1,
            "gemm": A.ndim == 2 and B.ndim == 2,
            "batched_gemm": A.ndim > 2 and A.shape[:-2] == B.shape[:-2],
        }
        expected = {"gemv": "a matrix and a vector", "gemm": "two matrices", "batched_gemm": "two stacks of as many matrices"}
        operands.shape(fits[op], op, expected[op], A, B)
        a = self._kernels.transposed(A) if transposed[0] else A
        b = self._kernels.transposed(B) if transposed[1] else B
        inner = b.shape[0] if op == "gemv" else b.shape[-2]
        operands.shape(
            a.shape[-1] == inner, op, f"inner lengths that agree (transposed: {transposed[0]}, {transposed[1]})", A, B
        )
        alpha, beta = operands.real(op, "alpha", scales[0]), operands.real(op, "beta", scales[1])
        if C is None:
            if beta != 0.0:
                raise TensorError(op, "the operand that beta scales", "None")
        else:
            result = (*a.shape[:-1], *((b.shape[-1],) if op != "gemv" else ()))
            operands.shape(tuple(C.shape) == result, op, f"an operand of the result's shape {result} to add", C)
        return self._kernels.matmul(a, b, alpha, beta, C if beta != 0.0 else None)

    # Element by element

    def multiply(self, X: Array, Y: Array) -> Array:
        """See `Backend`."""
        self._floats("multiply", X, Y)
        pairs = zip(reversed(tuple(X.shape)), reversed(tuple(Y.shape)), strict=False)
        operands.shape(all(a == b or 1 in (a, b) for a, b in pairs), "multiply", "shapes that broadcast", X, Y)
        return self._kernels.multiply(X, Y)

    def add_bias(self, X: Array, b: Array) -> Array:
        """See `Backend`."""
        self._floats("add_bias", X, b)
        fits = X.ndim == 2 and b.ndim == 1 and X.shape[1] == b.shape[0]
        operands.shape(fits, "add_bias", "a matrix (n, m) and a vector (m)", X, b)
        return self._kernels.add_bias(X, b)

    def clip(self, X: Array, low: float | None = None, high: float | None = None) -> Array:
        """See `Backend`."""
        self._floats("clip", X)
        low = None if low is None else operands.real("clip", "low", low)
        high = None if high is None else operands.real("clip", "high", high)
        return X if low is None and high is None else self._kernels.clip(X, low, high)

    def exp(self, X: Array) -> Array:
        """See `Backend`."""
        self._floats("exp", X)
        return self._kernels.exp(X)

    def log(self, X: Array) -> Array:
        """See `Backend`."""
        self._floats("log", X)
        return self._kernels.log(X)

    def sigmoid(self, Z: Array) -> Array:
        """See `Backend`."""
        self._floats("sigmoid", Z)
        return self._kernels.sigmoid(Z)

    def prox_soft_threshold(self, w: Array, tau: float) -> Array:
        """See `Backend`."""
        self._floats("prox_soft_threshold", w)
        tau = operands.real("prox_soft_threshold", "tau", tau)
        if not tau >= 0.0:
            raise TensorError("prox_soft_threshold", "tau of at least 0", str(tau))
        return self._kernels.prox_soft_threshold(w, tau)

    # Reductions

    def sum(self, X: Array, axis: int | None = None) -> Array:
        """See `Backend`."""
        self._floats("sum", X)
        return self._kernels.sum(X, None if axis is None else operands.axis_of("sum", X, axis))

    def mean(self, X: Array, axis: int | None = None) -> Array:
        """See `Backend`."""
        self._floats("mean", X)
        axis = None if axis is None else operands.axis_of("mean", X, axis)
        over = math.prod(X.shape) if axis is None else X.shape[axis]
        operands.shape(over > 0, "mean", "at least one element to average", X)
        return self._kernels.mean(X, axis)

    def softmax(self, Z: Array, axis: int = -1) -> Array:
        """See `Backend`."""
        return self._kernels.softmax(Z, self._along("softmax", Z, axis))

    def logsumexp(self, Z: Array, axis: int = -1) -> Array:
        """See `Backend`."""
        return self._kernels.logsumexp(Z, self._along("logsumexp", Z, axis))

    def argmin(self, X: Array, axis: int = -1) -> Array:
        """See `Backend`."""
        return self._kernels.argmin(X, self._along("argmin", X, axis))

    def _along(self, op: str, X: Array, axis: int) -> int:
        self._floats(op, X)
        axis = operands.axis_of(op, X, axis)
        operands.shape(X.shape[axis] > 0, op, "at least one element along the axis", X)
        return axis

    def topk(self, X: Array, k: int, largest: bool = True) -> tuple[Array, Array]:
        """See `Backend`."""
        self._floats("topk", X)
        k = operands.count("topk", "k", k, least=1)
        operands.shape(X.ndim > 0 and X.shape[-1] >= k, "topk", f"at least {k} elements along the last axis", X)
        values, places = self._kernels.topk(X, k, largest)
        return values, places

    def histogram(self, index: Array, weights: Array, bins: int) -> Array:
        """See `Backend`."""
        self._floats("histogram", weights)
        bins = operands.count("histogram", "bins", bins, least=1)
        self._indices("histogram", index, bins)
        fits = index.ndim == 1 and weights.ndim in (1, 2) and weights.shape[0] == index.shape[0]
        operands.shape(fits, "histogram", "indices (n) and weights (n) or (n, m)", index, weights)
        return self._kernels.histogram(index, weights, bins)

    def pairwise_distance(self, X: Array, Y: Array, squared: bool = False) -> Array:
        """See `Backend`."""
        self._floats("pairwise_distance", X, Y)
        fits = X.ndim == 2 and Y.ndim == 2 and X.shape[1] == Y.shape[1]
        operands.shape(fits, "pairwise_distance", "matrices of as many columns", X, Y)
        return self._kernels.pairwise_distance(X, Y, squared)

    # Linear systems

    def cholesky(self, A: Array) -> Array:
        """See `Backend`."""
        self._floats("cholesky", A)
        self._square("cholesky", A)
        return self._kernels.cholesky(A)

    @staticmethod
    def _square(op: str, A: Array) -> None:
        operands.shape(A.ndim == 2 and A.shape[0] == A.shape[1] and A.shape[0] > 0, op, "a square matrix", A)

    def qr(self, A: Array) -> tuple[Array, Array]:
        """See `Backend`."""
        self._floats("qr", A)
        operands.shape(A.ndim == 2 and A.shape[0] >= A.shape[1] > 0, "qr", "a matrix (m, n) with m >= n > 0", A)
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
        operands.shape(fits, op, "a right side (n) or (n, m) as long as the matrix", A, b)

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
        operands.axes("qr_solve", A, 2)
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
        operands.axes("cg", b, 1)
        if not callable(A):
            self._square("cg", A)
            operands.shape(A.shape[0] == b.shape[0], "cg", "a matrix (n, n) and a vector (n)", A, b)
        if x0 is not None:
            operands.shape(x0.shape == b.shape, "cg", "a start as long as b", x0, b)
        tol = operands.real("cg", "tol", tol)
        limit = 10 * b.shape[0] if max_iter is None else operands.count("cg", "max_iter", max_iter)
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


EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
