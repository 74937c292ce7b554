"""Samplers: the order of the samples of a loader, with torch's names."""

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import MissingMethodError, TensorError
from .generator import Generator, generator_or_fresh

T_co = TypeVar("T_co", covariant=True)

Order = range | np.ndarray[Any, np.dtype[np.int64]]


def at_least(least: int, op: str, name: str, value: Any) -> int:
    """Return a count.

    Raises
    ------
    TensorError
        If the value is not an integer, is a bool, or is below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise TensorError(op, f"an integer {name} >= {least}", repr(value))
    return number


def flag(op: str, name: str, value: Any) -> bool:
    """Return a bool, and raise TensorError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise TensorError(op, f"True or False as {name}", repr(value))
    return bool(value)


class Sampler(Generic[T_co]):
    """The keys of the samples of one epoch, in order: subclasses define `__iter__` and, if it is known, `__len__`.

    Keys are integers unless the data set accepts others.

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

    def __iter__(self) -> Iterator[T_co]:
        raise MissingMethodError("Sampler.__iter__", "a subclass that defines it", type(self).__name__)


class _OrderSampler(Sampler[int]):
    """A sampler that computes the whole order at once."""

    def order(self) -> Order:
        """Return the indices of the next epoch."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        order = self.order()
        return iter(order if isinstance(order, range) else order.tolist())


class SequentialSampler(_OrderSampler):
    """All samples in their own order.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.SequentialSampler(range(3)))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> Order:
        """Return 0 … n - 1."""
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_OrderSampler):
    """Samples in random order, shuffled anew in every epoch.

    Parameters
    ----------
    data_source : sized
    replacement : bool
        Draw with replacement, so that samples may be repeated.
    num_samples : int, optional
        Samples of an epoch, default all.
    generator : Generator, optional
        Default: in every epoch a new one, seeded from `rbe.manual_seed`'s stream.

    Raises
    ------
    TensorError
        For arguments out of range, and if samples are to be drawn from an empty data set.

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
        self.data_source, self.replacement = data_source, flag("RandomSampler", "replacement", replacement)
        self._num_samples = None if num_samples is None else at_least(1, "RandomSampler", "num_samples", num_samples)
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """Samples of an epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Order:
        """Return the indices of the next epoch."""
        n, wanted = len(self.data_source), self.num_samples
        if n == 0 and wanted:
            raise TensorError("RandomSampler", f"a data set to draw {wanted} samples from", "an empty data set")
        numbers = generator_or_fresh(self.generator)
        if self.replacement:
            return numbers.integers(max(n, 1), wanted)
        rounds = [numbers.permutation(n) for _ in range(-(-wanted // n))] if n else []
        order: np.ndarray[Any, np.dtype[np.int64]] = np.concatenate(rounds or [np.arange(0)])[:wanted]
        return order

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[Any]):
    """The samples with the given keys, shuffled anew in every epoch.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.data.SubsetRandomSampler([4, 6]))
    [4, 6]
    """

    def __init__(self, indices: Sequence[Any], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[Any]:
        for i in generator_or_fresh(self.generator).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_OrderSampler):
    """Samples drawn with probabilities proportional to their weights.

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
        op = "WeightedRandomSampler"
        self.num_samples, self.replacement = at_least(1, op, "num_samples", num_samples), flag(op, "replacement", replacement)
        need = 1 if self.replacement else self.num_samples
        try:
            w = np.asarray(weights, dtype=np.float64)
        except (TypeError, ValueError):
            raise TensorError(op, "weights >= 0", repr(weights)) from None
        if w.ndim != 1 or not (np.isfinite(w) & (w >= 0)).all() or (w > 0).sum() < need:
            raise TensorError(op, f"weights >= 0 along one axis, {need} or more of them > 0", str(w))
        self.weights, self.generator = w, generator

    def order(self) -> Order:
        """Return the indices of the next epoch."""
        return generator_or_fresh(self.generator).choice(self.weights, self.num_samples, self.replacement)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[Any]]):
    """Lists of the keys that a sampler yields.

    Parameters
    ----------
    sampler : Sampler or iterable
    batch_size : int
    drop_last : bool
        Drop the last list if it is shorter.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.BatchSampler([5, 6, 7], 2, drop_last=False))
    [[5, 6], [7]]
    """

    def __init__(self, sampler: Sampler[Any] | Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.batch_size = sampler, at_least(1, "BatchSampler", "batch_size", batch_size)
        self.drop_last = flag("BatchSampler", "drop_last", drop_last)

    def __iter__(self) -> Iterator[list[Any]]:
        keys = iter(self.sampler)
        while batch := list(itertools.islice(keys, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def arrays(self) -> Iterator[Any]:
        """Yield the same batches, as arrays if the sampler computes its order at once."""
        if not isinstance(self.sampler, _OrderSampler):
            yield from self
            return
        order, size = self.sampler.order(), self.batch_size
        for start in range(0, len(order) - (size - 1 if self.drop_last else 0), size):
            part = order[start : start + size]
            yield np.arange(part.start, part.stop) if isinstance(part, range) else part

    def __len__(self) -> int:
        if not isinstance(self.sampler, Sized):
            raise TypeError(f"{type(self.sampler).__name__} has no len()")
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
