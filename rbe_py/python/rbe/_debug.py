"""Debug mode: finds the origin of NaN in a gradient."""

import sys
from pathlib import Path
from types import TracebackType

from . import _rbe

_PACKAGE = str(Path(__file__).parent)


def _place() -> str:
    """Return the caller outside this package of the running operation."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return ""
    return f" (called at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name})"


class set_debug_mode:
    """Switch debug mode on or off: at once, or as a context.

    In debug mode backward raises a NonFiniteError as soon as a gradient has NaN. The error names the operation whose
    backward rule returned the gradient and its caller and, if the forward pass already produced NaN, the operation that
    produced the first one. Every operation is slower, because its results are searched for NaN.

    Parameters
    ----------
    mode : bool

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([0.0, 1.0], requires_grad=True)
    >>> with rbe.set_debug_mode(True):
    ...     try:
    ...         (x.sqrt() * 0.0).sum().backward()
    ...     except rbe.NonFiniteError as e:
    ...         print(e.op, "|", e.got)
    sqrt | NaN in the gradient of input 0
    """

    def __init__(self, mode: bool) -> None:
        self.before = is_debug_mode()
        _set(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _set(self.before)


_mode = False


def _set(mode: bool) -> None:
    global _mode
    _mode = bool(mode)
    _rbe._set_debug_mode(_place if _mode else None)


def is_debug_mode() -> bool:
    """Return whether debug mode is on.

    Examples
    --------
    >>> import rbe
    >>> rbe.is_debug_mode()
    False
    """
    return _mode
