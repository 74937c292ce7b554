"""Calls of NumPy's LAPACK: what may be given to it, and errors that name the matrix."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _rbe
from .._arguments import describe
from ..errors import DTypeError, LinAlgError, ShapeError

if TYPE_CHECKING:
    from .._rbe import RBETensor

_Array = np.ndarray[Any, Any]

_BLOCK = 64  # rows of a triangle that LAPACK solves; larger ones are split, so that most of the work is matrix products


def matrices(op: str, x: Any, *, square: bool = False) -> "RBETensor":
    """Return the values of a tensor (…, rows, columns), without its place on the tape.

    Raises
    ------
    DTypeError
        For anything but a dense tensor of float32 or float64.
    ShapeError
        For a tensor without rows and columns, or for matrices that are not square where they have to be.
    """
    floats(op, x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(op, f"{'square ' if square else ''}matrices (…, rows, columns)", str(tuple(x.shape)))
    values: RBETensor = x.detach()
    return values


def floats(op: str, *tensors: Any) -> None:
    """Refuse anything but dense tensors of float32, or of float64.

    Raises
    ------
    DTypeError
    """
    for x in tensors:
        if not isinstance(x, _rbe.TensorBase):
            raise DTypeError(op, "tensors", describe(x))
        if x.is_packed or x.dtype.name not in ("float32", "float64"):
            raise DTypeError(op, "dense tensors of float32 or float64", "a packed one" if x.is_packed else x.dtype.name)
        if x.dtype != tensors[0].dtype:
            raise DTypeError(op, "tensors of one dtype", f"{tensors[0].dtype.name} and {x.dtype.name}")


def attempt(op: str, expected: str, wrong: str, call: Callable[..., Any], *arrays: _Array) -> Any:
    """Return `call(*arrays)`.

    Raises
    ------
    LinAlgError
        If it fails for a matrix: says which one of the batch, and that it is `wrong`.
    """
    try:
        return call(*arrays)
    except np.linalg.LinAlgError:
        place = next((at for at in np.ndindex(arrays[0].shape[:-2]) if _fails(call, [x[at] for x in arrays])), ())
        raise LinAlgError(op, expected, which(place, wrong)) from None


def which(place: tuple[int, ...], wrong: str) -> str:
    """Return the words for a matrix at a place of a batch."""
    if not place:
        return f"one that is {wrong}"
    return f"one at {place[0] if len(place) == 1 else place} of the batch that is {wrong}"


def _fails(call: Callable[..., Any], arrays: list[_Array]) -> bool:
    try:
        call(*arrays)
    except np.linalg.LinAlgError:
        return True
    return False


def tensor(array: Any) -> "RBETensor":
    """Return a tensor over the memory of an array that nobody else holds."""
    made = _rbe._from_array(np.ascontiguousarray(array).reshape(np.shape(array)))
    made._own()
    return made


def solved(op: str, a: "RBETensor", b: "RBETensor") -> "RBETensor":
    """Return the solution x (…, n, k) of `a @ x = b`, of equal batches.

    Raises
    ------
    LinAlgError
        For a singular matrix.
    """
    return tensor(attempt(op, "invertible matrices", "singular", np.linalg.solve, a._array(), b._array()))


def substituted(op: str, t: "RBETensor", b: "RBETensor", upper: bool) -> "RBETensor":
    """Return the solution x (…, n, k) of `t @ x = b`, where one triangle of t counts as 0 and is not read.

    Raises
    ------
    LinAlgError
        For a 0 on the diagonal.
    """
    triangle = t._array()
    zero = (np.diagonal(triangle, axis1=-2, axis2=-1) == 0).any(-1)
    if zero.any():
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(zero)), zero.shape))
        raise LinAlgError(op, "triangles without 0 on the diagonal", which(place, "singular"))
    return tensor(_substitute(triangle, b._array(), upper))


def _substitute(t: _Array, b: _Array, upper: bool) -> _Array:
    n = t.shape[-1]
    if n <= _BLOCK:
        if upper:  # elimination finds nothing to do, and no rows to exchange: what remains is the substitution
            return np.linalg.solve(np.triu(t), b)
        flipped = np.linalg.solve(np.tril(t)[..., ::-1, ::-1], b[..., ::-1, :])
        return flipped[..., ::-1, :]
    half = n // 2
    first, second = (slice(half, n), slice(0, half)) if upper else (slice(0, half), slice(half, n))
    x = np.empty_like(b)
    x[..., first, :] = _substitute(t[..., first, first], b[..., first, :], upper)
    rest = b[..., second, :] - t[..., second, first] @ x[..., first, :]
    x[..., second, :] = _substitute(t[..., second, second], rest, upper)
    return x
