"""Orders in which a loader takes samples, with torch's names."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from ..errors import TensorError
from .generator import Generator


class Sampler:
    """The numbers of the samples of one epoch, in order: subclasses have `__iter__` and `__len__`.

    Examples
    --------
    >>> import rbe
    >>> class Even(rbe.data.Sampler):
    ...     def __iter__(self):
    ...         return iter(range(0, 6, 2))
    ...     def __len__(self):
    ...         return 3
    >>> list(rbe.data.BatchSampler(Even(), 2, drop_last=False))
    [[0, 2], [4]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")


class _ArraySampler(Sampler):
    """A sampler that knows the whole order at once."""

    def order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the numbers of the next epoch."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class SequentialSampler(_ArraySampler):
    """All samples in their own order.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.SequentialSampler(range(3)))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return 0 … n - 1."""
        return np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_ArraySampler):
    """Samples in an order that is new in every epoch.

    Parameters
    ----------
    data_source : sized
    replacement : bool
        Draw each sample from all, so that some come twice.
    num_samples : int, optional
        Samples of an epoch, default all.
    generator : Generator, optional
        Default one seeded anew in every epoch from `rbe.manual_seed`'s stream.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.data.RandomSampler(range(3)))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if num_samples is not None and num_samples < 1:
            raise TensorError("RandomSampler", "num_samples >= 1", str(num_samples))
        self.data_source, self.replacement, self.num_samples = data_source, replacement, num_samples
        self.generator = generator

    def order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the numbers of the next epoch."""
        n, wanted = len(self.data_source), len(self)
        numbers = self.generator if self.generator is not None else Generator()
        if self.replacement:
            return numbers.integers(n, wanted)
        rounds = [numbers.permutation(n) for _ in range(-(-wanted // n))] if n else []
        order: np.ndarray[Any, np.dtype[np.int64]] = np.concatenate(rounds or [np.arange(0)])[:wanted]
        return order

    def __len__(self) -> int:
        return len(self.data_source) if self.num_samples is None else self.num_samples


class SubsetRandomSampler(_ArraySampler):
    """The samples of certain numbers, in an order that is new in every epoch.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.data.SubsetRandomSampler([4, 6]))
    [4, 6]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the numbers of the next epoch."""
        numbers = self.generator if self.generator is not None else Generator()
        order: np.ndarray[Any, np.dtype[np.int64]] = np.take(self.indices, numbers.permutation(len(self.indices)))
        return order

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_ArraySampler):
    """Samples drawn with a probability in proportion to their weights.

    Raises
    ------
    TensorError
        For weights that are negative or not finite, or too few of them that are positive.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.WeightedRandomSampler([0.0, 1.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        w = np.asarray(weights, dtype=np.float64)
        need = 1 if replacement else num_samples
        if w.ndim != 1 or num_samples < 1 or not (np.isfinite(w) & (w >= 0)).all() or (w > 0).sum() < need:
            raise TensorError("WeightedRandomSampler", f"weights >= 0, {need} or more of them > 0", str(w))
        self.weights, self.num_samples, self.replacement, self.generator = w, num_samples, replacement, generator

    def order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the numbers of the next epoch."""
        numbers = self.generator if self.generator is not None else Generator()
        return numbers.choice(self.weights, self.num_samples, self.replacement)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of the numbers that a sampler yields.

    Parameters
    ----------
    sampler : Sampler or iterable of int
    batch_size : int
    drop_last : bool
        Leave out a last list that is shorter.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.BatchSampler([5, 6, 7], 2, drop_last=False))
    [[5, 6], [7]]
    """

    def __init__(self, sampler: Sampler | Iterable[int], batch_size: int, drop_last: bool) -> None:
        if batch_size < 1:
            raise TensorError("BatchSampler", "batch_size >= 1", str(batch_size))
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[Any]:
        size = self.batch_size
        if isinstance(self.sampler, _ArraySampler):  # whole slices of one array
            order = self.sampler.order()
            for start in range(0, len(order) - (size - 1 if self.drop_last else 0), size):
                yield order[start : start + size]
            return
        batch: list[int] = []
        for index in self.sampler:
            batch.append(int(index))
            if len(batch) == size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        if not isinstance(self.sampler, Sized):
            raise TypeError(f"{type(self.sampler).__name__} has no len()")
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
