"""Torch's queries for CUDA, which is never available."""

__all__ = ["device_count", "is_available"]


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
