"""Regression by nearest neighbours."""

from typing import Any

from sklearn.base import MultiOutputMixin, RegressorMixin

from ._index import Neighbours

__all__ = ["KNeighborsRegressor"]


class KNeighborsRegressor(RegressorMixin, MultiOutputMixin, Neighbours):  # type: ignore[misc]
    """The mean of the nearest samples' targets, as `sklearn.neighbors.KNeighborsRegressor` with Euclidean distances.

    Parameters
    ----------
    n_neighbors : int
    weights : {"uniform", "distance"} or function of distances (n, k)
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    n_samples_fit_, n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.neighbors import KNeighborsRegressor
    >>> model = KNeighborsRegressor(2).fit(np.array([[0.0], [1.0], [5.0]]), np.array([0.0, 2.0, 9.0]))
    >>> model.predict([[0.4]])
    array([1.])
    """

    def __init__(self, n_neighbors: int = 5, *, weights: Any = "uniform", backend: Any = "cpu") -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.backend = backend

    def fit(self, X: Any, y: Any) -> "KNeighborsRegressor":
        """Keep the samples.

        Parameters
        ----------
        X : array (n, d)
        y : array (n) or (n, t)

        Raises
        ------
        TensorError
            For parameters outside their ranges.
        DTypeError
            For sparse or complex samples.
        """
        self._check("KNeighborsRegressor.fit")
        data, y = self._labelled(X, y, "fit", y_numeric=True, multi_output=True)
        self._index(data)
        self._targets = data.column(y)
        return self

    def predict(self, X: Any) -> Any:
        """Return the predicted targets (n) or (n, t), an array like X."""
        data, distances, indices = self._search(X, "predict")
        b = data.backend
        weights = self._neighbour_weights(data, distances)
        total = b.sum(weights, axis=1)
        targets = b.to_device(self._targets)
        if targets.ndim == 1:
            return data.give(b.divide(b.sum(b.multiply(b.take(targets, indices), weights), axis=1), total))
        sums = b.sum(b.multiply(b.take(targets, indices), weights[:, :, None]), axis=1)
        return data.give(b.divide(sums, total[:, None]))
