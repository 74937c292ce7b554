"""Worker processes of a loader: tasks out, batches in, in the order of the tasks."""

import atexit
import contextlib
import multiprocessing
import pickle
import queue
import random
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _rbe
from ..errors import GraphError
from .dataset import IterableDataset
from .fetch import Collate, batches_of, fetch

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker process is told of itself.

    Attributes
    ----------
    id : int
        Its number, from 0.
    num_workers : int
        How many there are.
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
    """Return what this worker process was told of itself, None in the main process.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.get_worker_info() is None    # outside a worker process
    True
    """
    return _info


class WorkerError(RuntimeError):
    """The traceback of a worker, as the cause of its exception; or the exception itself where it cannot be pickled.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.data.WorkerError, RuntimeError)
    True
    """


class _Failure:
    """An exception on its way from a worker."""

    def __init__(self, error: Exception, where: str) -> None:
        self.trace = f"in {where}\n{traceback.format_exc()}"
        try:
            self.pickled = pickle.dumps(error)
            pickle.loads(self.pickled)
        except Exception:
            self.pickled = b""

    def again(self) -> None:
        """Raise the exception here."""
        cause = WorkerError(self.trace)
        if not self.pickled:
            raise cause
        raise pickle.loads(self.pickled) from cause


@dataclass(frozen=True)
class Plan:
    """What every worker needs to know."""

    dataset: Any
    collate: Collate
    batch_size: int | None
    drop_last: bool
    init: Callable[[int], None] | None
    seed: int
    workers: int


_END = "end"


def _serve(plan: Plan, number: int, tasks: Any, results: Any) -> None:
    """Make batches until told to stop."""
    global _info
    # One kernel thread a worker: the pool of a parent that forked has no threads here.
    _rbe.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which stops the workers
    seed = plan.seed + number
    _rbe.manual_seed(seed & (1 << 63) - 1)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    _info = WorkerInfo(number, plan.workers, seed, plan.dataset)
    batches: Iterator[Any] | None = None
    failed: _Failure | None = None
    try:
        if plan.init is not None:
            plan.init(number)
    except Exception as e:
        failed = _Failure(e, f"worker_init_fn of DataLoader worker {number}")
    while True:
        try:
            task = tasks.get(timeout=5.0)
        except queue.Empty:
            parent = multiprocessing.parent_process()
            if parent is not None and not parent.is_alive():
                return
            continue
        if task is None:
            return
        ticket, work = task
        try:
            if failed is not None:
                batch: Any = failed
            elif isinstance(plan.dataset, IterableDataset):
                if work == "start" or batches is None:
                    batches = batches_of(plan.dataset, plan.batch_size, plan.drop_last, plan.collate)
                batch = next(batches, _END)
            elif plan.batch_size is None and not hasattr(work, "__len__"):
                batch = plan.collate(plan.dataset[int(work)])
            else:
                batch = fetch(plan.dataset, work, plan.collate)
        except Exception as e:
            batch = _Failure(e, f"DataLoader worker {number}")
        results.put((ticket, number, batch))


class Workers:
    """The processes of a loader.

    Parameters
    ----------
    plan : Plan
    context : multiprocessing context
    prefetch : int
        Batches that each worker makes ahead.
    timeout : float
        Seconds to wait for a batch; 0 waits as long as the workers live.
    """

    def __init__(self, plan: Plan, context: Any, prefetch: int, timeout: float) -> None:
        self.plan, self.prefetch, self.timeout = plan, prefetch, timeout
        self.results = context.Queue()
        self.tasks = [context.Queue() for _ in range(plan.workers)]
        self.epoch = 0
        self.processes = []
        try:
            for i, tasks in enumerate(self.tasks):
                process = context.Process(target=_serve, args=(plan, i, tasks, self.results), daemon=True)
                with warnings.catch_warnings():
                    # Python warns of any fork of a process with threads; a worker never waits for those of the kernels.
                    warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
                    process.start()
                self.processes.append(process)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)

    def run(self, batches: Iterator[Any] | None) -> Iterator[Any]:
        """Yield the batches of an epoch: those of the given numbers, or (None) of an iterable data set until its end."""
        self.epoch += 1
        epoch, workers = self.epoch, self.plan.workers
        done: dict[int, tuple[int, Any]] = {}
        finished: set[int] = set()  # workers whose copy of an iterable data set has ended
        owner: dict[int, int] = {}
        sent = wanted = 0

        def send(worker: int) -> bool:
            nonlocal sent
            if batches is None:
                if worker in finished:
                    return False
                work: Any = "start" if sent < workers else "next"
            else:
                work = next(batches, None)
                if work is None:
                    return False
            self.tasks[worker].put(((epoch, sent), work))
            owner[sent] = worker
            sent += 1
            return True

        for i in range(self.prefetch * workers):
            send(i % workers)
        while wanted < sent:
            while wanted not in done:
                (of, ticket), worker, batch = self._receive()
                if of == epoch:  # what an abandoned epoch left behind is dropped
                    done[ticket] = (worker, batch)
            worker, batch = done.pop(wanted)
            wanted += 1
            if isinstance(batch, _Failure):
                batch.again()
            if batches is None and isinstance(batch, str) and batch == _END:
                finished.add(worker)
                continue
            send(worker)
            yield batch

    def _receive(self) -> Any:
        waited = 0.0
        while True:
            try:
                return self.results.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                waited += _POLL_SECONDS
                dead = [(i, p.exitcode) for i, p in enumerate(self.processes) if not p.is_alive()]
                if dead:
                    self.stop()
                    who = ", ".join(f"worker {i} with exit code {code}" for i, code in dead)
                    raise GraphError("DataLoader", "workers that live until the end of the epoch", f"{who} is gone") from None
                if 0 < self.timeout <= waited:
                    self.stop()
                    raise GraphError("DataLoader", f"a batch within {self.timeout} s", "none (timeout)") from None

    def stop(self) -> None:
        """End the processes."""
        for tasks in self.tasks:
            with contextlib.suppress(Exception):
                tasks.put(None)
        for process in self.processes:
            process.join(timeout=2.0)
            if process.is_alive():
                process.terminate()
                process.join(timeout=2.0)
        for q in (*self.tasks, self.results):
            q.cancel_join_thread()
            q.close()
        self.processes = []
        atexit.unregister(self.stop)
