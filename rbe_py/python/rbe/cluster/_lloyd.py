"""Lloyd's iteration: samples go to the nearest centre, centres to the mean of their samples."""

import math
from typing import NamedTuple

import numpy as np

from .._estimators.parts import parts
from ..backend import Backend
from ..backend.protocol import Array


class Clusters(NamedTuple):
    """Centres (k, d), the index of each sample's centre (n), the sum of weighted squared distances, and iterations."""

    centres: Array
    labels: Array
    inertia: float
    steps: int


class Lloyd:
    """The samples of a clustering and their weights.

    Parameters
    ----------
    backend : Backend
    X : array (n, d)
    weights : array (n), optional
    """

    def __init__(self, backend: Backend, X: Array, weights: Array | None) -> None:
        self.backend, self.X, self.weights = backend, X, weights
        self.dtype = backend.dtype_of(X)
        # With a column of ones one product gives distances, and one sum by cluster the weights of clusters too.
        self.extended = backend.concat([X, backend.ones((X.shape[0], 1), self.dtype)], axis=1)

    def _targets(self, centres: Array) -> Array:
        """Return `(-2 c, ‖c‖²)` of each centre: times `(x, 1)` it is the squared distance less `‖x‖²`."""
        b = self.backend
        norms = b.sum(b.multiply(centres, centres), axis=1)
        return b.concat([b.scal(-2.0, centres), norms[:, None]], axis=1)

    def _nearest(self, rows: slice, targets: Array) -> Array:
        """Return the index of the nearest centre."""
        b = self.backend
        return b.argmin(b.gemm(self.extended[rows, :], targets, tB=True), axis=1)

    def step(self, centres: Array) -> tuple[Array, Array]:
        """Return the sums (k, d) and the weights (k) of the samples nearest to each centre."""
        b, (k, d) = self.backend, centres.shape
        sums, targets = b.zeros((k, d + 1), self.dtype), self._targets(centres)
        for rows in parts(b, self.X.shape[0], max(k, d + 1)):
            x = self.extended[rows, :]
            weighted = x if self.weights is None else b.multiply(x, self.weights[rows][:, None])
            sums = b.axpy(1.0, b.histogram(self._nearest(rows, targets), weighted, k), sums)
        return sums[:, :d], sums[:, d]

    def _weights(self, rows: slice) -> Array:
        if self.weights is not None:
            return self.weights[rows]
        return self.backend.ones(rows.stop - rows.start, self.dtype)

    def assign(self, centres: Array) -> tuple[Array, Array]:
        """Return the index of the nearest centre of each sample, and the weighted squared distance from it."""
        b, labels, distances = self.backend, [], []
        targets = self._targets(centres)
        for rows in parts(b, self.X.shape[0], max(centres.shape)):
            x = self.X[rows, :]
            labels.append(self._nearest(rows, targets))
            apart = b.axpy(-1.0, b.take(centres, labels[-1]), x)
            square = b.sum(b.multiply(apart, apart), axis=1)
            distances.append(square if self.weights is None else b.multiply(square, self.weights[rows]))
        return b.to_device(np.concatenate([b.to_host(x) for x in labels])), b.concat(distances)

    def _filled(self, centres: Array, sums: Array, counts: Array) -> tuple[Array, Array]:
        """Give each empty cluster one of the samples that are farthest from their centres."""
        b, k = self.backend, centres.shape[0]
        empty = np.flatnonzero(b.to_host(counts) <= 0)
        if not len(empty):
            return sums, counts
        labels, distances = self.assign(centres)
        _, places = b.topk(distances, min(len(empty), distances.shape[0]))
        far = b.take(self.X, places)
        w = b.take(self._weights(slice(0, self.X.shape[0])), places)
        moved = b.multiply(far, w[:, None])
        to, of = b.to_device(empty[: places.shape[0]]), b.to_device(b.to_host(labels)[b.to_host(places)])
        for sign, index in ((1.0, to), (-1.0, of)):
            sums = b.axpy(sign, b.histogram(index, moved, k), sums)
            counts = b.axpy(sign, b.histogram(index, w, k), counts)
        return sums, counts

    def run(self, centres: Array, tol: float, max_iter: int) -> Clusters:
        """Iterate until the centres move by a square of at most `tol` in all; 0 means until they rest."""
        b, steps, moved = self.backend, 0, math.inf
        while moved > tol and steps < max_iter:
            sums, counts = self._filled(centres, *self.step(centres))
            empty = b.to_device(np.asarray(b.to_host(counts) <= 0, self.dtype))  # a centre without samples stays
            sums = b.axpy(1.0, b.multiply(centres, empty[:, None]), sums)
            means = b.divide(sums, b.axpy(1.0, empty, counts)[:, None])
            moved, steps = float(b.nrm2(b.axpy(-1.0, centres, means))) ** 2, steps + 1
            centres = means
        labels, distances = self.assign(centres)
        return Clusters(centres, labels, float(b.sum(distances)), steps)
