"""Iterators over a loader: batches made in this process, or by worker processes."""

from collections.abc import Iterator
from typing import Any

from ..errors import GraphError
from ._fetch import ENDED, Stream
from ._message import Failure, Kind, unpack
from ._pool import Workers


class BatchIterator(Iterator[Any]):
    """The batches of one epoch. An error in one batch does not end the epoch: the next call returns the next batch."""

    def __init__(self, length: Any) -> None:
        self._length = length

    def __len__(self) -> int:
        return int(self._length())


class Here(BatchIterator):
    """Batches made in this process when `next` is called.

    Parameters
    ----------
    make : callable
        Makes the batch of the keys.
    keys : iterator, or Stream
    length : callable
    """

    def __init__(self, make: Any, keys: "Iterator[Any] | Stream", length: Any) -> None:
        super().__init__(length)
        self._make, self._keys = make, keys

    def __next__(self) -> Any:
        if not isinstance(self._keys, Stream):
            keys = next(self._keys)
        try:
            batch = self._keys.take() if isinstance(self._keys, Stream) else self._make(keys)
        except StopIteration as e:  # it would end the epoch silently
            raise GraphError(
                "DataLoader",
                "a data set and collate_fn that return a sample or raise an error other than StopIteration",
                repr(e),
            ) from e
        if batch is ENDED:
            raise StopIteration
        return batch


class FromWorkers(BatchIterator):
    """Batches that worker processes make ahead of time.

    Parameters
    ----------
    workers : Workers
    keys : iterator, or None for an iterable data set
    prefetch : int
        Batches that each worker makes ahead.
    keep : bool
        Leave the workers running afterwards.
    in_order : bool
    length : callable
    """

    def __init__(
        self, workers: Workers, keys: "Iterator[Any] | None", prefetch: int, keep: bool, in_order: bool, length: Any
    ) -> None:
        super().__init__(length)
        self._workers, self._keys, self._keep, self._in_order = workers, keys, keep, in_order
        self._run = workers.open()
        self._ended: set[int] = set()  # workers whose share of an iterable data set has ended
        self._asked = 0
        self._free = [i for _ in range(prefetch) for i in range(workers.plan.workers)]  # idle workers, in turn
        self._error: Exception | None = None  # an error of the sampler, raised after the batches before it
        self._ask()

    def _ask(self) -> None:
        try:
            while self._free:
                number = self._free.pop(0)
                if number not in self._ended:
                    keys = None if self._keys is None else next(self._keys)
                    self._workers.ask(self._run, self._asked, number, keys)
                    self._asked += 1
        except StopIteration:
            self._keys = iter(())
        except Exception as e:
            self._keys, self._error = iter(()), e

    def __next__(self) -> Any:
        while self._run.asked:
            number, kind, body = self._workers.take(self._run, self._in_order)
            if kind == Kind.END:
                self._ended.add(number)
            self._free.append(number)
            self._ask()
            if kind == Kind.FAILURE:
                failure: Failure = unpack(body)
                raise failure.error()
            if kind == Kind.BATCH:
                return unpack(body)
        if not self._keep:
            self._workers.stop()
        error, self._error = self._error, None
        raise error or StopIteration
