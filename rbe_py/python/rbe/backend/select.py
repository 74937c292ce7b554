"""Backends by name."""

from typing import Any

from .._compat import require
from ..errors import ConfigError
from ._operands import describe
from .array import ArrayBackend
from .cpu import CPUBackend
from .cuda import CUDABackend
from .protocol import Backend

__all__ = ["get"]

NAMESPACES = {
    "numpy": "numpy",
    "torch": "torch",
    "cupy": "cupy",
    "jax": "jax.numpy",
    "array-api-strict": "array_api_strict",
}
_made: dict[str, Backend] = {}


def get(backend: Any = "cpu") -> Backend:
    """Return a backend.

    Parameters
    ----------
    backend : str, Backend or module
        "cpu" (rbe's engine), "cuda" (`CUDABackend`), or "numpy", "torch", "cupy", "jax", "array-api-strict" (`ArrayBackend`);
        a namespace of the array API standard; or a backend, which is returned as it is.

    Raises
    ------
    ConfigError
        For an unknown name.
    DependencyError
        If the library or array-api-compat is not installed.
    DeviceError
        For "cuda" without a CUDA device.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> use_gpu = rbe.backend.CUDABackend.is_available()
    >>> backend = rbe.backend.get("cuda" if use_gpu else "cpu")
    >>> p = backend.sigmoid(backend.to_device([0.0]))
    >>> backend.to_host(p)
    array([0.5])
    """
    if isinstance(backend, Backend):
        return backend
    if not isinstance(backend, str):
        if hasattr(backend, "__name__"):
            return ArrayBackend(backend)
        raise ConfigError("backend.get", "a name, a backend or a namespace", describe(backend))
    if backend not in _made:
        if backend == "cpu":
            made: Backend = CPUBackend()
        elif backend == "cuda":
            made = CUDABackend()
        elif backend in NAMESPACES:
            made = ArrayBackend(require("backend.get", NAMESPACES[backend]), name=backend)
        else:
            raise ConfigError("backend.get", f"one of cpu, cuda, {', '.join(NAMESPACES)}", repr(backend))
        _made[backend] = made
    return _made[backend]
