"""Makes batches from the keys of samples."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _interchange
from .collate import default_collate
from .dataset import Subset, TensorDataset

Collate = Callable[[Any], Any]

ENDED = object()  # what `Stream.take` returns after the last batch


def base_of(dataset: Any) -> Any:
    """Return the data set that nested Subsets refer to."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return dataset


def rows_of(dataset: Any, keys: Any) -> tuple[TensorDataset, "np.ndarray[Any, Any]"] | None:
    """Return the tensors and row numbers behind a TensorDataset or a Subset of one, else None."""
    if type(base_of(dataset)) is not TensorDataset:
        return None
    rows = _integers(keys)
    while rows is not None and type(dataset) is Subset:
        rows = _integers([dataset.indices[i] for i in rows.tolist()])
        dataset = dataset.dataset
    return None if rows is None else (dataset, rows)


def _integers(keys: Any) -> "np.ndarray[Any, Any] | None":
    """Return integer keys as an array, None for other keys (such as slices and masks), which the data set itself interprets."""
    if not isinstance(keys, np.ndarray):
        if not all(issubclass(kind, int | np.integer) and kind is not bool for kind in set(map(type, keys))):
            return None
        keys = np.asarray(keys)
    return keys.astype(np.int64, copy=False) if keys.ndim == 1 and keys.dtype.kind in "iu" else None


def fetch(dataset: Any, keys: Any, collate: Collate) -> Any:
    """Return the batch of the samples `keys`. Rows of tensors are indexed once for the whole batch."""
    if collate is default_collate:
        found = rows_of(dataset, keys)
        if found is not None:
            tensors, rows = found
            return list(tensors[_interchange.from_numpy(np.ascontiguousarray(rows))])
    if hasattr(dataset, "__getitems__"):
        return collate(dataset.__getitems__(keys))
    return collate([dataset[key] for key in keys])


def fetch_one(dataset: Any, key: Any, collate: Collate) -> Any:
    """Return the sample `key`."""
    return collate(dataset[key])


class Stream:
    """The batches of an iterable data set, or its samples themselves where `batch_size` is None."""

    def __init__(self, dataset: Any, batch_size: int | None, drop_last: bool, collate: Collate) -> None:
        self._samples = iter(dataset)
        self._size, self._drop_last, self._collate = batch_size, drop_last, collate
        self._ended = False

    def take(self) -> Any:
        """Return the next batch, ENDED after the last."""
        wanted = 1 if self._size is None else self._size
        samples = [] if self._ended else list(itertools.islice(self._samples, wanted))
        self._ended = len(samples) < wanted
        if not samples or (self._ended and self._drop_last):
            return ENDED
        return self._collate(samples[0] if self._size is None else samples)
