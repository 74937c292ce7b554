"""k-means."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._estimators.base import BackendEstimator, Data, at_least, positive
from ..backend.protocol import Array
from ..errors import ShapeError, TensorError
from ._lloyd import Clusters, Lloyd
from ._seeding import plus_plus

__all__ = ["KMeans"]


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BackendEstimator):  # type: ignore[misc]
    """k-means by Lloyd's iteration from k-means++ centres, as `sklearn.cluster.KMeans`.

    An empty cluster takes the sample that is farthest from its centre.

    Parameters
    ----------
    n_clusters : int
    init : {"k-means++", "random"} or array (n_clusters, d)
    n_init : "auto" or int
        Starts, of which the best is kept; "auto": 1 for "k-means++" and an array, 10 for "random".
    max_iter : int
    tol : float
        Stop when the centres move by a square of at most `tol` times the mean variance of the features.
    random_state : int, RandomState or None
    backend : str or Backend
        As for `rbe.backend.get`.

    Attributes
    ----------
    cluster_centers_ : array (n_clusters, d)
    labels_ : int32 array (n)
    inertia_ : float
        Weighted sum of squared distances from the centres.
    n_iter_ : int
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from rbe.cluster import KMeans
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]])
    >>> model = KMeans(2, random_state=0).fit(X)
    >>> sorted(model.cluster_centers_.tolist())
    [[0.0, 0.5], [9.0, 8.5]]
    >>> model.inertia_
    1.0
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: Any = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = None,
        backend: Any = "cpu",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.backend = backend

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "KMeans":
        """Find the centres.

        Parameters
        ----------
        X : array (n, d)
            At least `n_clusters` samples.
        y : ignored
        sample_weight : array (n), optional

        Raises
        ------
        TensorError
            For parameters outside their ranges, or fewer samples than clusters.
        DTypeError
            For sparse or complex samples.
        """
        op = "KMeans.fit"
        k, most = at_least(op, "n_clusters", self.n_clusters, 1), at_least(op, "max_iter", self.max_iter, 1)
        tol = positive(op, "tol", self.tol)
        by_name = isinstance(self.init, str)
        if by_name and self.init not in ("k-means++", "random"):
            raise TensorError(op, "init 'k-means++', 'random' or an array", repr(self.init))
        if isinstance(self.n_init, str):
            if self.n_init != "auto":
                raise TensorError(op, "n_init 'auto' or an integer", repr(self.n_init))
            starts = 10 if by_name and self.init == "random" else 1
        else:
            starts = at_least(op, "n_init", self.n_init, 1)
        data = self._samples(X, "fit", reset=True)
        b, n = data.backend, data.X.shape[0]
        if n < k:
            raise TensorError(op, f"n_samples of at least n_clusters={k}", f"n_samples={n}")
        weights = self._weights(data, sample_weight)
        random = check_random_state(self.random_state)
        mean = b.mean(data.X, axis=0)  # distances from the origin are small then, and lose fewer digits
        centred = data._replace(X=b.add_bias(data.X, b.scal(-1.0, mean)))
        lloyd = Lloyd(b, centred.X, weights)
        allowed = tol * float(b.mean(b.mean(b.multiply(centred.X, centred.X), axis=0)))
        best: Clusters | None = None
        for _ in range(starts if by_name else 1):
            found = lloyd.run(self._start(centred, mean, weights, random), allowed, most)
            if best is None or found.inertia < best.inertia:
                best = found
        assert best is not None
        labels = b.to_host(best.labels).astype(np.int32)
        if len(np.unique(labels)) < k:
            text = f"{op}: {k} clusters were asked for, but only {len(np.unique(labels))} samples differ"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)
        self.cluster_centers_ = data.give(b.add_bias(best.centres, mean))
        self.labels_, self.inertia_, self.n_iter_ = labels, best.inertia, best.steps
        self._n_features_out = k
        return self

    def _start(self, data: Data, mean: Array, weights: Array | None, random: np.random.RandomState) -> Array:
        """Return the first centres, of centred samples."""
        b, k = data.backend, self.n_clusters
        if not isinstance(self.init, str):
            given = data.column(self.init)
            if tuple(given.shape) != (k, data.X.shape[1]):
                raise ShapeError("KMeans.fit", f"init ({k}, {data.X.shape[1]})", str(tuple(given.shape)))
            return b.add_bias(given, b.scal(-1.0, mean))
        if self.init == "k-means++":
            return plus_plus(b, data.X, weights, k, random)
        share = None if weights is None else b.to_host(weights) / float(b.sum(weights))
        return b.take(data.X, b.to_device(random.choice(data.X.shape[0], k, replace=False, p=share)))

    def _lloyd(self, X: Any, op: str, sample_weight: Any = None) -> tuple[Data, Lloyd, Array]:
        data = self._fitted(X, op)
        centres = data.backend.to_device(self.cluster_centers_)
        data = data._replace(X=data.backend.to_device(data.X, data.backend.dtype_of(centres)))
        return data, Lloyd(data.backend, data.X, self._weights(data, sample_weight)), centres

    def predict(self, X: Any) -> Any:
        """Return the index of the nearest centre of each sample (n), an int32 array of NumPy."""
        data, lloyd, centres = self._lloyd(X, "predict")
        return data.backend.to_host(lloyd.assign(centres)[0]).astype(np.int32)

    def transform(self, X: Any) -> Any:
        """Return the distances (n, n_clusters) from the centres, an array like X."""
        data, _, centres = self._lloyd(X, "transform")
        return data.give(data.backend.pairwise_distance(data.X, centres))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the negative sum of squared distances from the nearest centres."""
        data, lloyd, centres = self._lloyd(X, "score", sample_weight)
        return -float(data.backend.sum(lloyd.assign(centres)[1]))
