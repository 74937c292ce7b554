"""Torch's queries for CUDA, which is never available."""

from typing import Any, NoReturn

from . import memory
from .errors import DeviceError

__all__ = ["device_count", "empty_cache", "is_available", "matmul"]


def is_available() -> bool:
    """Return False: the only device is "cpu".

    Examples
    --------
    >>> import rbe
    >>> rbe.device("cuda" if rbe.cuda.is_available() else "cpu")
    device(type='cpu')
    """
    return False


def device_count() -> int:
    """Return 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.cuda.device_count()
    0
    """
    return 0


def empty_cache() -> None:
    """Return free buffers of the memory pool to the system, as `rbe.memory.clear`: those of the CPU, the only device.

    Examples
    --------
    >>> import rbe
    >>> rbe.cuda.empty_cache()
    >>> rbe.memory.pool_stats()["cached_bytes"]
    0
    """
    memory.clear()


def matmul(a: Any, b: Any) -> NoReturn:
    """Raise a DeviceError: there is no CUDA device. `rbe.matmul` multiplies on the CPU.

    Raises
    ------
    DeviceError
        Always. Programs ask `is_available()` first.

    Examples
    --------
    >>> import rbe
    >>> a = rbe.eye(2)
    >>> (rbe.cuda.matmul if rbe.cuda.is_available() else rbe.matmul)(a, a).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    raise DeviceError("cuda.matmul", "a CUDA device (or rbe.matmul on the CPU)", "none")
