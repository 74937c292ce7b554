"""The smooth part of the elastic net's objective: `‖y - X w‖² / 2n + l2 ‖w‖² / 2` for one target."""

from typing import Protocol

from ..backend import Backend
from ..backend.protocol import Array


class Quadratic(Protocol):
    """The smooth part, through products with its Hessian `H = Xᵀ X / n + l2`.

    Attributes
    ----------
    backend : Backend
    l2 : float
    linear : array (d)
        `Xᵀ y / n`, the negative gradient at 0.
    target : float
        `‖y‖² / n`.
    """

    backend: Backend
    l2: float
    linear: Array
    target: float

    def hessian(self, v: Array) -> Array:
        """Return `H v`."""
        ...

    def residual(self, w: Array, hw: Array) -> tuple[float, float]:
        """Return `‖r‖² / n` and `r·y / n` of the residual `r = y - X w`, given `H w`."""
        ...


class GramQuadratic:
    """The smooth part by the Gram matrix: a step costs d² whatever n is.

    Parameters
    ----------
    backend : Backend
    gram : array (d, d)
        `Xᵀ X / n`.
    linear, target, l2
        As of `Quadratic`.
    """

    def __init__(self, backend: Backend, gram: Array, linear: Array, target: float, l2: float) -> None:
        self.backend, self.gram, self.linear, self.target, self.l2 = backend, gram, linear, target, l2

    def hessian(self, v: Array) -> Array:
        """Return `H v`."""
        return self.backend.gemv(self.gram, v, beta=self.l2, y=v)

    def residual(self, w: Array, hw: Array) -> tuple[float, float]:
        """Return `‖r‖² / n` and `r·y / n`."""
        b = self.backend
        fit = float(b.dot(w, self.linear))
        curved = float(b.dot(w, hw)) - self.l2 * float(b.dot(w, w))
        return max(self.target - 2.0 * fit + curved, 0.0), self.target - fit


class RowQuadratic:
    """The smooth part by the rows themselves, where they are fewer than the columns.

    Parameters
    ----------
    backend : Backend
    X : array (n, d)
    y : array (n)
    total : float
        n, or the sum of the weights that are in the rows already.
    l2 : float
    """

    def __init__(self, backend: Backend, X: Array, y: Array, total: float, l2: float) -> None:
        self.backend, self.X, self.y, self.total, self.l2 = backend, X, y, total, l2
        self.linear = backend.gemv(X, y, tA=True, alpha=1.0 / total)
        self.target = float(backend.dot(y, y)) / total

    def hessian(self, v: Array) -> Array:
        """Return `H v`."""
        b = self.backend
        return b.gemv(self.X, b.gemv(self.X, v), tA=True, alpha=1.0 / self.total, beta=self.l2, y=v)

    def residual(self, w: Array, hw: Array) -> tuple[float, float]:
        """Return `‖r‖² / n` and `r·y / n`."""
        b = self.backend
        r = b.gemv(self.X, w, alpha=-1.0, beta=1.0, y=self.y)
        return float(b.dot(r, r)) / self.total, float(b.dot(r, self.y)) / self.total
