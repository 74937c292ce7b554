"""Collections of samples, with torch's names."""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from .._rbe import RBETensor
from ..errors import OutOfRangeError, ShapeError, TensorError
from .generator import Generator

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by number: subclasses have `__getitem__` and `__len__`.

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

    def __getitem__(self, index: int) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __add__(self, other: "Dataset[Any]") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Generic[T_co]):
    """Samples one after another: subclasses have `__iter__`.

    Every worker process of a loader iterates over a copy of its own; `get_worker_info` tells it its share.

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
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


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
    """The samples of a data set that have certain numbers.

    Examples
    --------
    >>> import rbe
    >>> len(rbe.data.Subset(rbe.data.TensorDataset(rbe.arange(6)), [0, 2]))
    2
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: int) -> T_co:
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Any]):
    """Data sets one after another.

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
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise OutOfRangeError("ConcatDataset", f"an index from {-n} to {n - 1}", str(index))
        index %= n
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Dataset[T_co], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T_co]]:
    """Split a data set at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        Lengths that sum to that of the data set, or shares that sum to 1.
    generator : Generator, optional
        Default one seeded from `rbe.manual_seed`'s stream.

    Raises
    ------
    TensorError
        For lengths or shares of another sum.

    Examples
    --------
    >>> import rbe
    >>> [len(part) for part in rbe.data.random_split(rbe.data.TensorDataset(rbe.arange(6)), [4, 2])]
    [4, 2]
    """
    n = len(dataset)
    if all(0 <= x <= 1 for x in lengths) and abs(sum(lengths) - 1.0) < 1e-9:
        counts = [int(n * x) for x in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(x) for x in lengths]
    if sum(counts) != n or any(c < 0 for c in counts):
        raise TensorError("random_split", f"lengths that sum to {n}, or shares to 1", str(list(lengths)))
    order = (generator or Generator()).permutation(n)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end].tolist()) for count, end in zip(counts, ends, strict=True)]
