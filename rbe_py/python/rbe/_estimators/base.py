"""The base class of estimators: validated data on a backend, results where the data was."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_n_features, _check_sample_weight, check_is_fitted, validate_data

from .. import backend as backends
from ..backend import Backend
from ..backend.protocol import Array
from ..errors import DTypeError, NonFiniteError, ShapeError, TensorError

FLOATS = (np.float64, np.float32)


class Data(NamedTuple):
    """Samples on a backend.

    Attributes
    ----------
    backend : Backend
    X : array (n, d)
        float32 or float64.
    resident : bool
        Whether X came as an array of the backend's own: results are left there too.
    """

    backend: Backend
    X: Array
    resident: bool

    @property
    def dtype(self) -> str:
        """The dtype of X."""
        return self.backend.dtype_of(self.X)

    def give(self, x: Array) -> Any:
        """Return a result: where the samples came from."""
        return x if self.resident else self.backend.to_host(x)

    def column(self, x: Any) -> Array:
        """Return numbers of the samples in the dtype of X."""
        return self.backend.to_device(x, self.dtype)


class BackendEstimator(BaseEstimator):  # type: ignore[misc]  # (scikit-learn has no types)
    """An estimator whose numerical steps are operations of a backend, its parameter `backend`."""

    backend: Any

    def _samples(self, X: Any, op: str, reset: bool = False) -> Data:
        """Return validated samples."""
        chosen = backends.get(self.backend)
        if chosen.owns(X) and not isinstance(X, np.ndarray):
            return Data(chosen, self._resident(chosen, X, op, reset), True)
        self._refuse(X, op)
        return Data(chosen, chosen.to_device(validate_data(self, X, dtype=FLOATS, reset=reset)), False)

    def _labelled(self, X: Any, y: Any, op: str, **checks: Any) -> tuple[Data, Any]:
        """Return validated samples and their targets, which are NumPy's unless X is resident."""
        chosen = backends.get(self.backend)
        if chosen.owns(X) and not isinstance(X, np.ndarray):
            data = Data(chosen, self._resident(chosen, X, op, True), True)
            targets = y if chosen.owns(y) else np.asarray(y)
            if targets.ndim == 0 or targets.shape[0] != X.shape[0]:
                raise ShapeError(f"{type(self).__name__}.{op}", f"{X.shape[0]} targets", str(tuple(targets.shape)))
            return data, targets
        self._refuse(X, op)
        X, y = validate_data(self, X, y, dtype=FLOATS, **checks)
        return Data(chosen, chosen.to_device(X), False), y

    def _fitted(self, X: Any, op: str) -> Data:
        """Return validated samples for a fitted estimator."""
        check_is_fitted(self)
        return self._samples(X, op)

    def _weights(self, data: Data, sample_weight: Any) -> Array | None:
        """Return the weights of samples as a vector on the backend; None for none."""
        if sample_weight is None:
            return None
        name = f"{type(self).__name__}.fit"
        if data.resident and data.backend.owns(sample_weight):
            weights = data.column(sample_weight)
            if tuple(weights.shape) != (data.X.shape[0],):
                raise ShapeError(name, f"sample_weight ({data.X.shape[0]},)", str(tuple(weights.shape)))
            return weights
        rows = np.empty((data.X.shape[0], 0), data.dtype)
        return data.column(_check_sample_weight(sample_weight, rows, dtype=rows.dtype))

    def _refuse(self, X: Any, op: str) -> None:
        """Raise DTypeError for sparse or complex samples."""
        name = f"{type(self).__name__}.{op}"
        if hasattr(X, "tocsr"):
            raise DTypeError(name, "samples in a dense array", f"a sparse {type(X).__name__}")
        if getattr(getattr(X, "dtype", None), "kind", "") == "c":
            raise DTypeError(name, "real samples", f"complex ones: {X.dtype} (Complex data not supported)")

    def _resident(self, chosen: Backend, X: Array, op: str, reset: bool) -> Array:
        name = f"{type(self).__name__}.{op}"
        if X.ndim != 2 or 0 in X.shape:
            raise ShapeError(name, "samples (n, features)", str(tuple(X.shape)))
        _check_n_features(self, X, reset=reset)
        X = chosen.to_device(X, None if chosen.dtype_of(X) in ("float32", "float64") else "float64")
        if not np.isfinite(float(chosen.amax(X))):
            raise NonFiniteError(name, "finite samples", "NaN or infinity")
        return X


def choose(op: str, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return a parameter that must be one of some names."""
    if value not in allowed:
        raise TensorError(op, f"{name} {', '.join(map(repr, allowed))}", repr(value))
    return str(value)


def positive(op: str, name: str, value: Any, zero: bool = True) -> float:
    """Return a parameter that must be a number of at least, or above, 0."""
    if not isinstance(value, int | float | np.integer | np.floating) or not (value >= 0 if zero else value > 0):
        raise TensorError(op, f"{name} {'of at least' if zero else 'above'} 0", repr(value))
    return float(value)


def at_least(op: str, name: str, value: Any, least: int) -> int:
    """Return a parameter that must be an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or value < least:
        raise TensorError(op, f"an integer {name} of at least {least}", repr(value))
    return int(value)
