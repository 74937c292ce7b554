"""Linear regression with penalties that set coefficients to 0."""

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from .._estimators.base import Data, at_least, positive
from ..backend.protocol import Array
from ..errors import TensorError
from ._fista import minimise
from ._quadratic import GramQuadratic, Quadratic, RowQuadratic
from ._rows import Rows
from .regressor import LinearRegressor

__all__ = ["ElasticNet", "Lasso"]


def problems(rows: Rows, l2: float) -> list[Quadratic]:
    """Return the smooth part of the objective of each target."""
    b = rows.backend
    count = range(rows.Y.shape[1])
    if rows.X.shape[0] < rows.X.shape[1]:
        x, y = rows.whole()
        return [RowQuadratic(b, x, y[:, t], rows.total, l2) for t in count]
    gram, cross = (b.scal(1.0 / rows.total, product) for product in rows.products())
    return [
        GramQuadratic(b, gram, cross[:, t], square / rows.total, l2) for t, square in zip(count, rows.squares(), strict=True)
    ]


class ProximalRegressor(LinearRegressor):
    """What the regressors with an l1 penalty share."""

    alpha: float
    max_iter: int
    tol: float
    warm_start: bool

    def _fit(self, X: Any, y: Any, sample_weight: Any, l1_ratio: Any) -> None:
        op = f"{type(self).__name__}.fit"
        alpha, tol = positive(op, "alpha", self.alpha, zero=False), positive(op, "tol", self.tol)
        most, ratio = at_least(op, "max_iter", self.max_iter, 1), positive(op, "l1_ratio", l1_ratio)
        if ratio > 1.0:
            raise TensorError(op, "l1_ratio from 0 to 1", str(ratio))
        data, rows, single = self._rows(X, y, sample_weight)
        starts = self._starts(data, rows)
        found = [
            minimise(problem, alpha * ratio, start, tol, most)
            for start, problem in zip(starts, problems(rows, alpha * (1.0 - ratio)), strict=True)
        ]
        if not all(f.converged for f in found):
            text = (
                f"{op}: the duality gap is still {max(f.gap for f in found):.3g} after {most} steps; raise max_iter or scale X"
            )
            warnings.warn(text, ConvergenceWarning, stacklevel=3)
        self.dual_gap_ = found[0].gap if single else [f.gap for f in found]
        self.n_iter_ = max(found[0].steps, 1) if single else [max(f.steps, 1) for f in found]
        self._keep(data, rows, data.backend.concat([f.coef[:, None] for f in found], axis=1), single)

    def _starts(self, data: Data, rows: Rows) -> list[Array]:
        """Return where each target's steps start."""
        b, targets, d = data.backend, rows.Y.shape[1], rows.X.shape[1]
        if self.warm_start and hasattr(self, "coef_"):
            before = data.column(self.coef_)
            if tuple(before.shape) in ((d,), (targets, d)):
                return [before] if before.ndim == 1 else [before[t, :] for t in range(targets)]
        return [b.zeros(d, data.dtype) for _ in range(targets)]


class ElasticNet(ProximalRegressor):
    """Least squares with l1 and l2 penalties, as `sklearn.linear_model.ElasticNet`, by accelerated proximal gradients.

    Minimises `‖y - X w - c‖² / 2n + alpha l1_ratio ‖w‖₁ + alpha (1 - l1_ratio) ‖w‖² / 2`, for each target by itself. Where
    there are more samples than features a step works on the Gram matrix, so that its time does not depend on n.

    Parameters
    ----------
    alpha : float, above 0
    l1_ratio : float, 0 to 1
    fit_intercept : bool
    max_iter : int
        A `ConvergenceWarning` says when it is reached.
    tol : float
        Stop at a duality gap of `tol ‖y‖²`, y centred.
    warm_start : bool
        Start at the coefficients of the last fit.
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    coef_ : array (d) or (t, d)
    intercept_ : number or array (t)
    dual_gap_ : float or list of floats
        The gap over n of each target.
    n_iter_ : int or list of ints
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.linear_model import ElasticNet
    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> ElasticNet(alpha=1.0, l1_ratio=0.5, tol=1e-12).fit(X, X @ [3.0, 0.2]).coef_.round(4)   # (3 - 1/2) / (1 + 1/2)
    array([1.6667, 0.    ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        backend: Any = "cpu",
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ElasticNet":
        """Fit the coefficients.

        Parameters
        ----------
        X : array (n, d)
        y : array (n) or (n, t)
        sample_weight : array (n), optional

        Raises
        ------
        TensorError
            For parameters outside their ranges.
        DTypeError
            For sparse or complex samples.
        """
        self._fit(X, y, sample_weight, self.l1_ratio)
        return self


class Lasso(ProximalRegressor):
    """Least squares with an l1 penalty, as `sklearn.linear_model.Lasso`: an `ElasticNet` with `l1_ratio` 1.

    Parameters
    ----------
    alpha, fit_intercept, max_iter, tol, warm_start, backend
        As for `ElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.linear_model import Lasso
    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> Lasso(alpha=0.5, tol=1e-12).fit(X, X @ [3.0, 0.2]).coef_.round(4)
    array([2.5, 0. ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        backend: Any = "cpu",
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Lasso":
        """Fit the coefficients.

        Parameters
        ----------
        X : array (n, d)
        y : array (n) or (n, t)
        sample_weight : array (n), optional

        Raises
        ------
        TensorError
            For parameters outside their ranges.
        DTypeError
            For sparse or complex samples.
        """
        self._fit(X, y, sample_weight, 1.0)
        return self
