"""What NumPy and LAPACK do for arrays in the memory of the host: making arrays, factorisations, triangular systems."""

import importlib
from typing import Any, TypeAlias

import numpy as np

from ..errors import DTypeError, ShapeError, TensorError
from ._operands import describe

Host: TypeAlias = np.ndarray[Any, Any]

# NumPy puts the name of a dtype together whenever it is asked for, which takes microseconds.
NAMES = {np.dtype(name): name for name in ("float32", "float64", "int64")}


def owns(x: Any) -> bool:
    """Return whether x is an array, or a scalar, of plain NumPy."""
    if type(x) is np.ndarray:
        return True
    return isinstance(x, np.ndarray | np.generic) and not isinstance(x, np.matrix | np.ma.MaskedArray)


def dtype_of(x: Host) -> str:
    """Return the name of the dtype."""
    return NAMES.get(x.dtype) or str(x.dtype.name)


def to_device(x: Any, dtype: str | None) -> Host:
    """Return numbers as an array of float32, float64 or int64."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError) as e:  # lists of unequal length; an array on a GPU
        kind = ShapeError if isinstance(e, ValueError) else DTypeError
        raise kind("to_device", "numbers that form an array", f"{describe(x)} ({e})") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError("to_device", "real numbers in a dense array", f"{describe(x)}, which NumPy takes as {array.dtype}")
    if dtype is None:
        dtype = (
            array.dtype.name if array.dtype in (np.float32, np.float64) else "float64" if array.dtype.kind == "f" else "int64"
        )
    elif dtype == "int64" and array.dtype.kind == "f":
        raise DTypeError("to_device", "integers for int64", describe(x))
    return np.asarray(array, dtype=dtype)


def to_host(x: Host) -> Host:
    """Return the array itself."""
    return x


def zeros(shape: int | tuple[int, ...], dtype: str) -> Host:
    """Return zeros."""
    return np.zeros(shape, dtype)


def ones(shape: int | tuple[int, ...], dtype: str) -> Host:
    """Return ones."""
    return np.ones(shape, dtype)


def eye(n: int, dtype: str) -> Host:
    """Return the identity."""
    return np.eye(n, dtype=dtype)


def concat(arrays: list[Host], axis: int) -> Host:
    """Join arrays along an axis."""
    return np.concatenate(arrays, axis=axis)


def reshape(X: Host, shape: tuple[int, ...]) -> Host:
    """Return the elements in another shape."""
    return X.reshape(shape)


def bounds(indices: Host) -> tuple[int, int]:
    """Return the least and the largest index."""
    return int(indices.min()), int(indices.max())


def transposed(x: Host) -> Host:
    """Return a view with the last two axes exchanged."""
    view: Host = x.swapaxes(-1, -2)
    return view


def nonzero_diagonal(x: Host) -> bool:
    """Return whether no entry of the diagonal is 0."""
    return bool(x.diagonal().all())


def diagonal_range(x: Host) -> tuple[float, float]:
    """Return the least and the largest magnitude on the diagonal."""
    d = np.abs(x.diagonal())
    return float(d.min()), float(d.max())


def cholesky(A: Host) -> Host:
    """Return the lower Cholesky factor, from LAPACK."""
    try:
        factor: Host = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        factor = np.full((1, 1), np.nan)
    if not np.isfinite(factor).all():
        raise TensorError("cholesky", "a positive definite matrix", f"{describe(A)} that is not")
    return factor


def qr(A: Host) -> tuple[Host, Host]:
    """Return the reduced QR factors, from LAPACK."""
    q, r = np.linalg.qr(A)
    return q, r


def triangular_solve(T: Host, b: Host, lower: bool) -> Host:
    """Solve a triangular system: by SciPy where it is installed, else by NumPy's general solver."""
    try:
        scipy = importlib.import_module("scipy.linalg")
    except ModuleNotFoundError:
        return np.asarray(np.linalg.solve(np.tril(T) if lower else np.triu(T), b))
    return np.asarray(scipy.solve_triangular(T, b, lower=lower, check_finite=False))
