"""Profiler: a table of the time of operations, and a file for Chrome's trace viewer."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from . import _rbe
from .errors import GraphError, TensorError

__all__ = ["Event", "Row", "profile", "record_function"]


class Event(NamedTuple):
    """One execution of an operation.

    Attributes
    ----------
    name : str
    phase : {"forward", "backward", "step", "range"}
        Forward pass, gradients of its inputs, update of parameters, or a range named by `record_function`.
    thread : int
    start, seconds : float
        Start in seconds since the start of the profile, and duration.
    bytes : int
        Bytes of the results.

    Examples
    --------
    >>> from rbe.profiler import Event
    >>> Event("matmul", "forward", 0, 0.0, 0.25, 16).seconds
    0.25
    """

    name: str
    phase: str
    thread: int
    start: float
    seconds: float
    bytes: int


@dataclass
class Row:
    """All executions of one operation in one phase.

    Examples
    --------
    >>> from rbe.profiler import Row
    >>> Row("matmul", "forward", calls=4, seconds=0.5).seconds / 4
    0.125
    """

    name: str
    phase: str
    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0


class profile:
    """Context that records every operation on all threads.

    Profiles cannot be nested. Operations inside a `checkpoint` or a Python-defined operation are recorded by themselves and as
    part of it.

    Attributes
    ----------
    events : list of Event
        In the order of their starts.
    seconds : float
        Duration of the profile.

    Raises
    ------
    GraphError
        If another profile is active.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(64, 64, requires_grad=True)
    >>> with rbe.profiler.profile() as p:
    ...     for _ in range(3):
    ...         x.tanh().sum().backward()
    >>> row = next(row for row in p.rows() if row.name == "tanh" and row.phase == "forward")
    >>> row.calls, row.bytes
    (3, 49152)
    """

    _now: "profile | None" = None

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.seconds = 0.0

    def __enter__(self) -> "profile":
        if not _rbe._profile_start():
            raise GraphError("profile", "one profile at a time", "an active profile")
        self._started = time.perf_counter()
        self._ranges: list[Event] = []
        profile._now = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._started
        profile._now = None
        found = [Event(*row) for row in _rbe._profile_stop()]
        self.events = sorted([*found, *self._ranges], key=lambda e: e.start)

    def rows(self) -> list[Row]:
        """Return totals for each operation, the longest first."""
        rows: dict[tuple[str, str], Row] = {}
        for e in self.events:
            row = rows.setdefault((e.name, e.phase), Row(e.name, e.phase))
            row.calls, row.seconds, row.bytes = row.calls + 1, row.seconds + e.seconds, row.bytes + e.bytes
        return sorted(rows.values(), key=lambda row: -row.seconds)

    def table(self, limit: int | None = None) -> str:
        """Return calls, milliseconds, share of the total time and bytes of each operation as text.

        Parameters
        ----------
        limit : int, optional
            Show only this many operations, the longest first.
        """
        head = f"{'operation':<24} {'phase':<9} {'calls':>7} {'ms':>10} {'share':>7} {'ms a call':>10} {'bytes':>15}"
        lines = [
            f"{r.name:<24} {r.phase:<9} {r.calls:>7} {1e3 * r.seconds:>10.3f} {r.seconds / self.seconds:>7.1%} "
            f"{1e3 * r.seconds / r.calls:>10.4f} {r.bytes:>15,}"
            for r in self.rows()[:limit]
        ]
        return "\n".join([head, *lines, f"whole: {1e3 * self.seconds:.3f} ms"])

    def print_stats(self, limit: int | None = None) -> None:
        """Print `table(limit)`.

        Parameters
        ----------
        limit : int, optional
            Show only this many operations, the longest first.
        """
        print(self.table(limit))

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events for chrome://tracing or ui.perfetto.dev: JSON, times in microseconds."""
        rows = [
            {
                "name": e.name,
                "cat": e.phase,
                "ph": "X",
                "ts": 1e6 * e.start,
                "dur": 1e6 * e.seconds,
                "pid": os.getpid(),
                "tid": e.thread,
                "args": {"bytes": e.bytes},
            }
            for e in self.events
        ]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": rows, "displayTimeUnit": "ms"}, file)


@contextmanager
def record_function(name: str) -> Iterator[None]:
    """Name a part of a program in the active profile, if there is one: a context and a decorator.

    Raises
    ------
    TensorError
        For an empty name.

    Examples
    --------
    >>> import rbe
    >>> with rbe.profiler.profile() as p, rbe.profiler.record_function("loading"):
    ...     _ = rbe.zeros(3)
    >>> [(e.name, e.phase) for e in p.events]
    [('loading', 'range')]
    """
    if not name:
        raise TensorError("record_function", "a name", "an empty string")
    began = time.perf_counter()
    try:
        yield
    finally:
        now = profile._now
        if now is not None:
            start = max(began, now._started)
            now._ranges.append(Event(name, "range", 0, start - now._started, time.perf_counter() - start, 0))
