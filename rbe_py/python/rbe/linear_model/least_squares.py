"""Linear regression by least squares, with and without a quadratic penalty."""

from typing import Any

from .._estimators.base import at_least, choose, positive
from ._normal_equations import least_squares, ridge
from .regressor import LinearRegressor

__all__ = ["LinearRegression", "Ridge"]


class LinearRegression(LinearRegressor):
    """Ordinary least squares, as `sklearn.linear_model.LinearRegression`.

    Parameters
    ----------
    fit_intercept : bool
    solver : {"auto", "cholesky", "qr", "cg"}
        "cholesky" solves the normal equations of scaled columns and refines once, "qr" factors the samples, "cg" runs conjugate
        gradients. "auto" tries them in this order: each takes what is too ill-conditioned for the one before, and "cg" finds
        the coefficients of least norm where the columns depend on each other.
    tol : float
        "cg" stops at a gradient of `tol` times the first.
    max_iter : int, optional
        Most steps of "cg"; default 10 d.
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    coef_ : array (d) or (t, d)
    intercept_ : number or array (t)
    n_iter_ : int
        Most steps of "cg" for a target; 1 for a direct solver.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.linear_model import LinearRegression
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> model = LinearRegression().fit(X, np.array([1.0, 3.0, 5.0]))
    >>> model.coef_.round(6), round(float(model.intercept_), 6)
    (array([2.]), 1.0)
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        solver: str = "auto",
        tol: float = 1e-10,
        max_iter: int | None = None,
        backend: Any = "cpu",
    ) -> None:
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LinearRegression":
        """Fit the coefficients.

        Parameters
        ----------
        X : array (n, d)
        y : array (n) or (n, t)
        sample_weight : array (n), optional

        Raises
        ------
        TensorError
            For an unknown solver, or if "cholesky" or "qr" meets columns that depend on each other.
        DTypeError
            For sparse or complex samples.
        """
        solver = choose("LinearRegression.fit", "solver", self.solver, ("auto", "cholesky", "qr", "cg"))
        tol = positive("LinearRegression.fit", "tol", self.tol)
        most = None if self.max_iter is None else at_least("LinearRegression.fit", "max_iter", self.max_iter, 1)
        data, rows, single = self._rows(X, y, sample_weight)
        coef, self.n_iter_ = least_squares(rows, solver, tol, most)
        self._keep(data, rows, coef, single)
        return self


class Ridge(LinearRegressor):
    """Least squares with the penalty `alpha ‖B‖²`, as `sklearn.linear_model.Ridge`.

    Parameters
    ----------
    alpha : float
    fit_intercept : bool
    solver : {"auto", "cholesky", "cg"}
        As for `LinearRegression`; "cholesky" factors `X Xᵀ + alpha` where there are fewer samples than features.
    tol, max_iter, backend
        As for `LinearRegression`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, n_features_in_
        As of `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.linear_model import Ridge
    >>> model = Ridge(alpha=2.0, backend="cpu").fit(np.array([[-1.0], [0.0], [1.0]]), np.array([-1.0, 0.0, 1.0]))
    >>> model.coef_                                       # 2 / (2 + alpha)
    array([0.5])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        solver: str = "auto",
        tol: float = 1e-10,
        max_iter: int | None = None,
        backend: Any = "cpu",
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Ridge":
        """Fit the coefficients; arguments and errors as for `LinearRegression.fit`."""
        alpha = positive("Ridge.fit", "alpha", self.alpha)
        solver = choose("Ridge.fit", "solver", self.solver, ("auto", "cholesky", "cg"))
        tol = positive("Ridge.fit", "tol", self.tol)
        most = None if self.max_iter is None else at_least("Ridge.fit", "max_iter", self.max_iter, 1)
        data, rows, single = self._rows(X, y, sample_weight)
        coef, self.n_iter_ = ridge(rows, alpha, solver, tol, most)
        self._keep(data, rows, coef, single)
        return self
