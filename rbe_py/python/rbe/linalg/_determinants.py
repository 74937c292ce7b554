"""Determinants."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._lapack import attempt, matrices, tensor
from ._record import recorded

if TYPE_CHECKING:
    from .._rbe import RBETensor


class Slogdet(NamedTuple):
    """The sign of a determinant and the logarithm of its magnitude.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.slogdet(-rbe.eye(1)).sign
    tensor(-1.)
    """

    sign: "RBETensor"
    logabsdet: "RBETensor"


def det(A: "RBETensor") -> "RBETensor":
    """Return the determinant of matrices (…, n, n): (…).

    The gradient is computed from the singular values, and exists for singular matrices too.

    Raises
    ------
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.det(rbe.tensor([[2.0, 0.0], [1.0, 3.0]]))
    tensor(6.)
    """
    a = matrices("det", A, square=True)
    y = tensor(np.asarray(np.linalg.det(a._array())))
    return recorded("det", A, [y], lambda dy: dy.unsqueeze(-1).unsqueeze(-1) * _cofactors(a), [a])[0]


def _cofactors(a: "RBETensor") -> "RBETensor":
    """Return the derivatives of determinants by the elements: U diag(products of all other singular values) Vᵀ."""
    array = a._array()
    if array.shape[-1] == 0:
        return tensor(array.copy())
    expected = "finite matrices for the gradient"
    u, s, vt = attempt("det", expected, "not", lambda x: np.linalg.svd(x, full_matrices=False), array)
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], -1), -1)[..., ::-1]
    turned = np.linalg.det(u) * np.linalg.det(vt)  # 1 or -1
    return tensor((u * (before * after * turned[..., None])[..., None, :]) @ vt)


def slogdet(A: "RBETensor") -> Slogdet:
    """Return the sign of the determinant of matrices (…, n, n), and the logarithm of its magnitude: 0 and -inf for 0.

    Raises
    ------
    LinAlgError
        In backward, for a singular matrix.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> sign, logarithm = rbe.linalg.slogdet(rbe.tensor([[2.0, 0.0], [0.0, -0.5]]))
    >>> sign, logarithm
    (tensor(-1.), tensor(0.))
    """
    a = matrices("slogdet", A, square=True)
    sign, logarithm = (tensor(np.asarray(x)) for x in np.linalg.slogdet(a._array()))

    def backward(dsign: Any, dy: Any) -> "RBETensor":
        if dy is None:  # the sign is constant wherever it has a derivative
            return a * 0.0
        inverse = attempt("slogdet", "invertible matrices for the gradient", "singular", np.linalg.inv, a._array())
        up: RBETensor = dy
        return up.unsqueeze(-1).unsqueeze(-1) * tensor(inverse).mT

    return Slogdet(*recorded("slogdet", A, [sign, logarithm], backward, [a]))
