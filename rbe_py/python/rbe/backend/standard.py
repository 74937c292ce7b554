"""Computations of `ArrayBackend`: the Python array API standard, and what single libraries do better than it."""

import math
from typing import Any

import numpy as np

from .._compat import require
from ..errors import DTypeError, TensorError
from . import _host
from ._operands import describe
from .protocol import Array


class Standard:
    """The computations on arrays of one namespace and device.

    Parameters
    ----------
    xp : module
        NumPy, torch, CuPy, jax.numpy, array_api_strict or another namespace of the standard.
    device : device of that library, optional
        Where arrays are made; default: the library's.
    """

    def __init__(self, xp: Any, device: Any = None) -> None:
        self.compat = require("ArrayBackend", "array_api_compat")
        try:
            self.xp = self.compat.array_namespace(xp.asarray([0.0]))
        except (AttributeError, TypeError) as e:
            raise DTypeError("ArrayBackend", "a namespace of the array API standard", f"{describe(xp)} ({e})") from None
        self.device = device
        self.torch = self.xp if self.compat.is_torch_namespace(self.xp) else None
        self.numpy = self.xp if self.compat.is_numpy_namespace(self.xp) else None
        self.dtypes = {name: getattr(self.xp, name) for name in ("float32", "float64", "int64")}

    # Arrays

    def owns(self, x: Any) -> bool:
        """Return whether x is an array of this namespace."""
        if self.numpy is not None:
            return _host.owns(x)
        try:
            return self.compat.array_namespace(x) is self.xp
        except TypeError:
            return False

    def dtype_of(self, x: Array) -> str:
        """Return the name of the dtype."""
        return next((name for name, dtype in self.dtypes.items() if x.dtype == dtype), str(x.dtype))

    def to_device(self, x: Any, dtype: str | None) -> Array:
        """Return numbers as an array of this namespace, on its device."""
        if not self.owns(x):
            array = _host.to_device(x, dtype)
            if self.torch is not None and not array.flags.writeable:
                array = array.copy()  # torch has no read-only tensors
            return self.xp.asarray(array, device=self.device)
        if self.dtype_of(x) not in self.dtypes:
            is_real = self.xp.isdtype(x.dtype, ("bool", "integral", "real floating"))
            if not is_real:
                raise DTypeError("to_device", "real numbers in a dense array", describe(x))
            dtype = dtype or ("float64" if self.xp.isdtype(x.dtype, "real floating") else "int64")
        elif dtype == "int64" and self.dtype_of(x) != "int64":
            raise DTypeError("to_device", "integers for int64", describe(x))
        x = x if dtype is None else self.xp.astype(x, self.dtypes[dtype], copy=False)
        return x if self.device is None else self.compat.to_device(x, self.device)

    def to_host(self, x: Array) -> Any:
        """Return a NumPy array."""
        if self.torch is not None:
            return x.detach().cpu().numpy()
        return np.asarray(self.compat.to_device(x, "cpu") if self.compat.is_cupy_namespace(self.xp) else x)

    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> Array:
        """Return zeros."""
        return self.xp.zeros(shape, dtype=self.dtypes[dtype], device=self.device)

    def ones(self, shape: int | tuple[int, ...], dtype: str) -> Array:
        """Return ones."""
        return self.xp.ones(shape, dtype=self.dtypes[dtype], device=self.device)

    def eye(self, n: int, dtype: str) -> Array:
        """Return the identity."""
        return self.xp.eye(n, dtype=self.dtypes[dtype], device=self.device)

    def concat(self, arrays: list[Array], axis: int) -> Array:
        """Join arrays along an axis."""
        return self.xp.concat(arrays, axis=axis)

    def bounds(self, indices: Array) -> tuple[int, int]:
        """Return the least and the largest index."""
        return int(self.xp.min(indices)), int(self.xp.max(indices))

    def reshape(self, X: Array, shape: tuple[int, ...]) -> Array:
        """Return the elements in another shape."""
        return self.xp.reshape(X, shape)

    def take(self, X: Array, indices: Array) -> Array:
        """Return entries of the first axis."""
        found = self.xp.take(X, self.xp.reshape(indices, (-1,)), axis=0)
        return self.xp.reshape(found, (*indices.shape, *X.shape[1:]))

    def transposed(self, x: Array) -> Array:
        """Return a view with the last two axes exchanged."""
        return self.xp.matrix_transpose(x)

    # Vectors and matrices

    def dot(self, x: Array, y: Array) -> Array:
        """Return the product of two vectors."""
        return self.xp.vecdot(x, y)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """Return `alpha x + y`."""
        return alpha * x + y

    def scal(self, alpha: float, x: Array) -> Array:
        """Return `alpha x`."""
        return alpha * x

    def nrm2(self, x: Array) -> Array:
        """Return the Euclidean norm of all elements."""
        flat = self.xp.reshape(x, (-1,))
        return self.xp.sqrt(self.xp.vecdot(flat, flat))

    def asum(self, x: Array) -> Array:
        """Return the sum of magnitudes."""
        return self.xp.sum(self.xp.abs(x))

    def amax(self, x: Array) -> Array:
        """Return the largest magnitude."""
        return self.xp.max(self.xp.abs(x))

    def matmul(self, A: Array, B: Array, alpha: float, beta: float, C: Array | None) -> Array:
        """Return `alpha A B + beta C`."""
        y = self.xp.matmul(A, B)
        y = y if alpha == 1.0 else alpha * y
        return y if C is None else y + beta * C

    # Element by element

    def multiply(self, X: Array, Y: Array) -> Array:
        """Return the product element by element."""
        return X * Y

    def divide(self, X: Array, Y: Array) -> Array:
        """Return the quotient element by element."""
        return X / Y

    def minimum(self, X: Array, Y: Array) -> Array:
        """Return the lesser element by element."""
        return self.xp.minimum(X, Y)

    def add_bias(self, X: Array, b: Array) -> Array:
        """Add a vector to every row."""
        return X + b

    def clip(self, X: Array, low: float | None, high: float | None) -> Array:
        """Move elements into an interval."""
        return self.xp.clip(X, low, high)

    def exp(self, X: Array) -> Array:
        """Return the exponential."""
        return self.xp.exp(X)

    def log(self, X: Array) -> Array:
        """Return the natural logarithm."""
        return self.xp.log(X)

    def sqrt(self, X: Array) -> Array:
        """Return the square root."""
        return self.xp.sqrt(X)

    def sigmoid(self, Z: Array) -> Array:
        """Return the logistic function; e^-|Z| does not overflow."""
        small = self.xp.exp(-self.xp.abs(Z))
        return self.xp.where(Z < 0, small, self.xp.ones_like(Z)) / (1.0 + small)

    def prox_soft_threshold(self, w: Array, tau: float) -> Array:
        """Move elements towards 0 by `tau`."""
        return w - self.xp.clip(w, -tau, tau)

    # Reductions

    def sum(self, X: Array, axis: int | None) -> Array:
        """Return sums."""
        return self.xp.sum(X, axis=axis)

    def mean(self, X: Array, axis: int | None) -> Array:
        """Return means."""
        return self.xp.mean(X, axis=axis)

    def softmax(self, Z: Array, axis: int) -> Array:
        """Return the softmax along an axis."""
        e = self.xp.exp(Z - self.xp.max(Z, axis=axis, keepdims=True))
        return e / self.xp.sum(e, axis=axis, keepdims=True)

    def logsumexp(self, Z: Array, axis: int) -> Array:
        """Return the logarithm of the sum of exponentials along an axis."""
        top = self.xp.max(Z, axis=axis, keepdims=True)
        top = self.xp.where(self.xp.isfinite(top), top, self.xp.zeros_like(top))
        total = self.xp.sum(self.xp.exp(Z - top), axis=axis)
        with np.errstate(divide="ignore"):  # the logarithm of no mass at all is -inf
            total = self.xp.log(total)
        return total + self.xp.squeeze(top, axis=axis)

    def argmin(self, X: Array, axis: int) -> Array:
        """Return the positions of the least elements along an axis."""
        return self.xp.astype(self.xp.argmin(X, axis=axis), self.dtypes["int64"], copy=False)

    def topk(self, X: Array, k: int, largest: bool) -> tuple[Array, Array]:
        """Return the k largest or smallest elements along the last axis, in order, and their positions."""
        if self.torch is not None:
            found = self.torch.topk(X, k, dim=-1, largest=largest)
            return found.values, found.indices
        if self.numpy is not None:
            places = self.numpy.argpartition(-X if largest else X, k - 1, axis=-1)[..., :k]
            found = self.numpy.take_along_axis(X, places, axis=-1)
            order = self.numpy.argsort(-found if largest else found, axis=-1)
            return tuple(self.numpy.take_along_axis(a, order, axis=-1) for a in (found, places))
        places = self.xp.argsort(X, axis=-1, descending=largest)[..., :k]
        return self.xp.take_along_axis(X, places, axis=-1), self.xp.astype(places, self.dtypes["int64"], copy=False)

    def histogram(self, index: Array, weights: Array, bins: int) -> Array:
        """Return the sums of the rows of each bin; the standard alone has them as a product with a matrix of zeros and ones."""
        shape = (bins, *weights.shape[1:])
        if self.torch is not None:
            return self.torch.zeros(shape, dtype=weights.dtype, device=weights.device).index_add_(0, index, weights)
        rows = self.xp.reshape(weights, (weights.shape[0], math.prod(weights.shape[1:])))
        if self.numpy is not None:
            sums = [self.numpy.bincount(index, weights=column, minlength=bins) for column in rows.T]
            found = self.numpy.stack(sums, axis=1).astype(rows.dtype) if sums else self.numpy.zeros((bins, 0), rows.dtype)
            return found.reshape(shape)
        numbers = self.xp.arange(bins, dtype=index.dtype, device=self.compat.device(index))
        member = self.xp.astype(numbers[:, None] == index[None, :], weights.dtype)
        return self.xp.reshape(self.xp.matmul(member, rows), shape)

    def pairwise_distance(self, X: Array, Y: Array, squared: bool) -> Array:
        """Return the distances of rows from rows."""
        d = self.xp.matmul(X, -2.0 * self.xp.matrix_transpose(Y)) + self.xp.sum(Y * Y, axis=1)
        d = self.xp.clip(d + self.xp.sum(X * X, axis=1)[:, None], 0.0, None)
        return d if squared else self.xp.sqrt(d)

    # Linear systems

    def nonzero_diagonal(self, x: Array) -> bool:
        """Return whether no entry of the diagonal is 0."""
        return bool(self.xp.all(self.xp.linalg.diagonal(x) != 0))

    def diagonal_range(self, x: Array) -> tuple[float, float]:
        """Return the least and the largest magnitude on the diagonal."""
        d = self.xp.abs(self.xp.linalg.diagonal(x))
        return float(self.xp.min(d)), float(self.xp.max(d))

    def cholesky(self, A: Array) -> Array:
        """Return the lower Cholesky factor; some libraries answer NaN where others raise."""
        try:
            factor = self.xp.linalg.cholesky(A)
        except (ValueError, RuntimeError) as e:  # NumPy's LinAlgError is a ValueError, torch's a RuntimeError
            raise TensorError("cholesky", "a positive definite matrix", f"{describe(A)} that is not") from e
        if not bool(self.xp.all(self.xp.isfinite(factor))):
            raise TensorError("cholesky", "a positive definite matrix", f"{describe(A)} that is not")
        return factor

    def qr(self, A: Array) -> tuple[Array, Array]:
        """Return the reduced QR factors."""
        q, r = self.xp.linalg.qr(A)
        return q, r

    def triangular_solve(self, T: Array, b: Array, lower: bool) -> Array:
        """Solve a triangular system; the standard has a general solver only."""
        if self.torch is not None:
            return self.torch.linalg.solve_triangular(T, b, upper=not lower)
        if self.numpy is not None:
            return _host.triangular_solve(T, b, lower)
        return self.xp.linalg.solve(self.xp.tril(T) if lower else self.xp.triu(T), b)
