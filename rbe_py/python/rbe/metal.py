"""The query for Apple's Metal, which is never available."""

__all__ = ["is_available"]


def is_available() -> bool:
    """Return False: the only device is "cpu".

    Examples
    --------
    >>> import rbe
    >>> rbe.device("metal:0" if rbe.metal.is_available() else "cpu")
    device(type='cpu')
    """
    return False
