"""The backend of any array library."""

from typing import Any

from .standard import Standard
from .systems import Complete

__all__ = ["ArrayBackend"]


class ArrayBackend(Complete):
    """Any namespace of the Python array API standard, through the package array-api-compat (`pip install rbe[array-api]`).

    Parameters
    ----------
    xp : module
        `numpy`, `torch`, `cupy`, `jax.numpy`, `array_api_strict` or another namespace of the standard.
    device : device of that library, optional
        Where `to_device` and `zeros` make arrays; default: the library's.
    name : str, optional
        Default: the namespace's.

    Raises
    ------
    DependencyError
        Without array-api-compat.
    DTypeError
        For what is no such namespace.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> backend = rbe.backend.ArrayBackend(np)  # doctest: +SKIP
    >>> backend.softmax(np.zeros((1, 2)))  # doctest: +SKIP
    array([[0.5, 0.5]])
    """

    def __init__(self, xp: Any, device: Any = None, name: str | None = None) -> None:
        kernels = Standard(xp, device)
        super().__init__(name or xp.__name__, kernels)
        self.xp = kernels.xp
        self.device = device
