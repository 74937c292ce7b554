"""First centres: k-means++ with several candidates a step, or random samples."""

import math
from typing import Any

import numpy as np

from .._estimators.parts import parts
from ..backend import Backend
from ..backend.protocol import Array


def draw(backend: Backend, potential: Array, count: int, random: np.random.RandomState) -> Any:
    """Return the indices (count) of samples that are drawn with probabilities in proportion to their potentials (n).

    The backend adds up blocks of potentials; the host sees their sums, and the blocks that are drawn from.
    """
    n = potential.shape[0]
    width = max(1, math.isqrt(n))
    blocks = -(-n // width)
    filled = backend.concat([potential, backend.zeros(blocks * width - n, backend.dtype_of(potential))])
    table = backend.reshape(filled, (blocks, width))
    bounds = np.cumsum(backend.to_host(backend.sum(table, axis=1)), dtype=np.float64)
    chosen = []
    for point in random.uniform(size=count) * bounds[-1]:
        block = min(int(np.searchsorted(bounds, point, side="right")), blocks - 1)
        within = np.cumsum(backend.to_host(table[block, :]), dtype=np.float64)
        rest = point - (bounds[block - 1] if block else 0.0)
        place = int(np.searchsorted(within, rest, side="right"))
        chosen.append(min(block * width + min(place, width - 1), n - 1))
    return np.array(chosen, dtype=np.int64)


def plus_plus(backend: Backend, X: Array, weights: Array | None, k: int, random: np.random.RandomState) -> Array:
    """Return k centres (k, d) that are samples, each drawn in proportion to the squared distance from those before it.

    Of `2 + log k` candidates a step that one is taken which lowers the sum of squared distances most (Arthur and Vassilvitskii,
    2007; greedy, as scikit-learn does it).
    """
    b, n = backend, X.shape[0]
    dtype = b.dtype_of(X)
    trials = 2 + int(math.log(k))
    uniform = b.ones(n, dtype) if weights is None else weights
    first = b.take(X, b.to_device(draw(b, uniform, 1, random)))
    centres = [first]
    nearest = _squares(b, X, first)[:, 0]
    for _ in range(1, k):
        candidates = b.take(
            X, b.to_device(draw(b, nearest if weights is None else b.multiply(nearest, weights), trials, random))
        )
        distances = b.minimum(_squares(b, X, candidates), nearest[:, None])
        totals = b.sum(distances, axis=0) if weights is None else b.gemv(distances, weights, tA=True)
        best = int(b.argmin(totals, axis=0))
        centres.append(candidates[best : best + 1, :])
        nearest = distances[:, best]
    return b.concat(centres)


def _squares(b: Backend, X: Array, centres: Array) -> Array:
    """Return squared distances (n, c) of samples from centres."""
    found = [b.pairwise_distance(X[rows, :], centres, squared=True) for rows in parts(b, X.shape[0], max(centres.shape))]
    return b.concat(found)
