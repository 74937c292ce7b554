"""Logistic regression."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from .._estimators.base import BackendEstimator, Data, at_least, choose, positive
from .._estimators.labels import encode
from ..backend.protocol import Array
from ._descent import lbfgs, newton_cg
from ._logistic_loss import LogisticLoss

__all__ = ["LogisticRegression"]

SOLVERS = {"lbfgs": lbfgs, "newton-cg": newton_cg}


class LogisticRegression(ClassifierMixin, BackendEstimator):  # type: ignore[misc]
    """Logistic regression with an l2 penalty, as `sklearn.linear_model.LogisticRegression`.

    Minimises `Σ_i w_i cross_entropy_i + ‖W‖² / 2C`; more than two classes are multinomial.

    Parameters
    ----------
    C : float, above 0
        Inverse of the penalty; infinity for none.
    fit_intercept : bool
        Intercepts are not penalised.
    class_weight : dict, "balanced" or None
        Factors of the samples of each class. "balanced" gives all classes the same share of the total weight, as scikit-learn
        does from 1.7 on where samples have weights.
    solver : {"lbfgs", "newton-cg"}
    tol : float
        Stop when no entry of the gradient of the mean loss exceeds it.
    max_iter : int
        A `ConvergenceWarning` says when it is reached.
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    classes_ : array (k)
    coef_ : array (1, d) for two classes, else (k, d)
    intercept_ : array (1) or (k)
    n_iter_ : array (1)
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.linear_model import LogisticRegression
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> model = LogisticRegression().fit(X, ["no", "no", "yes", "yes"])
    >>> model.predict([[-1.5], [3.0]]).tolist()
    ['no', 'yes']
    >>> model.predict_proba([[0.0]]).round(3)
    array([[0.5, 0.5]])
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str = "lbfgs",
        tol: float = 1e-4,
        max_iter: int = 100,
        backend: Any = "cpu",
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Fit the coefficients.

        Parameters
        ----------
        X : array (n, d)
        y : array (n)
            Labels of any type that can be sorted.
        sample_weight : array (n), optional

        Raises
        ------
        TensorError
            For parameters outside their ranges, or samples of one class only.
        DTypeError
            For sparse or complex samples.
        """
        op = "LogisticRegression.fit"
        minimise = SOLVERS[choose(op, "solver", self.solver, tuple(SOLVERS))]
        penalty = 1.0 / positive(op, "C", self.C, zero=False)
        tol, most = positive(op, "tol", self.tol), at_least(op, "max_iter", self.max_iter, 1)
        data, y = self._labelled(X, y, "fit")
        classes, indices = encode(op, data, y)
        b = data.backend
        weights = self._weights(data, sample_weight)
        index = b.to_device(indices)
        if self.class_weight is not None:
            if self.class_weight == "balanced" and weights is not None:
                total = b.to_host(b.histogram(index, weights, len(classes)))
                by_class = np.divide(total.sum(), len(classes) * total, out=np.zeros_like(total), where=total > 0)
            else:
                by_class = compute_class_weight(self.class_weight, classes=classes, y=classes[indices])
            of_samples = b.take(data.column(by_class), index)
            weights = of_samples if weights is None else b.multiply(of_samples, weights)
        targets = b.take(b.eye(len(classes), data.dtype), index)
        loss = LogisticLoss(b, data.X, targets, weights, penalty=penalty, fit_intercept=self.fit_intercept)
        found = minimise(b, loss.at, b.zeros(tuple(loss.linear.shape), data.dtype), tol, most)
        if not found.converged:
            text = f"{op}: no convergence to tol={tol} in {found.steps} iterations; raise max_iter or scale X"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)
        coef, intercept = loss.split(found.p)
        self.classes_ = classes
        self.n_iter_ = np.array([max(found.steps, 1)], dtype=np.int32)
        self.coef_ = data.give(coef)
        self.intercept_ = data.give(b.zeros(loss.m, data.dtype) if intercept is None else intercept)
        return self

    def _scores(self, X: Any, op: str) -> tuple[Data, Array]:
        """Return the scores (n, 1) of two classes, else (n, k)."""
        data = self._fitted(X, op)
        b = data.backend
        coef = b.to_device(self.coef_)
        dtype = b.dtype_of(coef)
        return data, b.add_bias(b.gemm(b.to_device(data.X, dtype), coef, tB=True), b.to_device(self.intercept_, dtype))

    def decision_function(self, X: Any) -> Any:
        """Return scores (n) of the second of two classes, else (n, k), an array like X."""
        data, z = self._scores(X, "decision_function")
        return data.give(z[:, 0] if z.shape[1] == 1 else z)

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities (n, k) of the classes, an array like X."""
        data, z = self._scores(X, "predict_proba")
        return data.give(data.backend.softmax(self._all(data, z), axis=1))

    def predict_log_proba(self, X: Any) -> Any:
        """Return logarithms of the probabilities (n, k), an array like X."""
        data, z = self._scores(X, "predict_log_proba")
        b = data.backend
        z = self._all(data, z)
        return data.give(b.add_bias(z.T, b.scal(-1.0, b.logsumexp(z, axis=1))).T)

    @staticmethod
    def _all(data: Data, z: Array) -> Array:
        """Return a score for each class: the first of two has 0."""
        b = data.backend
        return b.concat([b.zeros(tuple(z.shape), b.dtype_of(z)), z], axis=1) if z.shape[1] == 1 else z

    def predict(self, X: Any) -> Any:
        """Return the labels (n) of the most probable classes, an array of NumPy."""
        data, z = self._scores(X, "predict")
        b = data.backend
        return self.classes_[b.to_host(b.argmin(b.scal(-1.0, self._all(data, z)), axis=1))]
