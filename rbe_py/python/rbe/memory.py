"""The memory pool of tensors."""

from . import _rbe

__all__ = ["clear", "enable_memory_pool", "pool_stats", "reset_stats"]


def pool_stats() -> dict[str, int]:
    """Return the pool's counters.

    Returns
    -------
    dict
        `hits` and `misses` (requests served by a free buffer, by the system), `in_use_bytes`, `peak_bytes`, `cached_bytes`.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.memory.pool_stats())
    ['cached_bytes', 'hits', 'in_use_bytes', 'misses', 'peak_bytes']
    """
    return _rbe.pool_stats()


def reset_stats() -> None:
    """Set hits and misses to zero and the peak to the bytes in use.

    Examples
    --------
    >>> import rbe
    >>> rbe.memory.reset_stats()
    >>> rbe.memory.pool_stats()["hits"]
    0
    """
    _rbe.pool_reset()


def clear() -> None:
    """Return free buffers to the system.

    Examples
    --------
    >>> import rbe
    >>> rbe.memory.clear()
    >>> rbe.memory.pool_stats()["cached_bytes"]
    0
    """
    _rbe.pool_clear()


def enable_memory_pool() -> None:
    """Do nothing: the pool is always in use. For programs that switch it on.

    Examples
    --------
    >>> import rbe
    >>> rbe.memory.enable_memory_pool()
    """
