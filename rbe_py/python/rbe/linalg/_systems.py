"""Solutions of systems of equations, and inverses."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ShapeError
from ._lapack import attempt, floats, matrices, solved, substituted, tensor
from ._record import recorded, recorded_of

if TYPE_CHECKING:
    from .._rbe import RBETensor


def inv(A: "RBETensor") -> "RBETensor":
    """Return the inverse of matrices (…, n, n).

    Raises
    ------
    LinAlgError
        For a singular matrix.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.inv(rbe.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    a = matrices("inv", A, square=True)
    y = tensor(attempt("inv", "invertible matrices", "singular", np.linalg.inv, a._array()))
    return recorded("inv", A, [y], lambda dy: 0.0 - y.mT @ dy @ y.mT, [y])[0]


def solve(A: "RBETensor", B: "RBETensor", *, left: bool = True) -> "RBETensor":
    """Return the solution X of `A X = B`, or of `X A = B`.

    Parameters
    ----------
    A : tensor (…, n, n)
    B : tensor (…, n, k), (n) or (…, n)
        Batches broadcast; (…, n) where the batch is that of A holds one vector for every matrix.
    left : bool
        Whether A stands on the left of X; else B is (…, k, n).

    Raises
    ------
    LinAlgError
        For a singular matrix.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.solve(rbe.tensor([[2.0, 0.0], [0.0, 4.0]]), rbe.tensor([2.0, 8.0]))
    tensor([1., 2.])
    """
    matrices("solve", A, square=True)
    floats("solve", A, B)
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]):
        if not left:
            raise ShapeError("solve", "B (…, k, n) with left=False", str(tuple(B.shape)))
        return solve(A, B.unsqueeze(-1)).squeeze(-1)
    if not left:
        return solve(A.mT, B.mT).mT
    A, B = together("solve", A, B)
    a = A.detach()
    x = solved("solve", a, B.detach())

    def backward(dx: "RBETensor") -> "list[RBETensor]":
        db = solved("solve", a.mT, dx)
        return [0.0 - db @ x.mT, db]

    return recorded_of("solve", [A, B], [x], backward, [a, x])[0]


def solve_triangular(
    A: "RBETensor", B: "RBETensor", *, upper: bool, left: bool = True, unitriangular: bool = False
) -> "RBETensor":
    """Return the solution X of `A X = B`, or of `X A = B`, with a triangle A.

    Parameters
    ----------
    A : tensor (…, n, n)
        Only the upper, or the lower, triangle is read.
    B : tensor (…, n, k); with left=False (…, k, n)
        Batches broadcast.
    upper : bool
    left : bool
    unitriangular : bool
        Take the diagonal of A as 1 without reading it.

    Raises
    ------
    LinAlgError
        For a 0 on the diagonal.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> L = rbe.tensor([[2.0, 0.0], [1.0, 1.0]])
    >>> rbe.linalg.solve_triangular(L, rbe.tensor([[2.0], [3.0]]), upper=False).tolist()
    [[1.0], [2.0]]
    """
    op = "solve_triangular"
    matrices(op, A, square=True)
    matrices(op, B)
    floats(op, A, B)
    if not left:
        return solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
    if unitriangular:
        kept = A.triu(1) if upper else A.tril(-1)
        return solve_triangular(kept + tensor(np.eye(A.shape[-1], dtype=A.dtype.name)), B, upper=upper)
    A, B = together(op, A, B)
    a = A.detach()
    x = substituted(op, a, B.detach(), upper)

    def backward(dx: "RBETensor") -> "list[RBETensor]":
        db = substituted(op, a.mT, dx, not upper)
        da = 0.0 - db @ x.mT
        return [da.triu() if upper else da.tril(), db]

    return recorded_of(op, [A, B], [x], backward, [a, x])[0]


def together(op: str, A: "RBETensor", B: "RBETensor") -> "tuple[RBETensor, RBETensor]":
    """Return matrices and right sides of one batch.

    Raises
    ------
    ShapeError
    """
    try:
        if A.shape[-1] != B.shape[-2]:
            raise ValueError
        batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    except ValueError:
        expected = "a B of as many rows as A, and batches that broadcast"
        raise ShapeError(op, expected, f"{tuple(A.shape)} and {tuple(B.shape)}") from None
    return A.broadcast_to([*batch, *A.shape[-2:]]), B.broadcast_to([*batch, *B.shape[-2:]])
