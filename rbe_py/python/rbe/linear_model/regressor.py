"""What linear regressors share: targets of one or two axes, and predictions."""

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from .._estimators.base import BackendEstimator, Data
from ..backend.protocol import Array
from ._rows import Rows


class LinearRegressor(RegressorMixin, MultiOutputMixin, BackendEstimator):  # type: ignore[misc]
    """A regressor `x B + c`."""

    coef_: Any
    intercept_: Any
    fit_intercept: bool

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[Data, Rows, bool]:
        """Return the samples, their least-squares problem, and whether the targets have one axis."""
        data, y = self._labelled(X, y, "fit", y_numeric=True, multi_output=True)
        targets = data.column(y)
        single = targets.ndim == 1
        weights = self._weights(data, sample_weight)
        problem = Rows(data.backend, data.X, targets[:, None] if single else targets, weights, self.fit_intercept)
        return data, problem, single

    def _keep(self, data: Data, rows: Rows, coef: Array, single: bool) -> None:
        """Set `coef_` and `intercept_` from coefficients (d, t)."""
        intercept = rows.intercept(coef)
        self.coef_ = data.give(coef[:, 0] if single else coef.T)
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = data.give(intercept[0] if single else intercept)

    def predict(self, X: Any) -> Any:
        """Return the predicted targets (n) or (n, t), an array like X.

        Parameters
        ----------
        X : array (n, d)
        """
        data = self._fitted(X, "predict")
        b = data.backend
        coef = b.to_device(self.coef_)
        x = b.to_device(data.X, b.dtype_of(coef))
        if coef.ndim == 1:
            own = b.owns(self.intercept_)
            shift = self.intercept_[None] if own else b.to_device(np.reshape(self.intercept_, 1), b.dtype_of(coef))
            return data.give(b.add_bias(b.gemv(x, coef)[:, None], shift)[:, 0])
        y = b.gemm(x, coef, tB=True)
        return data.give(y if not self.fit_intercept else b.add_bias(y, b.to_device(self.intercept_)))
