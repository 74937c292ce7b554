"""Linear algebra of matrices and batches of them, under torch's names: `(…, rows, columns)`, float32 or float64.

Factorisations and solutions are those of NumPy's LAPACK; gradients are computed here. design/linalg.md says why, and what they
cost.
"""

from ..errors import LinAlgError
from . import _determinants, _factors, _least_squares, _norms, _products, _spectra, _systems
from ._determinants import Slogdet, det, slogdet
from ._factors import QR, cholesky, qr
from ._least_squares import LeastSquares, lstsq, matrix_rank, pinv
from ._norms import cond, matrix_norm, norm, vector_norm
from ._products import cross, diagonal, matmul, matrix_power, multi_dot, vecdot
from ._spectra import SVD, Eigh, eigh, eigvalsh, svd, svdvals
from ._systems import inv, solve, solve_triangular

__all__ = [
    "QR", "SVD", "Eigh", "LeastSquares", "LinAlgError", "Slogdet", "cholesky", "cond", "cross", "det", "diagonal", "eigh",
    "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr",
    "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vecdot", "vector_norm",
]  # fmt: skip


def _name_class(cls: type) -> None:
    """Give the modules the class that their annotations name: it is made after them, for its methods use them."""
    for module in (_determinants, _factors, _least_squares, _norms, _products, _spectra, _systems):
        vars(module)[cls.__name__] = cls
    for made in (QR, SVD, Eigh, LeastSquares, Slogdet):  # whose constructors have no module to find it in
        made.__new__.__annotations__ = dict.fromkeys(made._fields, cls)
