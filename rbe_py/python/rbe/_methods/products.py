"""Products of vectors and matrices, alone and added to a tensor."""

import math
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._axes import axis_of
from .._in_place import changed
from ..errors import DTypeError, ShapeError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def product(op: str, axes: tuple[int, int], a: _rbe.TensorBase, b: Any) -> "RBETensor":
    """Return the matrix product of two tensors of so many axes, none of which broadcasts.

    Raises
    ------
    ShapeError
    """
    if not isinstance(b, _rbe.TensorBase) or (a.ndim, b.ndim) != axes or (a.ndim == b.ndim and a.shape[:-2] != b.shape[:-2]):
        expected = f"two tensors of {axes[0]} and {axes[1]} axes, alike but for the last two"
        raise ShapeError(op, expected, f"{a.shape} and {getattr(b, 'shape', b)}")
    return a.matmul(b)


def added(op: str, x: _rbe.TensorBase, found: "RBETensor", beta: Any, alpha: Any) -> "RBETensor":
    """Return `beta * x + alpha * found`; with a `beta` of 0 x is not read, so that NaN in it does not count.

    Raises
    ------
    ShapeError
        For an x that does not broadcast to the product.
    DTypeError
        For factors with a fraction where the tensors are integers.
    """
    if not found.dtype.is_floating_point and (isinstance(beta, float) or isinstance(alpha, float)):
        raise DTypeError(op, f"integers as beta and alpha of {found.dtype.name} tensors", f"{beta} and {alpha}")
    found, wide = _times(found, alpha), x.broadcast_to(found.shape)
    return found if beta == 0 else _times(wide, beta) + found


def _times(x: "RBETensor", factor: Any) -> "RBETensor":
    """Return a multiple of a tensor, in its type."""
    return x if factor == 1 else x * (bool(factor) if x.dtype is dtypes.bool else factor)


class Products(_rbe.TensorBase):
    """Products."""

    __slots__ = ()

    def mv(self, vec: "RBETensor") -> "RBETensor":
        """Return the product of a matrix (n, k) and a vector (k).

        Examples
        --------
        >>> import rbe
        >>> rbe.mv(rbe.eye(2), rbe.tensor([3.0, 4.0]))
        tensor([3., 4.])
        """
        return product("mv", (2, 1), self, vec)

    def addmm(self, mat1: "RBETensor", mat2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """Return `beta * self + alpha * mat1 @ mat2` of matrices (n, k) and (k, m); the tensor broadcasts to (n, m).

        Examples
        --------
        >>> import rbe
        >>> rbe.addmm(rbe.ones(2), rbe.eye(2), rbe.eye(2), beta=2).tolist()
        [[3.0, 2.0], [2.0, 3.0]]
        """
        return added("addmm", self, product("addmm", (2, 2), mat1, mat2), beta, alpha)

    def addmm_(self, mat1: "RBETensor", mat2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """In-place form of `addmm`: return the tensor, changed."""
        return changed(self, "addmm_", lambda x: x.addmm(mat1, mat2, beta=beta, alpha=alpha), (mat1, mat2))

    def addmv(self, mat: "RBETensor", vec: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """Return `beta * self + alpha * mat @ vec` of a matrix (n, k) and a vector (k); the tensor broadcasts to (n).

        Examples
        --------
        >>> import rbe
        >>> rbe.addmv(rbe.ones(2), rbe.eye(2), rbe.tensor([3.0, 4.0]))
        tensor([4., 5.])
        """
        return added("addmv", self, product("addmv", (2, 1), mat, vec), beta, alpha)

    def addmv_(self, mat: "RBETensor", vec: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """In-place form of `addmv`: return the tensor, changed."""
        return changed(self, "addmv_", lambda x: x.addmv(mat, vec, beta=beta, alpha=alpha), (mat, vec))

    def addr(self, vec1: "RBETensor", vec2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """Return `beta * self + alpha * outer(vec1, vec2)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.addr(rbe.zeros(1, 2), rbe.tensor([2.0]), rbe.tensor([3.0, 4.0]))
        tensor([[6., 8.]])
        """
        return added("addr", self, vec1.outer(vec2), beta, alpha)

    def addr_(self, vec1: "RBETensor", vec2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """In-place form of `addr`: return the tensor, changed."""
        return changed(self, "addr_", lambda x: x.addr(vec1, vec2, beta=beta, alpha=alpha), (vec1, vec2))

    def baddbmm(self, batch1: "RBETensor", batch2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """Return `beta * self + alpha * batch1 @ batch2` of batches (b, n, k) and (b, k, m); the tensor broadcasts.

        Examples
        --------
        >>> import rbe
        >>> rbe.baddbmm(rbe.ones(1), rbe.ones(3, 1, 2), rbe.ones(3, 2, 1), alpha=10).reshape(-1)
        tensor([21., 21., 21.])
        """
        return added("baddbmm", self, product("baddbmm", (3, 3), batch1, batch2), beta, alpha)

    def baddbmm_(self, batch1: "RBETensor", batch2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """In-place form of `baddbmm`: return the tensor, changed."""
        return changed(self, "baddbmm_", lambda x: x.baddbmm(batch1, batch2, beta=beta, alpha=alpha), (batch1, batch2))

    def addbmm(self, batch1: "RBETensor", batch2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """Return `beta * self` plus `alpha` times the sum of the products of two batches (b, n, k) and (b, k, m).

        Examples
        --------
        >>> import rbe
        >>> rbe.addbmm(rbe.ones(1), rbe.ones(3, 1, 2), rbe.ones(3, 2, 1))
        tensor([[7.]])
        """
        return added("addbmm", self, product("addbmm", (3, 3), batch1, batch2).sum(0), beta, alpha)

    def addbmm_(self, batch1: "RBETensor", batch2: "RBETensor", *, beta: Any = 1, alpha: Any = 1) -> "RBETensor":
        """In-place form of `addbmm`: return the tensor, changed."""
        return changed(self, "addbmm_", lambda x: x.addbmm(batch1, batch2, beta=beta, alpha=alpha), (batch1, batch2))

    def outer(self, vec2: "RBETensor") -> "RBETensor":
        """Return the products of every element of a vector with every one of another.

        Raises
        ------
        ShapeError
            For tensors that are no vectors.

        Examples
        --------
        >>> import rbe
        >>> rbe.outer(rbe.tensor([1, 2]), rbe.tensor([3, 4, 5])).tolist()
        [[3, 4, 5], [6, 8, 10]]
        """
        if self.ndim != 1 or vec2.ndim != 1:
            raise ShapeError("outer", "two vectors", f"{self.shape} and {vec2.shape}")
        return self.unsqueeze(1) * vec2

    def ger(self, vec2: "RBETensor") -> "RBETensor":
        """Return `outer(vec2)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.ger(rbe.tensor([1, 2]), rbe.tensor([3])).tolist()
        [[3], [6]]
        """
        return self.unsqueeze(1) * vec2 if self.ndim == vec2.ndim == 1 else _rbe._as_tensor(self).outer(vec2)

    def vdot(self, other: "RBETensor") -> "RBETensor":
        """Return `dot(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.vdot(rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]))
        tensor(11.)
        """
        return product("vdot", (1, 1), self, other)

    def inner(self, other: "RBETensor") -> "RBETensor":
        """Return the sums of products over the last axes of two tensors; with a tensor without axes the product.

        Raises
        ------
        ShapeError
            For last axes of different lengths.

        Examples
        --------
        >>> import rbe
        >>> rbe.inner(rbe.eye(2), rbe.tensor([3.0, 4.0]))
        tensor([3., 4.])
        """
        if self.ndim == 0 or other.ndim == 0:
            return self * other
        if self.shape[-1] != other.shape[-1]:
            raise ShapeError("inner", "last axes of one length", f"{self.shape} and {other.shape}")
        n = self.shape[-1]
        rows = self.reshape(math.prod(self.shape[:-1]), n) @ other.reshape(math.prod(other.shape[:-1]), n).mT
        return rows.reshape(*self.shape[:-1], *other.shape[:-1])

    def kron(self, other: "RBETensor") -> "RBETensor":
        """Return the Kronecker product: every element of the tensor times the whole of another.

        Examples
        --------
        >>> import rbe
        >>> rbe.kron(rbe.tensor([1, 10]), rbe.tensor([3, 4]))
        tensor([ 3,  4, 30, 40])
        """
        n = max(self.ndim, other.ndim)
        a = [1] * (n - self.ndim) + list(self.shape)
        b = [1] * (n - other.ndim) + list(other.shape)
        apart = self.reshape([m for length in a for m in (length, 1)]) * other.reshape([m for length in b for m in (1, length)])
        return apart.reshape([p * q for p, q in zip(a, b, strict=True)])

    def cross(self, other: "RBETensor", dim: int | None = None) -> "RBETensor":
        """Return the cross products of vectors of three elements along an axis, by default the first of length 3.

        Raises
        ------
        ShapeError
            Without such an axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.cross(rbe.tensor([1, 0, 0]), rbe.tensor([0, 1, 0]))
        tensor([0, 0, 1])
        """
        n = max(self.ndim, other.ndim)
        if dim is None:
            dim = next((i for i, length in enumerate(self.shape) if length == 3), None)
        axis = None if dim is None else axis_of("cross", dim, n) - n
        if axis is None or self.ndim != other.ndim or self.shape[axis] != 3 or other.shape[axis] != 3:
            raise ShapeError("cross", "two tensors with vectors of 3 elements along an axis", f"{self.shape} and {other.shape}")

        def turned(x: _rbe.TensorBase) -> "RBETensor":
            return _rbe.concat([x.narrow(axis, 1, 2), x.narrow(axis, 0, 1)], axis)

        # The differences come out one place too far.
        return turned(self * turned(other) - turned(self) * other)
