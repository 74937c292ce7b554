"""Classification by nearest neighbours."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .._estimators.base import Data
from ..backend.protocol import Array
from ._index import Neighbours

__all__ = ["KNeighborsClassifier"]


class KNeighborsClassifier(ClassifierMixin, Neighbours):  # type: ignore[misc]
    """The class that most of the nearest samples have, as `sklearn.neighbors.KNeighborsClassifier` with Euclidean distances.

    Of classes with as many votes the first in order is chosen.

    Parameters
    ----------
    n_neighbors : int
    weights : {"uniform", "distance"} or function of distances (n, k)
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    classes_ : array (classes)
    n_samples_fit_, n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.neighbors import KNeighborsClassifier
    >>> model = KNeighborsClassifier(3).fit(np.array([[0.0], [1.0], [2.0], [9.0]]), ["a", "a", "b", "b"])
    >>> model.predict([[0.2]]).tolist(), model.predict_proba([[0.2]]).round(2).tolist()
    (['a'], [[0.67, 0.33]])
    """

    def __init__(self, n_neighbors: int = 5, *, weights: Any = "uniform", backend: Any = "cpu") -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.backend = backend

    def fit(self, X: Any, y: Any) -> "KNeighborsClassifier":
        """Keep the samples.

        Parameters
        ----------
        X : array (n, d)
        y : array (n)
            Labels of any type that can be sorted.

        Raises
        ------
        TensorError
            For parameters outside their ranges.
        DTypeError
            For sparse or complex samples.
        """
        self._check("KNeighborsClassifier.fit")
        data, y = self._labelled(X, y, "fit")
        labels = data.backend.to_host(y) if data.backend.owns(y) else np.asarray(y)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._index(data)
        self._codes = data.backend.to_device(codes.astype(np.int64))
        return self

    def _votes(self, X: Any, op: str) -> tuple[Data, Array]:
        """Return the weights (n, classes) of the neighbours of each class."""
        data, distances, indices = self._search(X, op)
        b, classes = data.backend, len(self.classes_)
        weights = self._neighbour_weights(data, distances)
        codes = np.asarray(b.to_host(b.to_device(self._codes)))[b.to_host(indices)]
        n, k = codes.shape
        bins = b.to_device((codes + np.arange(n)[:, None] * classes).reshape(n * k))
        counted = b.histogram(bins, b.reshape(weights, (n * k,)), n * classes)
        return data, b.reshape(counted, (n, classes))

    def predict_proba(self, X: Any) -> Any:
        """Return the share (n, classes) of each class in the neighbours' weights, an array like X."""
        data, votes = self._votes(X, "predict_proba")
        b = data.backend
        return data.give(b.divide(votes, b.sum(votes, axis=1)[:, None]))

    def predict(self, X: Any) -> Any:
        """Return the labels (n), an array of NumPy."""
        data, votes = self._votes(X, "predict")
        b = data.backend
        return self.classes_[b.to_host(b.argmin(b.scal(-1.0, votes), axis=1))]
