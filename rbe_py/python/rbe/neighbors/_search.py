"""The k nearest of many points: distances through products of matrices, part by part."""

import numpy as np

from .._estimators.parts import ELEMENTS
from ..backend import Backend
from ..backend.protocol import Array

ROWS = 256  # queries whose distances are computed together


def nearest(backend: Backend, queries: Array, points: Array, k: int) -> tuple[Array, Array]:
    """Return the distances (q, k) of the nearest points in ascending order, and their indices (q, k).

    Distances are computed for a part of the queries and of the points at a time, so that memory does not grow with either; the
    best k so far are kept. Those of the points that were found are computed again from the differences, so that
    equal points are at distance 0.

    Parameters
    ----------
    backend : Backend
    queries : array (q, d)
    points : array (n, d)
    k : int, at most n
    """
    b, q = backend, queries.shape[0]
    mean = b.mean(points, axis=0)  # smaller norms: fewer lost digits
    points, queries = b.add_bias(points, b.scal(-1.0, mean)), b.add_bias(queries, b.scal(-1.0, mean))
    # `(x, 1)` times `(-2 p, ‖p‖²)` is the squared distance but for `‖x‖²`, which is the same for all points.
    norms = b.sum(b.multiply(points, points), axis=1)
    targets = b.concat([b.scal(-2.0, points), norms[:, None]], axis=1)
    queries = b.concat([queries, b.ones((q, 1), b.dtype_of(queries))], axis=1)
    found = [_part(b, queries[start : min(start + ROWS, q), :], points, targets, k) for start in range(0, q, ROWS)]
    indices = np.concatenate([b.to_host(i) for _, i in found])
    return b.concat([d for d, _ in found]), b.to_device(indices)


def _part(b: Backend, queries: Array, points: Array, targets: Array, k: int) -> tuple[Array, Array]:
    n, q = points.shape[0], queries.shape[0]
    width = max(k, ELEMENTS["device" if b.name.startswith("cuda") else "cpu"] * 8 // q)
    values, indices = None, np.empty((q, 0), np.int64)
    for start in range(0, n, width):
        squares = b.gemm(queries, targets[start : min(start + width, n), :], tB=True)
        best, places = b.topk(squares, min(k, squares.shape[1]), largest=False)
        of_part = b.to_host(places) + start
        if values is None:
            values, indices = best, of_part
            continue
        both, indices = b.concat([values, best], axis=1), np.concatenate([indices, of_part], axis=1)
        values, places = b.topk(both, min(k, both.shape[1]), largest=False)
        indices = np.take_along_axis(indices, b.to_host(places), axis=1)
    return _exact(b, queries[:, :-1], points, b.to_device(indices))


def _exact(b: Backend, queries: Array, points: Array, indices: Array) -> tuple[Array, Array]:
    """Return distances from the differences, in ascending order, and the indices in the same order."""
    k = indices.shape[1]
    negated = b.scal(-1.0, queries)
    columns = []
    for j in range(k):
        apart = b.axpy(1.0, b.take(points, indices[:, j]), negated)
        columns.append(b.sum(b.multiply(apart, apart), axis=1)[:, None])
    values, places = b.topk(b.concat(columns, axis=1), k, largest=False)
    ordered = np.take_along_axis(b.to_host(indices), b.to_host(places), axis=1)
    return b.sqrt(values), b.to_device(ordered)
