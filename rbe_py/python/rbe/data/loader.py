"""Batches of a data set, with torch's names and signature."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, cast

from ..device import check_device
from ..errors import TensorError
from ._fetch import Collate, Stream, base_of, fetch, fetch_one
from ._iterator import FromWorkers, Here
from ._pool import Workers, default_start_method
from ._worker import Plan
from .collate import default_collate, default_convert
from .dataset import IterableDataset, TensorDataset
from .generator import Generator, fresh_seed
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, at_least

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)

_FIXED = frozenset(("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers"))


class _Samples(Protocol[T_co]):
    """An object that returns a sample for a key."""

    def __getitem__(self, key: Any, /) -> T_co: ...


class DataLoader(Generic[T_co]):
    """Batches of a data set, made in this process or ahead of time by worker processes.

    The rows of a TensorDataset (or a Subset of one) are indexed once for each batch.

    Parameters
    ----------
    dataset : Dataset, IterableDataset or sequence
    batch_size : int or None
        None yields single samples.
    shuffle : bool
        Shuffle the samples anew in every epoch.
    sampler : Sampler or iterable of keys, optional
        The keys in order, in place of `shuffle`. They may be of any type and are passed to the data set unchanged.
    batch_sampler : Sampler or iterable of lists of keys, optional
        The keys of each batch, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    num_workers : int
        Processes that make batches; with 0 this process makes them.
    collate_fn : callable, optional
        Combines a list of samples; default `default_collate`, and `default_convert` for single samples.
    pin_memory : bool
        Accepted for compatibility with torch, without effect.
    drop_last : bool
        Drop the last batch if it is shorter.
    timeout : float
        Seconds to wait for a worker's batch; 0 waits until the workers end.
    worker_init_fn : callable, optional
        Called with the worker's number in every worker process.
    multiprocessing_context : str or context, optional
        How worker processes start: "fork", "spawn", "forkserver", or what `multiprocessing.get_context` returns. Default is
        what the program has set with `multiprocessing.set_start_method`, else Python's default: "fork" on Linux up to Python
        3.13, "forkserver" from 3.14 on, "spawn" elsewhere. All but "fork" pickle the data set and the functions, and require
        the script's main code to be under `if __name__ == "__main__":`.
    generator : Generator, optional
        Determines order and workers' seeds; by default they come from `rbe.manual_seed`'s stream. The order does not depend on
        the number of workers.
    prefetch_factor : int, optional
        Batches that each worker makes ahead, default 2.
    persistent_workers : bool
        Keep the processes from epoch to epoch. Several iterators may share them.
    pin_memory_device : str
        Accepted for compatibility with torch, without effect.
    in_order : bool
        If false, batches are returned as soon as a worker finishes them.
    seed : int, optional
        Shorthand for `generator=Generator(seed)`.

    Raises
    ------
    TensorError
        For arguments that exclude each other or are out of range.
    DTypeError
        When iterating with workers: if a data set, function or batch cannot be pickled; the error names the part.
    GraphError
        When iterating: if a worker dies, or takes longer than `timeout`.

    Notes
    -----
    An exception of a worker is raised in the main process, with the worker's traceback as its cause; the next call of `next`
    returns the next batch. Leaving a loop early stops the workers within a second.

    Examples
    --------
    >>> import rbe
    >>> [x.tolist() for (x,) in rbe.data.DataLoader(rbe.data.TensorDataset(rbe.arange(6)), batch_size=4)]
    [[0, 1, 2, 3], [4, 5]]
    """

    def __init__(
        self,
        dataset: _Samples[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[Any] | Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ) -> None:
        self.dataset, self.drop_last = dataset, drop_last
        self.batch_size = None if batch_size is None else at_least(1, "DataLoader", "batch_size", batch_size)
        self.num_workers = at_least(0, "DataLoader", "num_workers", num_workers)
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        self.prefetch_factor = prefetch_factor
        if self.num_workers:
            count = 2 if prefetch_factor is None else prefetch_factor
            self.prefetch_factor = at_least(1, "DataLoader", "prefetch_factor", count)
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        check_device("DataLoader", pin_memory_device or None)
        self.multiprocessing_context = multiprocessing_context
        self.generator = Generator(seed) if seed is not None and generator is None else generator
        single = batch_size is None and batch_sampler is None
        self.collate_fn: Collate = collate_fn or (default_convert if single else default_collate)
        self._workers: Workers | None = None
        self._check(shuffle, sampler, batch_sampler, seed is not None and generator is not None)
        self.sampler: Sampler[Any] | Iterable[Any] | None = None
        self.batch_sampler: Sampler[Any] | Iterable[Any] | None = batch_sampler
        if not isinstance(dataset, IterableDataset) and batch_sampler is None:
            if sampler is None:
                sized = cast(Sized, dataset)
                random = shuffle and len(sized)  # nothing can be drawn from an empty data set
                sampler = RandomSampler(sized, generator=self.generator) if random else SequentialSampler(sized)
            self.sampler = sampler
            if batch_size is not None:
                self.batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and self.__dict__.get("_made"):
            raise TensorError("DataLoader", f"{name} as the loader was made with", repr(value))
        super().__setattr__(name, value)

    def _check(self, shuffle: Any, sampler: Any, batch_sampler: Any, two_seeds: bool) -> None:
        def wrong(expected: str, got: object) -> TensorError:
            return TensorError("DataLoader", expected, str(got))

        if not isinstance(self.timeout, int | float) or not self.timeout >= 0:
            raise wrong("a number timeout >= 0", repr(self.timeout))
        if self.num_workers == 0:
            for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context"):
                if getattr(self, name) not in (None, False):
                    raise wrong(f"num_workers >= 1 for {name}", 0)
        if isinstance(self.multiprocessing_context, str):
            methods = multiprocessing.get_all_start_methods()
            if self.multiprocessing_context not in methods:
                raise wrong(f"one of {methods} as multiprocessing_context", repr(self.multiprocessing_context))
        elif self.multiprocessing_context is not None and not hasattr(self.multiprocessing_context, "Process"):
            raise wrong("a start method or a context as multiprocessing_context", repr(self.multiprocessing_context))
        if sampler is not None and shuffle:
            raise wrong("a sampler or shuffle", f"shuffle={shuffle!r} and a {type(sampler).__name__}")
        given = {"shuffle": shuffle, "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
        given |= {"batch_size": self.batch_size not in (1, None), "drop_last": self.drop_last}
        names = [name for name, is_given in given.items() if is_given]
        if batch_sampler is not None and len(names) > 1:
            raise wrong("batch_sampler alone", ", ".join(names))
        if isinstance(self.dataset, IterableDataset) and {"shuffle", "sampler", "batch_sampler"} & set(names):
            raise wrong("no shuffle and no sampler for an iterable data set", ", ".join(names))
        if self.batch_size is None and self.drop_last:
            raise wrong("a batch_size for drop_last", None)
        if two_seeds:
            raise wrong("a generator or a seed", "a generator and a seed")

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            n = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        source = self.batch_sampler if self.batch_sampler is not None else self.sampler
        if not isinstance(source, Sized):
            raise TypeError(f"{type(source).__name__} has no len()")
        return len(source)

    def __iter__(self) -> Iterator[Any]:
        # Drawn before the order, and also without workers, so that the order is the same for any number of workers.
        seed = fresh_seed(self.generator)
        if not self.num_workers:
            if isinstance(self.dataset, IterableDataset):
                stream = Stream(self.dataset, self.batch_size, self.drop_last, self.collate_fn)
                return Here(None, stream, self.__len__)
            one_by_one = self.batch_sampler is None
            return Here(partial(_make, self.dataset, self.collate_fn, one_by_one), self._keys(), self.__len__)
        if self._workers is None or self._workers.stopped:
            self._workers = None
            workers = Workers(self._plan(seed), self._context(), self.timeout)
            if self.persistent_workers:
                self._workers = workers
        else:
            workers = self._workers
        keys = None if isinstance(self.dataset, IterableDataset) else self._keys()
        prefetch = self.prefetch_factor or 1
        return FromWorkers(workers, keys, prefetch, self.persistent_workers, self.in_order, self.__len__)

    def _keys(self) -> Iterator[Any]:
        """The keys of every batch of an epoch, or of every sample."""
        if self.batch_sampler is None:
            return iter(self.sampler or ())
        whole_rows = self.collate_fn is default_collate and type(base_of(self.dataset)) is TensorDataset
        if whole_rows and type(self.batch_sampler) is BatchSampler:
            return self.batch_sampler.arrays()
        return iter(self.batch_sampler)

    def _plan(self, seed: int) -> Plan:
        one_by_one = self.batch_sampler is None
        size = self.batch_size
        return Plan(
            self.dataset, self.collate_fn, size, self.drop_last, one_by_one, self.worker_init_fn, seed, self.num_workers
        )

    def _context(self) -> Any:
        context = self.multiprocessing_context
        if context is None or isinstance(context, str):
            return multiprocessing.get_context(context or default_start_method())
        return context

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_workers": None}


def _make(dataset: Any, collate: Collate, one_by_one: bool, keys: Any) -> Any:
    return (fetch_one if one_by_one else fetch)(dataset, keys, collate)
