"""Torch's queries for an accelerator, of which there is none: every tensor is on the CPU."""

from .device import device

__all__ = ["current_accelerator", "device_count", "is_available", "synchronize"]


def is_available() -> bool:
    """Return False.

    Examples
    --------
    >>> import rbe
    >>> rbe.accelerator.current_accelerator() if rbe.accelerator.is_available() else rbe.device("cpu")
    device(type='cpu')
    """
    return False


def current_accelerator(check_available: bool = False) -> device | None:
    """Return None.

    Examples
    --------
    >>> import rbe
    >>> rbe.accelerator.current_accelerator() is None
    True
    """
    return None


def device_count() -> int:
    """Return 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.accelerator.device_count()
    0
    """
    return 0


def synchronize(device: object = None) -> None:
    """Return at once: every call has ended when it returns.

    Examples
    --------
    >>> import rbe
    >>> rbe.accelerator.synchronize()
    """
