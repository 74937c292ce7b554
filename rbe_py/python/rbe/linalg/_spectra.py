"""Singular values and eigenvalues, with their vectors."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import _rbe
from ..errors import LinAlgError, UnknownNameError
from ._lapack import attempt, matrices, tensor, which
from ._record import recorded

if TYPE_CHECKING:
    from .._rbe import RBETensor


class SVD(NamedTuple):
    """Singular vectors in the columns of U and the rows of Vh, and singular values S, the largest first.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.svd(rbe.eye(2)).S
    tensor([1., 1.])
    """

    U: "RBETensor"
    S: "RBETensor"
    Vh: "RBETensor"


class Eigh(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors in columns.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.eigh(rbe.eye(2)).eigenvalues
    tensor([1., 1.])
    """

    eigenvalues: "RBETensor"
    eigenvectors: "RBETensor"


def svd(A: "RBETensor", full_matrices: bool = True) -> SVD:
    """Return the singular value decomposition `A = U diag(S) Vh`.

    Parameters
    ----------
    A : tensor (…, m, n)
    full_matrices : bool
        U (…, m, m) and Vh (…, n, n); else U (…, m, k) and Vh (…, k, n) with k = min(m, n). No gradient comes from the vectors
        beyond the k-th, which A does not determine.

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity. In backward, if the loss depends on vectors whose singular values are equal, or 0 in
        a matrix that is not square: they have no gradient.
    DTypeError, ShapeError

    Notes
    -----
    Vectors are determined up to their sign: losses should not depend on it.

    Examples
    --------
    >>> import rbe
    >>> U, S, Vh = rbe.linalg.svd(rbe.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> S
    tensor([2., 1.])
    """
    a = matrices("svd", A)
    array = a._array()
    k, whole = min(a.shape[-2:]), bool(full_matrices)
    found = attempt("svd", "finite matrices", "not", lambda x: np.linalg.svd(x, full_matrices=whole), array)
    u, s, vt = tensor(found[0][..., :k]), tensor(found[1]), tensor(found[2][..., :k, :])

    def backward(du: Any, ds: Any, dvt: Any) -> "RBETensor":
        return _of_singular(u, s, vt, du, ds, dvt)

    U, S, Vh = recorded("svd", A, [u, s, vt], backward, [u, s, vt])
    if found[0].shape[-1] > k:
        U = _rbe.concat([U, tensor(found[0][..., k:])], -1)
    if found[2].shape[-2] > k:
        Vh = _rbe.concat([Vh, tensor(found[2][..., k:, :])], -2)
    return SVD(U, S, Vh)


def _of_singular(u: "RBETensor", s: "RBETensor", vt: "RBETensor", du: Any, ds: Any, dvt: Any) -> "RBETensor":
    """Return the gradient of a matrix from those of its singular values and vectors (None: not used)."""
    inner = s.diag_embed() * 0.0 if ds is None else ds.diag_embed()
    if du is not None or dvt is not None:
        squares = s * s
        between = _between("svd", "singular values", squares)
    if du is not None:
        p = u.mT @ du
        inner = inner + (p - p.mT) * between * s.unsqueeze(-2)
    if dvt is not None:
        p = vt @ dvt.mT
        inner = inner + s.unsqueeze(-1) * ((p - p.mT) * between)
    total = u @ inner @ vt
    m, n, k = u.shape[-2], vt.shape[-1], s.shape[-1]
    if du is not None and m > k:
        side = du / _nonzero(s).unsqueeze(-2)
        total = total + (side - u @ (u.mT @ side)) @ vt
    if dvt is not None and n > k:
        side = dvt / _nonzero(s).unsqueeze(-1)
        total = total + u @ (side - (side @ vt.mT) @ vt)
    return total


def _between(op: str, what: str, values: "RBETensor") -> "RBETensor":
    """Return 1 / (values[j] - values[i]) for all pairs (i, j), and 0 on the diagonal.

    Raises
    ------
    LinAlgError
        For two equal ones.
    """
    array = values._array()
    apart = array[..., None, :] - array[..., :, None]
    n = apart.shape[-1]
    apart[..., range(n), range(n)] = np.inf
    _refuse(op, f"distinct {what} for the gradient of their vectors", (apart == 0).any((-1, -2)), "not so")
    return tensor(1 / apart)


def _nonzero(s: "RBETensor") -> "RBETensor":
    """Return singular values, none of which is 0.

    Raises
    ------
    LinAlgError
    """
    _refuse(
        "svd", "singular values other than 0 for the gradient of their vectors", (s._array() == 0).any(-1), "rank-deficient"
    )
    return s


def _refuse(op: str, expected: str, wrong: Any, word: str) -> None:
    if np.any(wrong):
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), np.shape(wrong)))
        raise LinAlgError(op, expected, which(place, word))


def svdvals(A: "RBETensor") -> "RBETensor":
    """Return the singular values of matrices (…, m, n), the largest first: (…, min(m, n)).

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.svdvals(rbe.tensor([[0.0, 2.0], [1.0, 0.0]]))
    tensor([2., 1.])
    """
    return svd(A, full_matrices=False).S


def eigh(A: "RBETensor", UPLO: Literal["L", "U"] = "L") -> Eigh:
    """Return eigenvalues L and eigenvectors Q of symmetric matrices: `A = Q diag(L) Qᵀ`.

    Parameters
    ----------
    A : tensor (…, n, n)
        Symmetric: one triangle is read. The gradient is that of a function of all elements.
    UPLO : {"L", "U"}
        The triangle that is read, the lower or the upper one.

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity. In backward, if the loss depends on vectors whose eigenvalues are equal.
    DTypeError, ShapeError, UnknownNameError

    Notes
    -----
    Vectors are determined up to their sign: losses should not depend on it.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.eigh(rbe.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    if UPLO not in ("L", "U"):
        raise UnknownNameError("eigh", "L or U", repr(UPLO))
    a = matrices("eigh", A, square=True)
    found = attempt("eigh", "finite matrices", "not", lambda x: np.linalg.eigh(x, UPLO), a._array())
    _refuse("eigh", "finite matrices", ~np.isfinite(found[0]).all(-1), "not")  # LAPACK returns NaN
    values, q = tensor(found[0]), tensor(found[1])

    def backward(dvalues: Any, dq: Any) -> "RBETensor":
        inner = values.diag_embed() * 0.0 if dvalues is None else dvalues.diag_embed()
        if dq is not None:
            inner = inner + (q.mT @ dq) * _between("eigh", "eigenvalues", values)
        return q @ inner @ q.mT

    return Eigh(*recorded("eigh", A, [values, q], backward, [values, q]))


def eigvalsh(A: "RBETensor", UPLO: Literal["L", "U"] = "L") -> "RBETensor":
    """Return the eigenvalues of symmetric matrices (…, n, n) in ascending order: (…, n).

    Raises
    ------
    LinAlgError
        For a matrix with NaN or infinity.
    DTypeError, ShapeError, UnknownNameError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.eigvalsh(rbe.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return eigh(A, UPLO).eigenvalues
