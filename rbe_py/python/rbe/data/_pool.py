"""The main process's side of a loader's worker processes."""

import atexit
import contextlib
import multiprocessing
import multiprocessing.util  # imported first, so that its exit handler runs after this module's
import os
import pickle
import signal
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing import connection
from typing import Any

from ..errors import GraphError
from ._message import Kind, pack
from ._worker import Plan, serve

_POLL_SECONDS = 1.0
_LEAVE_SECONDS = 0.5  # grace period for workers to finish, and a second one after SIGTERM

_pools: "weakref.WeakSet[Workers]" = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for pool in list(_pools):
        pool.stop()


def default_start_method() -> str:
    """Return the start method of processes: the one that the program has set, else Python's default."""
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _disown_all() -> None:
    for pool in list(_pools):
        pool.disown()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    # A forked process has copies of the connections; while it holds them, workers do not notice the main process's end.
    os.register_at_fork(after_in_child=_disown_all)


class Run:
    """One iteration over the loader: the batches it has requested and received.

    Attributes
    ----------
    asked : dict of int to int
        Worker of every batch that is requested and not yet returned, in the order of the batches.
    came : dict of int to (Kind, bytes)
    """

    def __init__(self, number: int, over: deque[int]) -> None:
        self.number = number
        self.asked: dict[int, int] = {}
        self.came: dict[int, tuple[Kind, bytes]] = {}
        self._over = over

    def __del__(self) -> None:
        # Requested batches need not be made any more. A finalizer may run at any point, so it only sets a flag.
        self._over.append(self.number)

    def next_ticket(self, in_order: bool) -> int | None:
        """Return the ticket of the next batch, None if it has not arrived."""
        if in_order:
            first = next(iter(self.asked))
            return first if first in self.came else None
        return next(iter(self.came), None)


class Workers:
    """The processes of a loader.

    Every worker has its own connection, so that a worker that dies holds no shared lock. The main process has the only other
    end; when it is closed, even by a crash, the worker exits.

    Parameters
    ----------
    plan : Plan
    context : multiprocessing context
    timeout : float
        Seconds to wait for a batch; 0 waits until the workers end.

    Raises
    ------
    DTypeError
        For start methods other than fork: if the data set or a function cannot be pickled.
    GraphError
        If processes cannot be started.
    """

    def __init__(self, plan: Plan, context: Any, timeout: float) -> None:
        self.plan, self.timeout = plan, timeout
        self.stopped = False
        self._owner = os.getpid()
        self._runs: weakref.WeakValueDictionary[int, Run] = weakref.WeakValueDictionary()
        self._count = 0
        self._over: deque[int] = deque()
        self._lost: dict[int, str] = {}
        self._heard: set[int] = set()
        self._turn = threading.Condition()
        self._reading = False
        self._ends: dict[int, Any] = {}
        self._processes: list[Any] = []
        self._method = context.get_start_method()
        if multiprocessing.current_process().daemon:
            raise GraphError("DataLoader", "num_workers=0 in a worker process", str(plan.workers))
        sent = plan if self._method == "fork" else pack("loader", plan)
        _pools.add(self)
        try:
            for i in range(plan.workers):
                self._start(context, i, sent)
        except OSError as e:
            self.stop()
            raise GraphError("DataLoader", f"{plan.workers} worker processes", f"{len(self._processes)}: {e}") from e
        except BaseException:
            self.stop()
            raise

    def _start(self, context: Any, number: int, plan: "Plan | bytes") -> None:
        ours, theirs = context.Pipe()
        self._ends[number] = ours
        process = context.Process(target=serve, args=(plan, number, theirs), daemon=True)
        try:
            # Python warns of every fork of a process with threads; a worker never waits for the kernels' threads.
            with warnings.catch_warnings(), self._ctrl_c_later():
                warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
                process.start()
        finally:
            theirs.close()  # else the worker's end would go unnoticed, and later workers would inherit it
        self._processes.append(process)

    @contextlib.contextmanager
    def _ctrl_c_later(self) -> Iterator[None]:
        """Block SIGINT until the worker ignores it; not with a fork server, which would keep it blocked for ever."""
        if self._method == "forkserver" or not hasattr(signal, "pthread_sigmask"):
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def open(self) -> Run:
        """Return a new run."""
        with self._turn:
            self._count += 1
            run = Run(self._count, self._over)
            self._runs[run.number] = run
            return run

    def ask(self, run: Run, ticket: int, number: int, keys: Any) -> None:
        """Request a batch from a worker.

        Raises
        ------
        DTypeError
            If the keys cannot be pickled; nothing is requested then.
        """
        body = pack("sampler", keys)
        with self._turn:
            self._check()
            while self._over:
                over = self._over.popleft()
                for i in list(self._ends):
                    self._send(i, pickle.dumps(("end", over)))
            run.asked[ticket] = number
            self._send(number, pickle.dumps(("batch", run.number, ticket, body)))

    def _send(self, number: int, message: bytes) -> None:
        end = self._ends.get(number)
        if end is not None:
            try:
                end.send_bytes(message)
            except OSError:
                self._lose(number)

    def take(self, run: Run, in_order: bool) -> tuple[int, Kind, bytes]:
        """Wait for the next answer of a run; return its worker, its kind and its body.

        Raises
        ------
        GraphError
            If the worker has died, or after `timeout` seconds; the workers are then stopped.
        """
        started = time.monotonic()
        with self._turn:
            while (ticket := run.next_ticket(in_order)) is None:
                self._check()
                self._raise_if_lost(run, in_order)
                waited = time.monotonic() - started
                if 0 < self.timeout <= waited:
                    self.stop()
                    raise GraphError("DataLoader", f"a batch within {self.timeout} s", "none (timeout)")
                seconds = min(_POLL_SECONDS, self.timeout - waited) if self.timeout else _POLL_SECONDS
                if self._reading:  # another thread is reading for all threads
                    self._turn.wait(seconds)
                else:
                    self._read(seconds)
            number = run.asked.pop(ticket)
            return number, *run.came.pop(ticket)

    def _check(self) -> None:
        if self._owner != os.getpid():
            raise GraphError(
                "DataLoader",
                "an iterator used in the process that made it",
                f"process {os.getpid()}, made in process {self._owner}",
            )
        if self.stopped:
            raise GraphError("DataLoader", "running workers", "workers that were stopped")

    def _raise_if_lost(self, run: Run, in_order: bool) -> None:
        wanted = [next(iter(run.asked.values()))] if in_order else run.asked.values()
        lost = [self._lost[number] for number in wanted if number in self._lost]
        if lost:
            self.stop()
            raise GraphError("DataLoader", "workers that live until the end of the epoch", lost[0])

    def _read(self, seconds: float) -> None:
        """Wait for messages and store them in their runs; other threads may request and take batches meanwhile."""
        by_end = {end: i for i, end in self._ends.items()}
        by_sentinel = {self._processes[i].sentinel: i for i in self._ends}
        self._reading = True
        self._turn.release()
        try:
            ready = connection.wait([*by_end, *by_sentinel], seconds)
        except OSError:  # another thread stopped the workers
            if not self.stopped:
                raise
        finally:
            self._turn.acquire()
            self._reading = False
            self._turn.notify_all()
        if self.stopped:
            return
        try:
            for one in ready:
                if isinstance(one, int):
                    self._bury(by_sentinel[one])
                elif by_end[one] in self._ends:
                    self._receive(by_end[one])
            if not ready:  # a child of the worker may keep the connection open after the worker has died
                for i in [i for i in self._ends if not self._processes[i].is_alive()]:
                    self._bury(i)
        except BaseException:  # Ctrl-C or a MemoryError in the middle of a message: the rest of the stream is unreadable
            self.stop()
            raise

    def _receive(self, number: int) -> None:
        try:
            end = self._ends[number]
            of, ticket, kind = pickle.loads(end.recv_bytes())
            body = end.recv_bytes()
        except (EOFError, OSError):
            self._lose(number)
            return
        self._heard.add(number)
        run = self._runs.get(of)
        if run is not None:
            run.came[ticket] = (Kind(kind), body)

    def _bury(self, number: int) -> None:
        """Read the remaining messages of a dead worker."""
        while number in self._ends and self._ends[number].poll():
            self._receive(number)
        if number in self._ends:
            self._lose(number)

    def _lose(self, number: int) -> None:
        self._ends.pop(number).close()
        process = self._processes[number]
        process.join(_LEAVE_SECONDS)
        code = process.exitcode
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += " (by the system, if memory ran out)"
        else:
            how = f"is gone with exit code {code}" if code is not None else "has closed its connection"
        if number not in self._heard and self._method != "fork":
            how += "; a script must iterate over its loader under `if __name__ == '__main__':`"
        self._lost[number] = f"worker {number}, which {how}"

    def disown(self) -> None:
        """Close the copies of the connections in a forked process."""
        for end in self._ends.values():
            end.close()
        self._ends, self.stopped = {}, True

    def stop(self) -> None:
        """End the processes: idle ones at once, the others within a second."""
        if self.stopped or self._owner != os.getpid():
            return
        self.stopped = True
        _pools.discard(self)
        for end in self._ends.values():
            with contextlib.suppress(OSError):
                end.close()
        self._ends = {}
        alive = self._processes
        try:
            alive = _join(alive)
            for process in alive:
                process.terminate()
            alive = _join(alive)
        finally:
            for process in alive:
                process.kill()
            _join(alive)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.stop()


def _join(processes: Iterable[Any]) -> list[Any]:
    """Wait for all processes within the grace period of one; return those that are still alive."""
    end = time.monotonic() + _LEAVE_SECONDS
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
    return [process for process in processes if process.is_alive()]
