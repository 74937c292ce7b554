"""Delays Ctrl-C until the end of a step."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupt"]


class Interrupt:
    """Context in which the first Ctrl-C sets a flag, and the second raises KeyboardInterrupt.

    Only the main thread receives signals; in other threads the context has no effect.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True

    def __enter__(self) -> "Interrupt":
        main = threading.current_thread() is threading.main_thread()
        # A process that ignores Ctrl-C, or has its own handler, keeps it.
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
