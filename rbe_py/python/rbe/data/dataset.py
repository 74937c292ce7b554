"""Collections of samples, with torch's names."""

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar, cast

import numpy as np

from .._tensor import RBETensor
from ..errors import MissingMethodError, OutOfRangeError, ShapeError, TensorError
from .generator import Generator, generator_or_fresh

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by key: subclasses define `__getitem__` and, unless a sampler provides the keys, `__len__`.

    Keys are the integers from 0 unless a sampler yields others. A subclass may also define `__getitems__`, which returns the
    samples of a list of keys as a list.

    Examples
    --------
    >>> import rbe
    >>> class Squares(rbe.data.Dataset):
    ...     def __getitem__(self, index):
    ...         return index * index
    ...     def __len__(self):
    ...         return 4
    >>> next(iter(rbe.data.DataLoader(Squares(), 4)))
    tensor([0, 1, 4, 9])
    """

    def __getitem__(self, index: Any) -> T_co:
        raise MissingMethodError("Dataset.__getitem__", "a subclass that defines it", type(self).__name__)

    def __add__(self, other: "Dataset[Any]") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples in sequence: subclasses define `__iter__`.

    Every worker process of a loader iterates over its own copy; `get_worker_info` tells which share of the samples is its own.

    Examples
    --------
    >>> import rbe
    >>> class Count(rbe.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(5))
    >>> list(rbe.data.DataLoader(Count(), 3))
    [tensor([0, 1, 2]), tensor([3, 4])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise MissingMethodError("IterableDataset.__iter__", "a subclass that defines it", type(self).__name__)

    def __add__(self, other: Dataset[Any]) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[RBETensor, ...]]):
    """Samples are the rows of tensors of one length.

    Raises
    ------
    ShapeError
        For tensors of different lengths, or none.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.TensorDataset(rbe.arange(3), rbe.ones(3))[1]
    (tensor(1), tensor(1.))
    """

    def __init__(self, *tensors: RBETensor) -> None:
        lengths = [t.shape[0] if t.ndim else -1 for t in tensors]
        if not lengths or len(set(lengths)) != 1 or lengths[0] < 0:
            raise ShapeError("TensorDataset", "tensors of one length", str(lengths))
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[RBETensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset[T_co]):
    """The samples of a data set with the given keys.

    Examples
    --------
    >>> import rbe
    >>> len(rbe.data.Subset(rbe.data.TensorDataset(rbe.arange(6)), [0, 2]))
    2
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[Any]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> T_co:
        return self.dataset[[self.indices[i] for i in index] if isinstance(index, list) else self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        whole = getattr(self.dataset, "__getitems__", None)
        if whole is None or type(self).__getitem__ is not Subset.__getitem__:
            return [self[i] for i in indices]
        found: list[T_co] = whole([self.indices[i] for i in indices])
        return found

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Any]):
    """The concatenation of data sets.

    Raises
    ------
    TensorError
        For no data set, or an iterable one.

    Examples
    --------
    >>> import rbe
    >>> len(rbe.data.ConcatDataset([rbe.data.TensorDataset(rbe.arange(6)), rbe.data.TensorDataset(rbe.arange(6))]))
    12
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets or any(isinstance(d, IterableDataset) for d in self.datasets):
            raise TensorError("ConcatDataset", "one or more data sets with a length", str(self.datasets))
        self.cumulative_sizes = list(itertools.accumulate(_length(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise OutOfRangeError("ConcatDataset", f"an index from {-n} to {n - 1}", str(index))
        index %= n
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """The concatenation of iterable data sets.

    Raises
    ------
    TensorError
        When iterating, for a data set that is not iterable.

    Examples
    --------
    >>> import rbe
    >>> class Count(rbe.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(2))
    >>> list(Count() + Count())
    [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _iterable(self) -> Iterator[IterableDataset[Any]]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise TensorError("ChainDataset", "iterable data sets", type(dataset).__name__)
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._iterable():
            yield from dataset

    def __len__(self) -> int:
        return sum(_length(dataset) for dataset in self._iterable())


class StackDataset(Dataset[Any]):
    """Samples are tuples of the samples of several data sets, or dicts if the data sets are passed by name.

    Raises
    ------
    ShapeError
        For no data set, or data sets of different lengths.
    TensorError
        If some data sets are passed by name and some are not.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.StackDataset([1, 2], ["a", "b"])[0]
    (1, 'a')
    >>> rbe.data.StackDataset(x=[1, 2], name=["a", "b"])[1]
    {'x': 2, 'name': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise TensorError(
                "StackDataset", "data sets all with names or all without", f"{len(args)} without and {len(kwargs)} with names"
            )
        self.datasets: tuple[Any, ...] | dict[str, Any] = args or kwargs
        lengths = [_length(dataset) for dataset in (args or kwargs.values())]
        if len(set(lengths)) != 1:
            raise ShapeError("StackDataset", "one or more data sets of one length", str(lengths))
        self._length = lengths[0]

    def _joined(self, parts: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)

    def _parts(self) -> Iterable[Any]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def __getitem__(self, index: Any) -> Any:
        return self._joined([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        columns = []
        for dataset in self._parts():
            whole = getattr(dataset, "__getitems__", None)
            columns.append([dataset[i] for i in indices] if whole is None else whole(indices))
            if len(columns[-1]) != len(indices):
                raise ShapeError("StackDataset", f"{len(indices)} samples of every data set", str(len(columns[-1])))
        return [self._joined(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def _length(dataset: Any) -> int:
    return len(cast(Sized, dataset))


def random_split(
    dataset: Dataset[T_co], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T_co]]:
    """Split a data set at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        Lengths that sum to the data set's length, or shares that sum to 1.
    generator : Generator, optional
        Default: one seeded from `rbe.manual_seed`'s stream.

    Raises
    ------
    TensorError
        If lengths do not sum to the data set's length, or shares not to 1.

    Examples
    --------
    >>> import rbe
    >>> [len(part) for part in rbe.data.random_split(rbe.data.TensorDataset(rbe.arange(6)), [4, 2])]
    [4, 2]
    """
    n = _length(dataset)
    numbers = [x for x in lengths if isinstance(x, int | float | np.integer | np.floating)]
    if len(numbers) == len(lengths) and all(0 <= x <= 1 for x in numbers) and abs(sum(numbers) - 1.0) < 1e-9:
        counts = [int(n * x) for x in numbers]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(x) if math.isfinite(x) and x == int(x) else -1 for x in numbers]
    if len(numbers) != len(lengths) or sum(counts) != n or any(c < 0 for c in counts):
        raise TensorError("random_split", f"lengths that sum to {n}, or shares to 1", str(list(lengths)))
    order = generator_or_fresh(generator).permutation(n)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end].tolist()) for count, end in zip(counts, ends, strict=True)]
