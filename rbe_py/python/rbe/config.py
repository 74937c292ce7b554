"""Settings of the process, in one place.

Environment variables are read when the package is imported:

- `RBE_NUM_THREADS`: threads of the kernels; default: number of cores. Results do not depend on it.
- `RBE_SPIN_US`: spin time, microseconds that an idle thread polls for work before it sleeps; default 100; 0: sleep at once.
- `RBE_ISA`: "scalar", "avx2", "avx512" or "amx", on ARM "scalar" or "neon"; default: the best of the machine.
- `RBE_PACKED_MATMUL_PRECISION`: "int8" or "float32"; default "int8" (see `rbe.set_packed_matmul_precision`).
- `RBE_LOG`, also `RBE_LOG_LEVEL`: "debug", "info", "warning" or "error": lowest level of messages that are printed to stderr.

Another variable whose name begins with `RBE_` is a RuntimeWarning.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import _default_dtype, _environment, _rbe
from .device import check_device
from .dtypes import DTypeLike, as_dtype
from .errors import ConfigError

__all__ = [
    "ENVIRONMENT", "enable_fast_math", "environment", "get", "set", "set_default_device", "set_default_dtype",
    "set_simd_enabled", "set_thread_pool_size", "using",
]  # fmt: skip

ENVIRONMENT = _environment.READ


def get() -> dict[str, Any]:
    """Return the settings.

    Returns
    -------
    dict
        "default_dtype" (dtype of tensors made from floats), "num_threads", "isa" (instruction set of the kernels),
        "simd" (whether it is not "scalar"), "packed_matmul_precision" (of products with packed weights).

    Examples
    --------
    >>> import rbe
    >>> rbe.config.get()["default_dtype"]
    rbe.float32
    """
    return {
        "default_dtype": _default_dtype.get_default_dtype(),
        "num_threads": _rbe.get_num_threads(),
        "isa": _rbe.isa(),
        "simd": _rbe.isa() != "scalar",
        "packed_matmul_precision": _rbe.get_packed_matmul_precision(),
    }


def set(
    *,
    default_dtype: Any = None,
    num_threads: int | None = None,
    isa: str | None = None,
    simd: bool | None = None,
    packed_matmul_precision: str | None = None,
) -> None:
    """Change settings; omitted ones stay.

    Parameters
    ----------
    default_dtype : dtype, optional
        float32 or float64.
    num_threads : int, optional
    isa : {"scalar", "avx2", "avx512", "amx", "neon"}, optional
    simd : bool, optional
        False stands for isa="scalar", True for the best of the machine.
    packed_matmul_precision : {"float32", "int8"}, optional
        See `rbe.set_packed_matmul_precision`.

    Raises
    ------
    ConfigError
        For a number of threads out of range, an instruction set that is unknown or missing on the machine, both `isa`
        and `simd`, or an unknown precision; nothing changes then.
    DTypeError
        If `default_dtype` is neither float32 nor float64.

    Examples
    --------
    >>> import rbe
    >>> rbe.config.set(default_dtype="float64")
    >>> rbe.zeros(2).dtype
    rbe.float64
    >>> rbe.config.set(default_dtype="float32")
    """
    if isa is not None and simd is not None:
        raise ConfigError("config.set", "isa or simd", f"isa={isa!r} and simd={simd!r}")
    before = get()
    try:
        if default_dtype is not None:
            _default_dtype.set_default_dtype(as_dtype(default_dtype))
        if num_threads is not None:
            _rbe.set_num_threads(num_threads)
        if packed_matmul_precision is not None:
            _rbe.set_packed_matmul_precision(packed_matmul_precision)
        if isa is not None or simd is not None:
            _rbe.set_isa("scalar" if simd is False else isa)
    except Exception:
        _default_dtype.set_default_dtype(before["default_dtype"])
        _rbe.set_num_threads(before["num_threads"])
        _rbe.set_packed_matmul_precision(before["packed_matmul_precision"])
        raise


@contextmanager
def using(**settings: Any) -> Iterator[None]:
    """Change settings inside a `with` block or a decorated function.

    Parameters
    ----------
    **settings
        As for `set`.

    Examples
    --------
    >>> import rbe
    >>> with rbe.config.using(simd=False, num_threads=1):
    ...     rbe.isa(), rbe.get_num_threads()
    ('scalar', 1)
    """
    before = get()
    set(**settings)
    try:
        yield
    finally:
        before.pop("simd")
        set(**before)


def set_default_device(device: Any) -> None:
    """Choose the device of new tensors: "cpu", the only one.

    Raises
    ------
    DeviceError
        For any other.

    Examples
    --------
    >>> import rbe
    >>> rbe.config.set_default_device("cpu")
    """
    check_device("set_default_device", "None" if device is None else device)


def set_default_dtype(dtype: DTypeLike) -> None:
    """Choose the dtype of tensors made from floats, as `rbe.set_default_dtype`.

    Examples
    --------
    >>> import rbe
    >>> rbe.config.set_default_dtype(rbe.float32)
    """
    set(default_dtype=as_dtype(dtype))


def set_thread_pool_size(size: int) -> None:
    """Choose the number of threads, as `rbe.set_num_threads`.

    Examples
    --------
    >>> import rbe
    >>> with rbe.config.using():
    ...     rbe.config.set_thread_pool_size(2)
    ...     rbe.get_num_threads()
    2
    """
    set(num_threads=size)


def set_simd_enabled(enabled: bool) -> None:
    """Choose the best instruction set of the machine or, with False, portable code.

    Examples
    --------
    >>> import rbe
    >>> with rbe.config.using():
    ...     rbe.config.set_simd_enabled(False)
    ...     rbe.isa()
    'scalar'
    """
    set(simd=enabled)


def enable_fast_math(enabled: bool) -> None:
    """Choose the precision of products with packed weights: int8, the default, or with False float32.

    It changes nothing else. Inputs rounded to int8 make these products faster, with an error of at most 1/254 of the
    largest magnitude of each row of inputs; all other operations have one implementation, which rounds as float32 or
    float64 does.

    Examples
    --------
    >>> import rbe
    >>> with rbe.config.using():
    ...     rbe.config.enable_fast_math(False)
    ...     rbe.get_packed_matmul_precision()
    'float32'
    """
    set(packed_matmul_precision="int8" if enabled else "float32")


def environment() -> dict[str, str | None]:
    """Return the environment variables that the package reads; those that are not set are None.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.config.environment())
    ['RBE_ISA', 'RBE_LOG', 'RBE_LOG_LEVEL', 'RBE_NUM_THREADS', 'RBE_PACKED_MATMUL_PRECISION', 'RBE_SPIN_US']
    """
    return {name: os.environ.get(name) for name in ENVIRONMENT}
