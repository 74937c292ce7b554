"""The pool that tensor memory comes from."""

from . import _rbe

__all__ = ["clear", "pool_stats", "reset_stats"]


def pool_stats() -> dict[str, int]:
    """Return the pool's counters.

    Returns
    -------
    dict
        `hits` and `misses` (requests served from a free buffer, and not), `in_use_bytes`, `peak_bytes`, `cached_bytes`.
    """
    return _rbe.pool_stats()


def reset_stats() -> None:
    """Set hits and misses to zero and the peak to what is in use."""
    _rbe.pool_reset()


def clear() -> None:
    """Give free buffers back to the system."""
    _rbe.pool_clear()
