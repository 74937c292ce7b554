"""Products of matrices and vectors."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments import integer
from ..errors import ShapeError
from ._lapack import matrices, tensor
from ._record import recorded
from ._systems import inv

if TYPE_CHECKING:
    from .._rbe import RBETensor


def matmul(input: "RBETensor", other: "RBETensor") -> "RBETensor":
    """Return `input @ other`.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.matmul(rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """
    return input.matmul(other)


def matrix_power(A: "RBETensor", n: int) -> "RBETensor":
    """Return the n-th power of matrices (…, m, m): of the inverse for a negative n, the identity for 0.

    Raises
    ------
    LinAlgError
        For a singular matrix and a negative n.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.matrix_power(rbe.tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    matrices("matrix_power", A, square=True)
    n = integer("matrix_power", "the exponent", n)
    if n == 0:
        identity = np.zeros(A.shape, A.dtype.name) + np.eye(A.shape[-1], dtype=A.dtype.name)
        return recorded("matrix_power", A, [tensor(identity)], lambda dy: dy * 0.0, [])[0]
    square, n = (inv(A), -n) if n < 0 else (A, n)
    found = None
    while True:
        if n % 2:
            found = square if found is None else found @ square
        n //= 2
        if n == 0:
            assert found is not None
            return found
        square = square @ square


def multi_dot(tensors: "Sequence[RBETensor]") -> "RBETensor":
    """Return the product of matrices in the order of fewest multiplications; the first and last may be vectors.

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.multi_dot([rbe.eye(2), rbe.eye(2), rbe.tensor([3.0, 4.0])])
    tensor([3., 4.])
    """
    if len(tensors) < 2:
        raise ShapeError("multi_dot", "at least two tensors", str(len(tensors)))
    first, last = tensors[0], tensors[-1]
    chain: Any = list(tensors)
    if first.ndim == 1:
        chain[0] = first.unsqueeze(0)
    if last.ndim == 1:
        chain[-1] = last.unsqueeze(1)
    if any(x.ndim != 2 for x in chain) or any(x.shape[1] != y.shape[0] for x, y in pairwise(chain)):
        raise ShapeError("multi_dot", "matrices that fit each other", str([tuple(x.shape) for x in tensors]))
    found = _cheapest(chain)
    if last.ndim == 1:
        found = found.squeeze(1)
    return found.squeeze(0) if first.ndim == 1 else found


def _cheapest(chain: "list[RBETensor]") -> "RBETensor":
    """Return the product of matrices: the split of each part that costs least, by the costs of shorter parts."""
    n, sizes = len(chain), [chain[0].shape[0], *(x.shape[1] for x in chain)]
    cost: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j] = min(
                (cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i: int, j: int) -> "RBETensor":
        k = cost[i, j][1]
        return chain[i] if i == j else product(i, k) @ product(k + 1, j)

    return product(0, n - 1)


def cross(input: "RBETensor", other: "RBETensor", *, dim: int = -1) -> "RBETensor":
    """Return the cross products of vectors of three elements along an axis; the others broadcast.

    Raises
    ------
    ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.cross(rbe.tensor([1, 0, 0]), rbe.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    return input.cross(other, dim)


def vecdot(x: "RBETensor", y: "RBETensor", *, dim: int = -1) -> "RBETensor":
    """Return the sums of products along an axis; the others broadcast.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.vecdot(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), rbe.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    return (x * y).sum(dim)


def diagonal(A: "RBETensor", *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> "RBETensor":
    """Return a diagonal of matrices, by default of the last two axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.linalg.diagonal(rbe.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return A.diagonal(offset, dim1, dim2)
