"""What the estimators by nearest neighbours share: the points, and the weights of neighbours."""

from typing import Any

import numpy as np

from .._estimators.base import BackendEstimator, Data, at_least
from ..backend.protocol import Array
from ..errors import TensorError
from ._search import nearest


class Neighbours(BackendEstimator):
    """An estimator that keeps the samples it was given."""

    n_neighbors: int
    weights: Any

    def _check(self, op: str) -> None:
        at_least(op, "n_neighbors", self.n_neighbors, 1)
        if not (callable(self.weights) or self.weights in ("uniform", "distance")):
            raise TensorError(op, "weights 'uniform', 'distance' or a function", repr(self.weights))

    def _index(self, data: Data) -> None:
        self._points = data.X
        self.n_samples_fit_ = int(data.X.shape[0])

    def _search(self, X: Any, op: str, count: Any = None) -> tuple[Data, Array, Array]:
        """Return the samples, their distances from the nearest points, and the indices of those."""
        data = self._fitted(X, op)
        b, name = data.backend, f"{type(self).__name__}.{op}"
        k = at_least(name, "n_neighbors", self.n_neighbors if count is None else count, 1)
        if k > self.n_samples_fit_:
            raise TensorError(name, f"n_neighbors of at most n_samples_fit = {self.n_samples_fit_}", str(k))
        points = b.to_device(self._points)
        queries = b.to_device(data.X, b.dtype_of(points))
        distances, indices = nearest(b, queries, points, k)
        return data._replace(X=queries), distances, indices

    def kneighbors(self, X: Any, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        """Return the distances (n, k) from the nearest points in ascending order and their indices, arrays like X.

        Parameters
        ----------
        X : array (n, d)
        n_neighbors : int, optional
            Default: that of the estimator.
        return_distance : bool
            Without it only the indices are returned.

        Raises
        ------
        TensorError
            For more neighbours than points.
        """
        data, distances, indices = self._search(X, "kneighbors", n_neighbors)
        return (data.give(distances), data.give(indices)) if return_distance else data.give(indices)

    def _neighbour_weights(self, data: Data, distances: Array) -> Array:
        """Return the weight (n, k) of each neighbour: a neighbour at distance 0 outweighs all others."""
        b = data.backend
        if self.weights == "uniform":
            return b.ones(tuple(distances.shape), data.dtype)
        if callable(self.weights):
            return data.column(self.weights(b.to_host(distances)))
        host = b.to_host(distances)
        same = host == 0.0
        exact = same.any(axis=1)
        inverse = b.divide(b.ones(tuple(distances.shape), data.dtype), b.clip(distances, low=1e-30))
        if not exact.any():
            return inverse
        keep = np.where(exact[:, None], same * 1e-30, 1.0)  # 1 for those at distance 0, 0 for the others of such a sample
        return b.multiply(inverse, data.column(keep))
