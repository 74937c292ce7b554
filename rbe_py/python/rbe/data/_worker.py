"""A worker process of a loader: makes the requested batches in order until the loader closes the connection."""

import contextlib
import pickle
import queue
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from .. import _rbe
from ._fetch import ENDED, Collate, Stream, fetch, fetch_one
from ._message import Failure, Kind, pack
from .dataset import IterableDataset


@dataclass(frozen=True)
class WorkerInfo:
    """Description of a worker process.

    Attributes
    ----------
    id : int
        Its number, from 0.
    num_workers : int
        Number of workers.
    seed : int
        Seed of its random numbers.
    dataset : object
        Its copy of the data set.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.get_worker_info() is None    # outside a worker process
    True
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return the description of this worker process, None in the main process.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.get_worker_info() is None    # outside a worker process
    True
    """
    return _info


@dataclass(frozen=True)
class Plan:
    """Settings that all workers share."""

    dataset: Any
    collate_fn: Collate
    batch_size: int | None
    drop_last: bool
    one_by_one: bool  # each key stands for a single sample
    worker_init_fn: Callable[[int], None] | None
    seed: int
    workers: int


class _Line:
    """The worker's end of the connection to its loader.

    One thread reads and one writes, so that a loader that does not read does not delay the worker's next batch, and a loader
    that sends long lists of keys does not wait for the worker's current batch.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tasks: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        self.left = False  # the loader has closed the connection
        self.over: set[int] = set()  # runs that were abandoned
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._write, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                task = pickle.loads(self._connection.recv_bytes())
                if task[0] == "end":
                    self.over.add(task[1])
                self._tasks.put(task)
        self.left = True
        self._tasks.put(None)

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                head, body = self._answers.get()
                self._connection.send_bytes(head)
                self._connection.send_bytes(body)

    def task(self) -> tuple[Any, ...] | None:
        """Return the next task, None when the loader has closed the connection."""
        task = self._tasks.get()
        return None if self.left else task

    def answer(self, run: int, ticket: int, kind: Kind, body: bytes) -> None:
        """Queue the answer to a task for sending."""
        self._answers.put((pickle.dumps((run, ticket, int(kind))), body))


def serve(plan: "Plan | bytes", number: int, connection: Connection) -> None:
    """Run a worker process: the target of `Process`."""
    # Only the main process handles Ctrl-C and then stops the workers; the signal was blocked while this process started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the main process's handler
    line = _Line(connection)
    failed: Failure | None = None
    ready: Plan | None = None
    try:
        ready = pickle.loads(plan) if isinstance(plan, bytes) else plan
        _prepare(ready, number)
    except BaseException as e:
        failed = Failure(e, f"the start of DataLoader worker {number}")
    streams: dict[int, Stream] = {}
    while (task := line.task()) is not None:
        what, run = task[0], task[1]
        if run in line.over:
            streams.pop(run, None)
            if what == "end":
                line.over.discard(run)
            continue
        ticket = task[2]
        try:
            if failed is not None or ready is None:
                kind, body = Kind.FAILURE, pickle.dumps(failed)
            else:
                batch = _make(ready, streams, run, pickle.loads(task[3]))
                kind, body = (Kind.END, b"") if batch is ENDED else (Kind.BATCH, pack("batch", batch))
                del batch
        except BaseException as e:
            kind, body = Kind.FAILURE, pickle.dumps(Failure(e, f"DataLoader worker {number}"))
        line.answer(run, ticket, kind, body)


def _prepare(plan: Plan, number: int) -> None:
    """Seed the random numbers of this process and call the user's function."""
    global _info
    # One kernel thread for each worker, because the processes share the processors.
    _rbe.set_num_threads(1)
    seed = plan.seed + number
    _rbe.manual_seed(seed & (1 << 63) - 1)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    _info = WorkerInfo(number, plan.workers, seed, plan.dataset)
    if plan.worker_init_fn is not None:
        plan.worker_init_fn(number)


def _make(plan: Plan, streams: dict[int, Stream], run: int, keys: Any) -> Any:
    """Return a batch, or ENDED."""
    if isinstance(plan.dataset, IterableDataset):
        if run not in streams:
            streams[run] = Stream(plan.dataset, plan.batch_size, plan.drop_last, plan.collate_fn)
        return streams[run].take()
    return (fetch_one if plan.one_by_one else fetch)(plan.dataset, keys, plan.collate_fn)
