"""Checks of the operands of a backend's operations, before its kernels compute; `systems.py` adds linear systems."""

import math
from collections.abc import Sequence
from typing import Any

from ..errors import DTypeError, OutOfRangeError, ShapeError, TensorError
from . import _operands
from .protocol import Array

DTYPES = (*_operands.FLOATS, "int64")


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
        return _operands.floats(self, op, *arrays)

    # Arrays

    def to_device(self, x: Any, dtype: str | None = None) -> Array:
        """See `Backend`."""
        return self._kernels.to_device(x, None if dtype is None else self._dtype("to_device", dtype))

    def to_host(self, x: Array) -> Any:
        """See `Backend`."""
        if not self.owns(x):
            raise DTypeError("to_host", f"an array of the backend {self.name}", _operands.describe(x))
        return self._kernels.to_host(x)

    def zeros(self, shape: int | tuple[int, ...], dtype: str = "float64") -> Array:
        """See `Backend`."""
        return self._kernels.zeros(shape, self._dtype("zeros", dtype))

    def ones(self, shape: int | tuple[int, ...], dtype: str = "float64") -> Array:
        """See `Backend`."""
        return self._kernels.ones(shape, self._dtype("ones", dtype))

    @staticmethod
    def _dtype(op: str, dtype: str) -> str:
        if dtype not in DTYPES:
            raise DTypeError(op, f"one of {', '.join(DTYPES)}", repr(dtype))
        return dtype

    def eye(self, n: int, dtype: str = "float64") -> Array:
        """See `Backend`."""
        if dtype not in _operands.FLOATS:
            raise DTypeError("eye", "float32 or float64", repr(dtype))
        return self._kernels.eye(_operands.count("eye", "n", n), dtype)

    def concat(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """See `Backend`."""
        if not arrays:
            raise TensorError("concat", "at least one array", "none")
        self._floats("concat", *arrays)
        axis = _operands.axis_of("concat", arrays[0], axis)
        around = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in arrays if x.ndim == arrays[0].ndim}
        same = len(around) == 1 and all(x.ndim == arrays[0].ndim for x in arrays)
        _operands.shape(same, "concat", "shapes that agree but for the axis", *arrays)
        return self._kernels.concat(list(arrays), axis)

    def reshape(self, X: Array, shape: tuple[int, ...]) -> Array:
        """See `Backend`."""
        self._floats("reshape", X)
        if math.prod(shape) != math.prod(X.shape):
            raise ShapeError("reshape", f"a shape of {math.prod(X.shape)} elements", str(shape))
        return self._kernels.reshape(X, shape)

    def take(self, X: Array, indices: Array) -> Array:
        """See `Backend`."""
        self._floats("take", X)
        self._indices("take", indices, int(X.shape[0]) if X.ndim else 0)
        return self._kernels.take(X, indices)

    def _indices(self, op: str, indices: Array, below: int) -> None:
        _operands.integers(self, op, indices)
        if math.prod(indices.shape):
            low, high = self._kernels.bounds(indices)
            if low < 0 or high >= below:
                raise OutOfRangeError(op, f"indices from 0 to {below - 1}", f"{low} to {high}")

    # Vectors and matrices

    def dot(self, x: Array, y: Array) -> Array:
        """See `Backend`."""
        self._floats("dot", x, y)
        _operands.shape(x.ndim == 1 and x.shape == y.shape, "dot", "two vectors of one length", x, y)
        return self._kernels.dot(x, y)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """See `Backend`."""
        self._floats("axpy", x, y)
        _operands.shape(x.shape == y.shape, "axpy", "operands of one shape", x, y)
        return self._kernels.axpy(_operands.real("axpy", "alpha", alpha), x, y)

    def scal(self, alpha: float, x: Array) -> Array:
        """See `Backend`."""
        self._floats("scal", x)
        return self._kernels.scal(_operands.real("scal", "alpha", alpha), x)

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
        _operands.shape(math.prod(x.shape) > 0, "amax", "at least one element", x)
        return self._kernels.amax(x)

    def gemv(
        self, A: Array, x: Array, tA: bool = False, alpha: float = 1.0, beta: float = 0.0, *, y: Array | None = None
    ) -> Array:
        """See `Backend`."""
        _operands.axes("gemv", A, 2) if self.owns(A) else None
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
        _operands.shape(fits[op], op, expected[op], A, B)
        a = self._kernels.transposed(A) if transposed[0] else A
        b = self._kernels.transposed(B) if transposed[1] else B
        inner = b.shape[0] if op == "gemv" else b.shape[-2]
        _operands.shape(
            a.shape[-1] == inner, op, f"inner lengths that agree (transposed: {transposed[0]}, {transposed[1]})", A, B
        )
        alpha, beta = _operands.real(op, "alpha", scales[0]), _operands.real(op, "beta", scales[1])
        if C is None:
            if beta != 0.0:
                raise TensorError(op, "the operand that beta scales", "None")
        else:
            result = (*a.shape[:-1], *((b.shape[-1],) if op != "gemv" else ()))
            _operands.shape(tuple(C.shape) == result, op, f"an operand of the result's shape {result} to add", C)
        return self._kernels.matmul(a, b, alpha, beta, C if beta != 0.0 else None)

    # Element by element

    def multiply(self, X: Array, Y: Array) -> Array:
        """See `Backend`."""
        return self._kernels.multiply(*self._broadcast("multiply", X, Y))

    def divide(self, X: Array, Y: Array) -> Array:
        """See `Backend`."""
        return self._kernels.divide(*self._broadcast("divide", X, Y))

    def minimum(self, X: Array, Y: Array) -> Array:
        """See `Backend`."""
        return self._kernels.minimum(*self._broadcast("minimum", X, Y))

    def _broadcast(self, op: str, X: Array, Y: Array) -> tuple[Array, Array]:
        self._floats(op, X, Y)
        pairs = zip(reversed(tuple(X.shape)), reversed(tuple(Y.shape)), strict=False)
        _operands.shape(all(a == b or 1 in (a, b) for a, b in pairs), op, "shapes that broadcast", X, Y)
        return X, Y

    def add_bias(self, X: Array, b: Array) -> Array:
        """See `Backend`."""
        self._floats("add_bias", X, b)
        fits = X.ndim == 2 and b.ndim == 1 and X.shape[1] == b.shape[0]
        _operands.shape(fits, "add_bias", "a matrix (n, m) and a vector (m)", X, b)
        return self._kernels.add_bias(X, b)

    def clip(self, X: Array, low: float | None = None, high: float | None = None) -> Array:
        """See `Backend`."""
        self._floats("clip", X)
        low = None if low is None else _operands.real("clip", "low", low)
        high = None if high is None else _operands.real("clip", "high", high)
        return X if low is None and high is None else self._kernels.clip(X, low, high)

    def exp(self, X: Array) -> Array:
        """See `Backend`."""
        self._floats("exp", X)
        return self._kernels.exp(X)

    def log(self, X: Array) -> Array:
        """See `Backend`."""
        self._floats("log", X)
        return self._kernels.log(X)

    def sqrt(self, X: Array) -> Array:
        """See `Backend`."""
        self._floats("sqrt", X)
        return self._kernels.sqrt(X)

    def sigmoid(self, Z: Array) -> Array:
        """See `Backend`."""
        self._floats("sigmoid", Z)
        return self._kernels.sigmoid(Z)

    def prox_soft_threshold(self, w: Array, tau: float) -> Array:
        """See `Backend`."""
        self._floats("prox_soft_threshold", w)
        tau = _operands.real("prox_soft_threshold", "tau", tau)
        if not tau >= 0.0:
            raise TensorError("prox_soft_threshold", "tau of at least 0", str(tau))
        return self._kernels.prox_soft_threshold(w, tau)

    # Reductions

    def sum(self, X: Array, axis: int | None = None) -> Array:
        """See `Backend`."""
        self._floats("sum", X)
        return self._kernels.sum(X, None if axis is None else _operands.axis_of("sum", X, axis))

    def mean(self, X: Array, axis: int | None = None) -> Array:
        """See `Backend`."""
        self._floats("mean", X)
        axis = None if axis is None else _operands.axis_of("mean", X, axis)
        over = math.prod(X.shape) if axis is None else X.shape[axis]
        _operands.shape(over > 0, "mean", "at least one element to average", X)
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
        axis = _operands.axis_of(op, X, axis)
        _operands.shape(X.shape[axis] > 0, op, "at least one element along the axis", X)
        return axis

    def topk(self, X: Array, k: int, largest: bool = True) -> tuple[Array, Array]:
        """See `Backend`."""
        self._floats("topk", X)
        k = _operands.count("topk", "k", k, least=1)
        _operands.shape(X.ndim > 0 and X.shape[-1] >= k, "topk", f"at least {k} elements along the last axis", X)
        values, places = self._kernels.topk(X, k, largest)
        return values, places

    def histogram(self, index: Array, weights: Array, bins: int) -> Array:
        """See `Backend`."""
        self._floats("histogram", weights)
        bins = _operands.count("histogram", "bins", bins, least=1)
        self._indices("histogram", index, bins)
        fits = index.ndim == 1 and weights.ndim in (1, 2) and weights.shape[0] == index.shape[0]
        _operands.shape(fits, "histogram", "indices (n) and weights (n) or (n, m)", index, weights)
        return self._kernels.histogram(index, weights, bins)

    def pairwise_distance(self, X: Array, Y: Array, squared: bool = False) -> Array:
        """See `Backend`."""
        self._floats("pairwise_distance", X, Y)
        fits = X.ndim == 2 and Y.ndim == 2 and X.shape[1] == Y.shape[1]
        _operands.shape(fits, "pairwise_distance", "matrices of as many columns", X, Y)
        return self._kernels.pairwise_distance(X, Y, squared)
