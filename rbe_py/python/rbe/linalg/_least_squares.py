"""Pseudo-inverses, least squares and ranks."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _rbe
from ..errors import UnknownNameError
from ._lapack import attempt, floats, matrices, tensor
from ._record import recorded
from ._systems import together

if TYPE_CHECKING:
    from .._rbe import RBETensor


class LeastSquares(NamedTuple):
    """What `lstsq` finds; results that the driver does not give are empty.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.lstsq(rbe.eye(2), rbe.ones(2)).rank
    tensor(2)
    """

    solution: "RBETensor"
    residuals: "RBETensor"
    rank: "RBETensor"
    singular_values: "RBETensor"


def _decomposed(op: str, a: "RBETensor", atol: Any, rtol: Any) -> tuple[Any, Any, Any, Any]:
    """Return the decomposition by singular values, and which of those count."""
    array = a._array()
    m, n = array.shape[-2:]
    u, s, vt = attempt(op, "finite matrices", "not", lambda x: np.linalg.svd(x, full_matrices=False), array)
    if rtol is None:
        rtol = np.finfo(array.dtype).eps * max(m, n) if atol is None else 0.0
    rtol, atol = (_bound(x) for x in (rtol, 0.0 if atol is None else atol))
    largest = s.max(-1, initial=0.0)
    return u, s, vt, s > np.maximum(atol, rtol * largest)[..., None]


def _read(op: str, A: "RBETensor", hermitian: bool) -> "RBETensor":
    """Return the values of matrices, symmetric ones from their lower triangle."""
    a = matrices(op, A, square=hermitian)
    return a.tril() + a.tril(-1).mT if hermitian else a


def _bound(x: Any) -> Any:
    return x.detach()._array() if isinstance(x, _rbe.TensorBase) else x


def matrix_rank(A: "RBETensor", *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> "RBETensor":
    """Return the number of singular values above `max(atol, rtol * largest)` of matrices (…, m, n): int64 (…).

    Parameters
    ----------
    A : tensor (…, m, n)
    atol, rtol : float or tensor (…), optional
        By default 0, and max(m, n) times the distance from 1 to the next number; rtol is 0 with an atol.
    hermitian : bool
        Whether the matrices are symmetric, of which only the lower triangle is read.

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.matrix_rank(rbe.ones(3, 3))
    tensor(1)
    """
    counted = _decomposed("matrix_rank", _read("matrix_rank", A, hermitian), atol, rtol)[3]
    return tensor(np.asarray(counted.sum(-1), np.int64))


def pinv(A: "RBETensor", *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> "RBETensor":
    """Return the Moore-Penrose inverse (…, n, m) of matrices (…, m, n).

    Parameters
    ----------
    A : tensor (…, m, n)
    atol, rtol : float or tensor (…), optional
        Singular values up to `max(atol, rtol * largest)` count as 0; defaults as in `matrix_rank`.
    hermitian : bool
        Whether the matrices are symmetric, of which only the lower triangle is read.

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity.
    DTypeError, ShapeError

    Notes
    -----
    The gradient is that at constant rank (Golub and Pereyra, 1973).

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.pinv(rbe.tensor([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return _pinv("pinv", A, _read("pinv", A, hermitian), atol, rtol)[0]


def _pinv(op: str, A: "RBETensor", a: "RBETensor", atol: Any, rtol: Any) -> "tuple[RBETensor, Any, Any]":
    """Return the pseudo-inverse, the singular values and which of them count."""
    u, s, vt, counted = _decomposed(op, a, atol, rtol)
    inverse = np.where(counted, 1 / np.where(counted, s, 1), 0).astype(s.dtype)
    p = tensor((np.swapaxes(vt, -1, -2) * inverse[..., None, :]) @ np.swapaxes(u, -1, -2))

    def backward(dp: "RBETensor") -> "RBETensor":
        pt, g = p.mT, dp.mT
        rest = g - a @ (p @ g)  # (I - A P) dPᵀ
        total = (rest @ p) @ pt - pt @ dp @ pt
        turned = pt @ (p @ g)
        return total + turned - (turned @ p) @ a

    return recorded(op, A, [p], backward, [a, p])[0], s, counted


def lstsq(A: "RBETensor", B: "RBETensor", rcond: Any = None, *, driver: str | None = None) -> LeastSquares:
    """Return the X of least norm that makes the norm of `A X - B` smallest.

    Parameters
    ----------
    A : tensor (…, m, n)
    B : tensor (…, m, k) or (…, m)
        Batches broadcast; (…, m) where the batch is that of A holds one vector for every matrix.
    rcond : float, optional
        Singular values up to this share of the largest count as 0; by default max(m, n) times the distance from 1 to the next
        number.
    driver : {"gelsy", "gels", "gelsd", "gelss"}, optional
        LAPACK's name of a method, as in torch: it chooses which results are given. All are computed from the singular value
        decomposition.

    Returns
    -------
    LeastSquares
        `solution` (…, n, k); `residuals` (…, k), squared, for m > n and full rank unless "gelsy";
        `rank` (…) unless "gels"; `singular_values` for "gelsd" and "gelss". Results that are not given are empty.

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity.
    DTypeError, ShapeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> A, B = rbe.tensor([[1.0], [1.0]]), rbe.tensor([[1.0], [3.0]])
    >>> rbe.testing.assert_close(rbe.linalg.lstsq(A, B).solution, rbe.tensor([[2.0]]))
    """
    if driver not in (None, "gelsy", "gels", "gelsd", "gelss"):
        raise UnknownNameError("lstsq", "gelsy, gels, gelsd or gelss", repr(driver))
    matrices("lstsq", A)
    floats("lstsq", A, B)
    vectors = B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]
    A, B = _matched(A, B.unsqueeze(-1) if vectors else B)
    m, n = A.shape[-2:]
    inverse, s, counted = _pinv("lstsq", A, A.detach(), None, rcond)
    x = inverse @ B
    residuals = x.reshape(-1)[:0]
    if m > n and driver not in (None, "gelsy") and counted.all():
        residuals = (A @ x - B).square().sum(-2)
    rank = np.zeros(0, np.int64) if driver == "gels" else np.asarray(counted.sum(-1), np.int64)
    values = s if driver in ("gelsd", "gelss") else np.zeros(0, s.dtype)
    return LeastSquares(x.squeeze(-1) if vectors else x, residuals, tensor(rank), tensor(values))


def _matched(A: "RBETensor", B: "RBETensor") -> "tuple[RBETensor, RBETensor]":
    """Return A and B of one batch, with as many rows."""
    matrices("lstsq", B)
    across, B = together("lstsq", A.mT, B)
    return across.mT, B
