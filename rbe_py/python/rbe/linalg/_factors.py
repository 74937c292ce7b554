"""Triangular and orthogonal factors."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import _rbe
from ..errors import GraphError, UnknownNameError
from ._lapack import attempt, matrices, substituted, tensor
from ._record import recorded

if TYPE_CHECKING:
    from .._rbe import RBETensor


class QR(NamedTuple):
    """Orthonormal columns Q and the upper triangle R, with `A = Q R`.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.qr(rbe.ones(3, 2)).R.shape
    (2, 2)
    """

    Q: "RBETensor"
    R: "RBETensor"


def cholesky(A: "RBETensor", *, upper: bool = False) -> "RBETensor":
    """Return the lower triangle L with `A = L Lᵀ`, or the upper triangle Lᵀ.

    Parameters
    ----------
    A : tensor (…, n, n)
        Symmetric, positive definite; only the triangle that is asked for is read.
    upper : bool

    Raises
    ------
    LinAlgError
        For a matrix that is not positive definite.
    DTypeError, ShapeError

    Notes
    -----
    The gradient is symmetric: Φ(Lᵀ dL) between L⁻ᵀ and L⁻¹, where Φ takes half of the lower triangle on both sides (Murray,
    arXiv:1602.07527).

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.cholesky(rbe.tensor([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    a = matrices("cholesky", A, square=True)
    if upper:
        return cholesky(_rbe._as_tensor(A).mT).mT
    found = attempt("cholesky", "positive-definite matrices", "not", np.linalg.cholesky, a._array())
    lower = tensor(found)

    def backward(dl: "RBETensor") -> "RBETensor":
        p = lower.mT @ dl
        p = (p.tril() + p.tril(-1).mT) * 0.5
        left = substituted("cholesky", lower.mT, p, True)
        return substituted("cholesky", lower.mT, left.mT, True).mT

    return recorded("cholesky", A, [lower], backward, [lower])[0]


def qr(A: "RBETensor", mode: Literal["reduced", "complete", "r"] = "reduced") -> QR:
    """Return Q with orthonormal columns and the upper triangle R with `A = Q R`.

    Parameters
    ----------
    A : tensor (…, m, n)
    mode : {"reduced", "complete", "r"}
        Q (…, m, k) and R (…, k, n) with k = min(m, n); Q (…, m, m) and R (…, m, n); or R as for "reduced" and an empty Q.

    Raises
    ------
    DTypeError, ShapeError, UnknownNameError
    LinAlgError
        In backward, if the first min(m, n) columns depend on each other.
    GraphError
        In backward, for "complete" with m > n: the columns of Q beyond the n-th are not determined by A.

    Examples
    --------
    >>> import rbe
    >>> Q, R = rbe.linalg.qr(rbe.tensor([[3.0], [4.0]]))
    >>> rbe.testing.assert_close(Q @ R, rbe.tensor([[3.0], [4.0]]))
    """
    if mode not in ("reduced", "complete", "r"):
        raise UnknownNameError("qr", "reduced, complete or r", repr(mode))
    a = matrices("qr", A)
    m, n = a.shape[-2:]
    if m < n and A.requires_grad:  # the columns beyond the m-th are Q R' with the Q of those before them
        q, r = qr(A.narrow(-1, 0, m))
        wide = QR(q, _rbe.concat([r, q.mT @ A.narrow(-1, m, n - m)], -1))
    else:
        wide = _tall(A, a, mode)
    return QR(tensor(np.zeros(0, a._array().dtype)), wide.R) if mode == "r" else wide


def _tall(A: "RBETensor", a: "RBETensor", mode: str) -> QR:
    array = a._array()
    kind: Any = "complete" if mode == "complete" else "reduced"
    found = np.linalg.qr(array, mode=kind)
    q, r = tensor(found[0]), tensor(found[1])

    def backward(dq: Any, dr: Any) -> "RBETensor":
        if q.shape[-1] != r.shape[-1]:
            raise GraphError("qr", "mode reduced for a gradient of more rows than columns", "complete")
        inner = dr @ r.mT if dr is not None else 0.0 - q.mT @ dq
        if dr is not None and dq is not None:
            inner = inner - q.mT @ dq
        upper = inner.triu()
        total = q @ (upper + upper.triu(1).mT)
        if dq is not None:
            total = total + dq
        return substituted("qr", r, total.mT, True).mT

    return QR(*recorded("qr", A, [q, r], backward, [q, r]))
