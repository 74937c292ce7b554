"""The backend of NVIDIA GPUs."""

import importlib
from typing import Any

from ..errors import DeviceError
from .array import ArrayBackend

__all__ = ["CUDABackend"]

LIBRARIES = ("cupy", "torch")


def _missing(library: str) -> str | None:
    """Return why a library does not reach a GPU; None if it does."""
    try:
        module = importlib.import_module(library)
        found = module.cuda.runtime.getDeviceCount() > 0 if library == "cupy" else module.cuda.is_available()
    except Exception as e:  # CuPy raises errors of its own where the driver is missing
        return f"{library}: {e}"
    return None if found else f"{library}: no CUDA device"


class CUDABackend(ArrayBackend):
    """CuPy or torch on a CUDA device, on which arrays stay between calls.

    `to_device` and `to_host` move arrays; nothing else does, except that `float()` of a result fetches a number.

    Parameters
    ----------
    library : {"cupy", "torch"}, optional
        Default: the first of them that finds a device.

    Raises
    ------
    DeviceError
        If there is no device that the library reaches.

    Examples
    --------
    >>> import rbe
    >>> if rbe.backend.CUDABackend.is_available():
    ...     backend = rbe.backend.CUDABackend()
    ...     x = backend.to_device([3.0, 4.0])
    ...     assert float(backend.nrm2(x)) == 5.0
    """

    def __init__(self, library: str | None = None) -> None:
        if library is not None and library not in LIBRARIES:
            raise DeviceError("CUDABackend", f"one of {', '.join(LIBRARIES)} as library", repr(library))
        reasons: dict[str, Any] = {name: _missing(name) for name in ((library,) if library else LIBRARIES)}
        usable = [name for name, reason in reasons.items() if reason is None]
        if not usable:
            raise DeviceError("CUDABackend", "a CUDA device", "; ".join(reasons.values()))
        super().__init__(importlib.import_module(usable[0]), "cuda" if usable[0] == "torch" else None, f"cuda ({usable[0]})")

    @staticmethod
    def is_available() -> bool:
        """Return whether CuPy or torch finds a CUDA device."""
        return any(_missing(name) is None for name in LIBRARIES)
