"""Computations of `CPUBackend`: rbe's engine over the memory of NumPy arrays, LAPACK for factorisations.

The functions are given operands that fit (`common.py` checks them) and write to results of their own only.
"""

import functools
import math
from typing import Any, TypeAlias

import numpy as np

from .. import _interchange, _rbe
from .._tensor import RBETensor
from ..autograd import enable_grad
from ..creation import zeros as tensor_of_zeros
from ..dtypes import as_dtype
from . import _host

Floats: TypeAlias = np.ndarray[Any, Any]

owns, dtype_of, to_device, to_host = _host.owns, _host.dtype_of, _host.to_device, _host.to_host
zeros, ones, eye = _host.zeros, _host.ones, _host.eye
concat, bounds, reshape = _host.concat, _host.bounds, _host.reshape
cholesky, qr, triangular_solve = _host.cholesky, _host.qr, _host.triangular_solve
transposed, nonzero_diagonal, diagonal_range = _host.transposed, _host.nonzero_diagonal, _host.diagonal_range

BLOCK = 64  # columns whose least element is found before `topk` looks at them
LONG = 4 * BLOCK  # rows for which that pays
SLICES = 64  # elements along an axis up to which slices are compared


def from_numpy(x: Floats | np.generic) -> RBETensor:
    """Return a tensor over the memory of an array."""
    return _interchange.from_numpy(np.asarray(x))


def take(X: Floats, indices: Floats) -> Floats:
    """Return entries of the first axis."""
    found = from_numpy(X).index_select(0, from_numpy(indices.reshape(-1)))
    return found.numpy().reshape(*indices.shape, *X.shape[1:])


def dot(x: Floats, y: Floats) -> Floats:
    """Return the product of two vectors."""
    found = _rbe._plain_dot(x, y)
    return found if found is not None else from_numpy(x).matmul(from_numpy(y)).numpy()


def axpy(alpha: float, x: Floats, y: Floats) -> Floats:
    """Return `alpha x + y`."""
    found = _rbe._plain_axpy(alpha, x, y)
    return found if found is not None else from_numpy(y).add(from_numpy(x), alpha=alpha).numpy()


def scal(alpha: float, x: Floats) -> Floats:
    """Return `alpha x`."""
    found = _rbe._plain_axpy(alpha, x)
    return found if found is not None else (from_numpy(x) * alpha).numpy()


def nrm2(x: Floats) -> Floats:
    """Return the Euclidean norm of all elements."""
    t = from_numpy(x).reshape(-1)
    return t.matmul(t).sqrt_().numpy()


def asum(x: Floats) -> Floats:
    """Return the sum of magnitudes."""
    return from_numpy(x).abs().sum().numpy()


def amax(x: Floats) -> Floats:
    """Return the largest magnitude."""
    return from_numpy(x).abs().max().numpy()


def matmul(A: Floats, B: Floats, alpha: float, beta: float, C: Floats | None) -> Floats:
    """Return `alpha A B + beta C`; the operands may be transposed views."""
    if alpha == 1.0 and C is None:
        # One row times rows that are given transposed: as a matrix and a vector it takes a tenth of the time.
        if B.ndim == 2 and A.shape[0] == 1 and B.flags.f_contiguous:
            row = _rbe._plain_gemv(B.T, A[0], False)
            found: Floats | None = None if row is None else row[None, :]
        else:
            found = _rbe._plain_gemm(A, B) if B.ndim == 2 else _rbe._plain_gemv(A, B, False)
        if found is not None:
            return found
    y = from_numpy(A).matmul(from_numpy(B))
    if alpha != 1.0:
        y.mul_(alpha)
    if C is not None:
        y.add_(from_numpy(C), alpha=beta)
    return y.numpy()


def multiply(X: Floats, Y: Floats) -> Floats:
    """Return the product element by element."""
    return (from_numpy(X) * from_numpy(Y)).numpy()


def divide(X: Floats, Y: Floats) -> Floats:
    """Return the quotient element by element."""
    return (from_numpy(X) / from_numpy(Y)).numpy()


def minimum(X: Floats, Y: Floats) -> Floats:
    """Return the lesser element by element."""
    return from_numpy(X).minimum(from_numpy(Y)).numpy()


def add_bias(X: Floats, b: Floats) -> Floats:
    """Add a vector to every row."""
    return (from_numpy(X) + from_numpy(b)).numpy()


def clip(X: Floats, low: float | None, high: float | None) -> Floats:
    """Move elements into an interval."""
    return from_numpy(X).clamp(low, high).numpy()


def exp(X: Floats) -> Floats:
    """Return the exponential."""
    return from_numpy(X).exp().numpy()


def log(X: Floats) -> Floats:
    """Return the natural logarithm."""
    return from_numpy(X).log().numpy()


def sqrt(X: Floats) -> Floats:
    """Return the square root."""
    return from_numpy(X).sqrt().numpy()


def sigmoid(Z: Floats) -> Floats:
    """Return the logistic function."""
    return from_numpy(Z).sigmoid().numpy()


def prox_soft_threshold(w: Floats, tau: float) -> Floats:
    """Move elements towards 0 by `tau`."""
    t = from_numpy(w)
    return (t - t.clamp(-tau, tau)).numpy()


def sum(X: Floats, axis: int | None) -> Floats:
    """Return sums."""
    return from_numpy(X).sum(axis).numpy()


def mean(X: Floats, axis: int | None) -> Floats:
    """Return means."""
    return from_numpy(X).mean(axis).numpy()


def softmax(Z: Floats, axis: int) -> Floats:
    """Return the softmax along an axis."""
    z = from_numpy(Z)
    if _last(Z, axis):
        return z.softmax(axis).numpy()
    e = (z - _tops(z, axis)).exp_()
    return e.div_(e.sum(axis, keepdim=True)).numpy()


def logsumexp(Z: Floats, axis: int) -> Floats:
    """Return the logarithm of the sum of exponentials along an axis."""
    z = from_numpy(Z)
    if _last(Z, axis):
        return z.logsumexp(axis).numpy()
    tops = _tops(z, axis).nan_to_num()  # finite: differences of infinities would be NaN
    return (z - tops).exp_().sum(axis).log_().add_(tops.squeeze(axis)).numpy()


def _last(Z: Floats, axis: int) -> bool:
    return axis % max(Z.ndim, 1) == Z.ndim - 1 or 0 in Z.shape


def _tops(z: RBETensor, axis: int) -> RBETensor:
    """Return the largest elements along an axis other than the last: of few elements by comparing whole slices."""
    if z.shape[axis] > SLICES:
        return z.amax(axis, keepdim=True)
    return functools.reduce(RBETensor.maximum, z.unbind(axis)).unsqueeze(axis)


def argmin(X: Floats, axis: int) -> Floats:
    """Return the positions of the least elements along an axis."""
    return from_numpy(X).argmin(axis).numpy()


def topk(X: Floats, k: int, largest: bool) -> tuple[Floats, Floats]:
    """Return the k largest or smallest elements along the last axis, in order, and their positions.

    Long rows are searched in blocks: the k best elements lie in the k blocks whose best elements are the best.
    """
    width = X.shape[-1]
    blocks = width // BLOCK
    if X.ndim != 2 or width < LONG or k * 4 > blocks:
        return _topk(from_numpy(X), k, largest)
    whole = blocks * BLOCK
    cut = from_numpy(X[:, :whole]).reshape(len(X), blocks, BLOCK)
    best = cut.amax(-1) if largest else cut.amin(-1)
    chosen = best.topk(k, -1, largest).indices.numpy()
    columns = (chosen[:, :, None] * BLOCK + np.arange(BLOCK)).reshape(len(X), k * BLOCK)
    rest = np.broadcast_to(np.arange(whole, width), (len(X), width - whole))
    columns = np.concatenate([columns, rest], axis=1)
    candidates = from_numpy(X).take_along_dim(from_numpy(columns), 1)
    values, places = _topk(candidates, k, largest)
    return values, np.take_along_axis(columns, places, axis=1)


def _topk(x: RBETensor, k: int, largest: bool) -> tuple[Floats, Floats]:
    values, places = x.topk(k, -1, largest)
    return values.numpy(), places.numpy()


def histogram(index: Floats, weights: Floats, bins: int) -> Floats:
    """Return the sums of the rows of each bin: the gradient of a table whose rows are looked up by `index`."""
    rows = weights.reshape(len(weights), math.prod(weights.shape[1:]))
    with enable_grad():
        table = tensor_of_zeros(bins, rows.shape[1], dtype=as_dtype(rows.dtype), requires_grad=True)
        table.embedding(from_numpy(index)).backward(from_numpy(rows))
    found: Floats = table.grad.numpy()
    return found.reshape(bins, *weights.shape[1:])


def pairwise_distance(X: Floats, Y: Floats, squared: bool) -> Floats:
    """Return the distances of rows from rows."""
    x, y = from_numpy(X), from_numpy(Y)
    d = x.linear(y * -2.0, (y * y).sum(1))
    d.add_((x * x).sum(1, keepdim=True)).clamp_(0.0)
    return (d if squared else d.sqrt_()).numpy()
