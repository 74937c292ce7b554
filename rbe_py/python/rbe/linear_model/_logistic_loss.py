"""The objective of logistic regression: mean cross entropy and an l2 penalty, with gradient and products with the Hessian."""

from collections.abc import Callable
from typing import NamedTuple

from ..backend import Backend
from ..backend.protocol import Array

LARGEST = {"float32": 80.0, "float64": 700.0}  # exponents that do not overflow


class Point(NamedTuple):
    """The objective at some parameters, its gradient, and a function that multiplies by the Hessian."""

    value: float
    gradient: Array
    hessian: Callable[[Array], Array]


class LogisticLoss:
    """The objective for parameters in one vector: the weights (m, d) row by row, then the intercepts (m).

    Two classes have one row of scores (m = 1), more have a row each. Scores are kept as (m, n), so that operations over the
    classes run along the samples. The part of the loss that is linear in the parameters, and so in the data, is summed up once.

    Parameters
    ----------
    backend : Backend
    X : array (n, d)
    Y : array (n, classes)
        1 at the class of each sample, else 0.
    weights : array (n), optional
    penalty : float
        Factor of `‖W‖² / 2`, over the sum of the weights; intercepts are not penalised.
    fit_intercept : bool
    """

    def __init__(
        self, backend: Backend, X: Array, Y: Array, weights: Array | None, *, penalty: float, fit_intercept: bool
    ) -> None:
        b = self.backend = backend
        self.X, self.fit_intercept = X, fit_intercept
        self.dtype = backend.dtype_of(X)
        self.binary = Y.shape[1] == 2
        Y = Y[:, 1:] if self.binary else Y
        self.m, self.d = Y.shape[1], X.shape[1]
        self.total = float(X.shape[0]) if weights is None else float(b.sum(weights))
        self.share = b.scal(1.0 / self.total, weights) if weights is not None else None
        self.penalty = penalty / self.total
        counted = b.scal(1.0 / self.total, Y) if self.share is None else b.multiply(Y, self.share[:, None])
        parts = [b.reshape(b.gemm(counted, X, tA=True), (self.m * self.d,))]
        self.linear = b.concat([*parts, b.sum(counted, axis=0)] if fit_intercept else parts)

    def split(self, p: Array) -> tuple[Array, Array | None]:
        """Return weights (m, d) and intercepts (m) of a vector of parameters."""
        weights = self.backend.reshape(p[: self.m * self.d], (self.m, self.d))
        return weights, p[self.m * self.d :] if self.fit_intercept else None

    def _scores(self, p: Array) -> Array:
        b = self.backend
        weights, intercepts = self.split(p)
        z = b.gemm(weights, self.X, tB=True)
        return z if intercepts is None else b.add_bias(z.T, intercepts).T

    def _averaged(self, z: Array) -> Array:
        """Multiply columns (m, n) by the share of each sample in the mean."""
        return self.backend.scal(1.0 / self.total, z) if self.share is None else self.backend.multiply(z, self.share[None, :])

    def _back(self, z: Array) -> Array:
        """Return the parameters' share of a gradient with respect to the scores (m, n)."""
        b = self.backend
        parts = [b.reshape(b.gemm(z, self.X), (self.m * self.d,))]
        return b.concat([*parts, b.sum(z, axis=1)] if self.fit_intercept else parts)

    def _penalised(self, p: Array) -> Array:
        """Return the parameters with the intercepts replaced by 0."""
        if not self.fit_intercept:
            return p
        return self.backend.concat([p[: self.m * self.d], self.backend.zeros(self.m, self.dtype)])

    def at(self, p: Array) -> Point:
        """Return the objective at parameters p."""
        b = self.backend
        z = self._scores(p)
        if self.binary:
            limit = LARGEST[self.dtype]
            chance = b.sigmoid(z)
            entropy = b.scal(-1.0, b.log(b.sigmoid(b.scal(-1.0, b.clip(z, high=limit)))))  # log(1 + e^z)
            if float(b.amax(z)) > limit:
                entropy = b.axpy(1.0, b.axpy(-1.0, b.clip(z, high=limit), z), entropy)
        else:
            chance = b.softmax(z, axis=0)
            entropy = b.logsumexp(z, axis=0)[None, :]
        penalised = self._penalised(p)
        value = float(b.sum(self._averaged(entropy))) - float(b.dot(p, self.linear))
        value += 0.5 * self.penalty * float(b.dot(penalised, p))
        gradient = b.axpy(-1.0, self.linear, self._back(self._averaged(chance)))
        return Point(value, b.axpy(self.penalty, penalised, gradient), lambda v: self._hessian(chance, v))

    def _hessian(self, chance: Array, v: Array) -> Array:
        """Return the product of the Hessian with a vector, given the probabilities (m, n)."""
        b = self.backend
        change = b.multiply(chance, self._scores(v))
        change = b.axpy(-1.0, b.multiply(chance, b.sum(change, axis=0)[None, :]), change)
        return b.axpy(self.penalty, self._penalised(v), self._back(self._averaged(change)))
