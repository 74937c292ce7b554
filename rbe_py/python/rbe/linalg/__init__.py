"""Linear algebra of matrices and batches of them, under torch's names: `(…, rows, columns)`, float32 or float64.

Factorisations and solutions are those of NumPy's LAPACK; gradients are computed here. design/linalg.md says why, and what they
cost.
"""

from ..errors import LinAlgError
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
