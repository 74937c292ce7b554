"""Memory formats under torch's names; new tensors are always in row-major order."""

from typing import Any

from .errors import TensorError

contiguous_format = "contiguous_format"
"""Row-major order, which every new tensor has."""

preserve_format = "preserve_format"
"""The order of the tensor that a new one is like, or row-major order: here always the latter."""


def check_memory_format(op: str, given: Any) -> None:
    """Raise TensorError, which names `op`, unless `given` asks for row-major order, or nothing.

    Raises
    ------
    TensorError
    """
    if given is not None and str(given).rpartition(".")[2] not in (contiguous_format, preserve_format):
        raise TensorError(op, "contiguous_format or preserve_format", str(given))
