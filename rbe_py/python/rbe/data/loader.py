"""Batches of a data set, with torch's names and signature."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from ..errors import TensorError
from .collate import default_collate
from .dataset import IterableDataset
from .fetch import Collate, batches_of, fetch
from .generator import Generator, fresh_seed
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from .worker import Plan, Workers


def _as_is(sample: Any) -> Any:
    return sample


class DataLoader:
    """Batches of a data set, made here or by worker processes ahead of time.

    The rows of a TensorDataset (or a Subset of one) are taken a batch at a time.

    Parameters
    ----------
    dataset : Dataset, IterableDataset or sequence
    batch_size : int or None
        None yields single samples.
    shuffle : bool
        Take the samples in an order that is new in every epoch.
    sampler : Sampler or iterable of int, optional
        The order instead.
    batch_sampler : Sampler or iterable of lists of int, optional
        The batches instead.
    num_workers : int
        Processes that make batches; 0 makes them here.
    collate_fn : callable, optional
        Joins a list of samples; default `default_collate`.
    pin_memory : bool
        Taken for torch's sake; there is no other memory.
    drop_last : bool
        Leave out a last batch that is shorter.
    timeout : float
        Seconds to wait for a worker's batch; 0 waits while the workers live.
    worker_init_fn : callable, optional
        Called with its number in every worker process.
    multiprocessing_context : str or context, optional
        How processes start: default "fork" where there is one, else "spawn".
    generator : Generator, optional
        Of order and workers' seeds; default seeds come from `rbe.manual_seed`'s stream.
    prefetch_factor : int, optional
        Batches that each worker makes ahead, default 2.
    persistent_workers : bool
        Keep the processes from epoch to epoch.
    seed : int, optional
        Short for `generator=Generator(seed)`.

    Raises
    ------
    TensorError
        For arguments that exclude each other or lie outside their range.

    Examples
    --------
    >>> import rbe
    >>> [x.tolist() for (x,) in rbe.data.DataLoader(rbe.data.TensorDataset(rbe.arange(6)), batch_size=4)]
    [[0, 1, 2, 3], [4, 5]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable[int] | None = None,
        batch_sampler: Sampler | Iterable[Any] | None = None,
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
        seed: int | None = None,
    ) -> None:
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.multiprocessing_context = multiprocessing_context
        self.generator = Generator(seed) if seed is not None and generator is None else generator
        self.collate_fn: Collate = collate_fn or (_as_is if batch_size is None and batch_sampler is None else default_collate)
        self._workers: Workers | None = None
        self._check(shuffle, sampler, batch_sampler, prefetch_factor, seed is not None and generator is not None)
        self.sampler: Sampler | Iterable[int] | None = None
        self.batch_sampler: Sampler | Iterable[Any] | None = batch_sampler
        if isinstance(dataset, IterableDataset) or batch_sampler is not None:
            return
        if sampler is None:
            sampler = RandomSampler(dataset, generator=self.generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_size is not None:
            self.batch_sampler = BatchSampler(sampler, batch_size, drop_last)

    def _check(self, shuffle: Any, sampler: Any, batch_sampler: Any, prefetch: int | None, two_seeds: bool) -> None:
        def wrong(expected: str, got: object) -> TensorError:
            return TensorError("DataLoader", expected, str(got))

        if self.batch_size is not None and self.batch_size < 1:
            raise wrong("batch_size >= 1", self.batch_size)
        if self.num_workers < 0 or self.timeout < 0 or self.prefetch_factor < 1:
            raise wrong("num_workers >= 0, timeout >= 0 and prefetch_factor >= 1", (self.num_workers, self.timeout, prefetch))
        if self.num_workers == 0 and (prefetch is not None or self.persistent_workers):
            raise wrong("num_workers >= 1 for prefetch_factor and persistent_workers", 0)
        if sampler is not None and shuffle:
            raise wrong("a sampler or shuffle", "both")
        if batch_sampler is not None and (shuffle or sampler is not None or self.drop_last or self.batch_size not in (1, None)):
            raise wrong("batch_sampler alone", "batch_size, shuffle, sampler or drop_last too")
        if isinstance(self.dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
            raise wrong("no shuffle and no sampler for an iterable data set", "one")
        if self.batch_size is None and self.drop_last:
            raise wrong("a batch_size for drop_last", None)
        if two_seeds:
            raise wrong("a generator or a seed", "both")

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
        numbers = None
        if not isinstance(self.dataset, IterableDataset):
            numbers = iter(self.batch_sampler if self.batch_sampler is not None else self.sampler or ())
        return self._made_by_workers(numbers) if self.num_workers else self._made_here(numbers)

    def _made_here(self, numbers: Iterator[Any] | None) -> Iterator[Any]:
        if numbers is None:
            yield from batches_of(self.dataset, self.batch_size, self.drop_last, self.collate_fn)
        elif self.batch_sampler is None:
            yield from (self.collate_fn(self.dataset[int(i)]) for i in numbers)
        else:
            yield from (fetch(self.dataset, batch, self.collate_fn) for batch in numbers)

    def _made_by_workers(self, numbers: Iterator[Any] | None) -> Iterator[Any]:
        workers = self._workers
        if workers is None:
            context = self.multiprocessing_context
            if context is None:
                context = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
            if isinstance(context, str):
                context = multiprocessing.get_context(context)
            seed = self.generator.seed() if self.generator is not None else fresh_seed()
            size = self.batch_size if self.batch_sampler is not None or numbers is None else None
            plan = Plan(self.dataset, self.collate_fn, size, self.drop_last, self.worker_init_fn, seed, self.num_workers)
            workers = Workers(plan, context, self.prefetch_factor, self.timeout)
            if self.persistent_workers:
                self._workers = workers
        try:
            yield from workers.run(numbers)
        except GeneratorExit:
            raise
        except BaseException:
            self._workers = None
            workers.stop()
            raise
        finally:
            if not self.persistent_workers:
                workers.stop()

    def __del__(self) -> None:
        workers = self.__dict__.get("_workers")
        if workers is not None:
            workers.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_workers": None}
