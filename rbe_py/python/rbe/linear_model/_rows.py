"""The samples of a regression as rows of a least-squares problem, centred and weighted part by part."""

from .._estimators.parts import parts
from ..backend import Backend
from ..backend.protocol import Array


class Rows:
    """The problem `min Σ_i w_i ‖y_i - x_i B - c‖²`, whose intercept c follows from the weighted means.

    Parameters
    ----------
    backend : Backend
    X : array (n, d)
    Y : array (n, t)
    weights : array (n), optional
    fit_intercept : bool
        Without it nothing is centred, and the intercept is 0.
    """

    def __init__(self, backend: Backend, X: Array, Y: Array, weights: Array | None, fit_intercept: bool) -> None:
        self.backend, self.X, self.Y, self.weights = backend, X, Y, weights
        self.total = float(X.shape[0]) if weights is None else float(backend.sum(weights))
        self.centred = fit_intercept
        if not fit_intercept:
            dtype = backend.dtype_of(X)
            self.x_mean, self.y_mean = backend.zeros(X.shape[1], dtype), backend.zeros(Y.shape[1], dtype)
        elif weights is None:
            self.x_mean, self.y_mean = backend.mean(X, axis=0), backend.mean(Y, axis=0)
        else:
            self.x_mean = backend.gemv(X, weights, tA=True, alpha=1.0 / self.total)
            self.y_mean = backend.gemv(Y, weights, tA=True, alpha=1.0 / self.total)

    def _part(self, rows: slice) -> tuple[Array, Array]:
        b = self.backend
        x, y = self.X[rows, :], self.Y[rows, :]
        if not self.centred:
            return x, y
        return b.add_bias(x, b.scal(-1.0, self.x_mean)), b.add_bias(y, b.scal(-1.0, self.y_mean))

    def _weighted(self, x: Array, rows: slice) -> Array:
        return x if self.weights is None else self.backend.multiply(x, self.weights[rows][:, None])

    def products(self) -> tuple[Array, Array]:
        """Return `Xᵀ W X` (d, d) and `Xᵀ W Y` (d, t) of the centred rows."""
        b, d, dtype = self.backend, self.X.shape[1], self.backend.dtype_of(self.X)
        gram, cross = b.zeros((d, d), dtype), b.zeros((d, self.Y.shape[1]), dtype)
        for rows in parts(b, self.X.shape[0], d):
            x, y = self._part(rows)
            weighted = self._weighted(x, rows)
            gram = b.gemm(weighted, x, tA=True, beta=1.0, C=gram)
            cross = b.gemm(weighted, y, tA=True, beta=1.0, C=cross)
        return gram, cross

    def squares(self) -> list[float]:
        """Return `Yᵀ W Y` of each target of the centred rows."""
        b = self.backend
        y = self.whole_targets()
        return [float(b.dot(y[:, t], y[:, t])) for t in range(y.shape[1])]

    def correlation(self, coef: Array) -> Array:
        """Return `Xᵀ W (Y - X B)` (d, t), half the negative gradient at the coefficients B (d, t)."""
        b = self.backend
        found = b.zeros((self.X.shape[1], self.Y.shape[1]), b.dtype_of(self.X))
        for rows in parts(b, self.X.shape[0], self.X.shape[1]):
            x, y = self._part(rows)
            residual = b.gemm(x, coef, alpha=-1.0, beta=1.0, C=y)
            found = b.gemm(x, self._weighted(residual, rows), tA=True, beta=1.0, C=found)
        return found

    def whole(self) -> tuple[Array, Array]:
        """Return all rows of X and Y, centred and multiplied by the square roots of their weights."""
        b = self.backend
        x = b.add_bias(self.X, b.scal(-1.0, self.x_mean)) if self.centred else self.X
        return x if self.weights is None else b.multiply(x, self._roots()), self.whole_targets()

    def whole_targets(self) -> Array:
        """Return all rows of Y, centred and multiplied by the square roots of their weights."""
        b = self.backend
        y = b.add_bias(self.Y, b.scal(-1.0, self.y_mean)) if self.centred else self.Y
        return y if self.weights is None else b.multiply(y, self._roots())

    def _roots(self) -> Array:
        return self.backend.sqrt(self.weights)[:, None]

    def intercept(self, coef: Array) -> Array:
        """Return the intercepts (t) of the coefficients (d, t)."""
        return self.backend.gemv(coef, self.x_mean, tA=True, alpha=-1.0, beta=1.0, y=self.y_mean)
