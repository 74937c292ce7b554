"""Factors, inverses and determinants of matrices: the functions of `rbe.linalg` that tensors have as methods."""

from typing import TYPE_CHECKING

import numpy as np

from .. import _rbe, linalg

if TYPE_CHECKING:
    from .._rbe import RBETensor


class Matrices(_rbe.TensorBase):
    """Matrices, and batches of them."""

    __slots__ = ()

    def cholesky_solve(self, L: "RBETensor", upper: bool = False) -> "RBETensor":
        """Return the solution X of `A X = B` for right sides (…, n, k), from the factor that `linalg.cholesky` makes of A.

        Examples
        --------
        >>> import rbe
        >>> rbe.cholesky_solve(rbe.tensor([[8.0]]), rbe.tensor([[2.0]])).tolist()
        [[2.0]]
        """
        lower = L.mT if upper else L
        half = linalg.solve_triangular(lower, _rbe._as_tensor(self), upper=False)
        return linalg.solve_triangular(lower.mT, half, upper=True)

    def cholesky_inverse(self, upper: bool = False) -> "RBETensor":
        """Return the inverse of the matrices whose factor, made by `linalg.cholesky`, is the tensor.

        Examples
        --------
        >>> import rbe
        >>> rbe.cholesky_inverse(rbe.tensor([[2.0]])).tolist()
        [[0.25]]
        """
        factor = _rbe._as_tensor(self)
        lower = factor.mT if upper else factor
        identity = _rbe._from_array(np.eye(lower.shape[-1], dtype=lower.dtype.name))
        half = linalg.solve_triangular(lower, identity, upper=False)
        return half.mT @ half

    def inverse(self) -> "RBETensor":
        """Return the inverse of matrices (…, n, n).

        Examples
        --------
        >>> import rbe
        >>> rbe.inverse(rbe.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
        """
        return linalg.inv(_rbe._as_tensor(self))

    def pinverse(self, rcond: float = 1e-15) -> "RBETensor":
        """Return the Moore-Penrose inverse; singular values up to `rcond` times the largest count as 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.pinverse(rbe.tensor([[2.0, 0.0]])).tolist()
        [[0.5], [0.0]]
        """
        return linalg.pinv(_rbe._as_tensor(self), rtol=rcond)

    def det(self) -> "RBETensor":
        """Return the determinant of matrices (…, n, n): (…).

        Examples
        --------
        >>> import rbe
        >>> rbe.det(rbe.tensor([[2.0, 0.0], [1.0, 3.0]]))
        tensor(6.)
        """
        return linalg.det(_rbe._as_tensor(self))

    def slogdet(self) -> linalg.Slogdet:
        """Return the sign of the determinant of matrices (…, n, n), and the logarithm of its magnitude.

        Examples
        --------
        >>> import rbe
        >>> rbe.slogdet(rbe.tensor([[-1.0]])).sign
        tensor(-1.)
        """
        return linalg.slogdet(_rbe._as_tensor(self))

    def logdet(self) -> "RBETensor":
        """Return the logarithm of the determinant of matrices (…, n, n).

        It is -inf for a determinant of 0, and NaN for a negative one.

        Examples
        --------
        >>> import rbe
        >>> rbe.logdet(rbe.eye(2))
        tensor(0.)
        """
        sign, logarithm = linalg.slogdet(_rbe._as_tensor(self))
        return logarithm.masked_fill(sign < 0, float("nan"))

    def matrix_power(self, n: int) -> "RBETensor":
        """Return the n-th power of matrices (…, m, m).

        Examples
        --------
        >>> import rbe
        >>> rbe.matrix_power(rbe.tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
        [[1.0, 5.0], [0.0, 1.0]]
        """
        return linalg.matrix_power(_rbe._as_tensor(self), n)

    def qr(self, some: bool = True) -> linalg.QR:
        """Return orthonormal columns and an upper triangle whose product is the tensor; all columns with some=False.

        Examples
        --------
        >>> import rbe
        >>> rbe.qr(rbe.ones(3, 2)).R.shape
        (2, 2)
        """
        return linalg.qr(_rbe._as_tensor(self), "reduced" if some else "complete")

    def svd(self, some: bool = True) -> "tuple[RBETensor, RBETensor, RBETensor]":
        """Return U, S and V of the decomposition `U diag(S) Vᵀ`: V, where `rbe.linalg.svd` returns Vᵀ.

        Examples
        --------
        >>> import rbe
        >>> rbe.svd(rbe.tensor([[0.0, 2.0], [1.0, 0.0]]))[1]
        tensor([2., 1.])
        """
        u, s, vt = linalg.svd(_rbe._as_tensor(self), full_matrices=not some)
        return u, s, vt.mT
