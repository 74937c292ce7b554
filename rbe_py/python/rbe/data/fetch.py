"""How a batch of a data set is made from the numbers of its samples."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import creation
from .collate import default_collate
from .dataset import Subset, TensorDataset

Collate = Callable[[Any], Any]


def rows_of(dataset: Any, indices: Any) -> tuple[TensorDataset, "np.ndarray[Any, Any]"] | None:
    """Return the tensors and row numbers behind a TensorDataset or a Subset of one, else None."""
    rows = np.asarray(indices, dtype=np.int64)
    while type(dataset) is Subset:
        rows = np.asarray([dataset.indices[i] for i in rows.tolist()], dtype=np.int64)
        dataset = dataset.dataset
    return (dataset, rows) if type(dataset) is TensorDataset else None


def fetch(dataset: Any, indices: Any, collate: Collate) -> Any:
    """Return the batch of the samples `indices`: whole rows at once where the samples are rows of tensors."""
    if collate is default_collate:
        found = rows_of(dataset, indices)
        if found is not None:
            tensors, rows = found
            return tensors[creation.from_numpy(np.ascontiguousarray(rows))]
    if hasattr(dataset, "__getitems__"):
        return collate(dataset.__getitems__([int(i) for i in indices]))
    return collate([dataset[int(i)] for i in indices])


def batches_of(dataset: Any, batch_size: int | None, drop_last: bool, collate: Collate) -> Iterator[Any]:
    """Yield the batches of an iterable data set (the samples themselves without batch_size)."""
    if batch_size is None:
        yield from (collate(sample) for sample in dataset)
        return
    batch = []
    for sample in dataset:
        batch.append(sample)
        if len(batch) == batch_size:
            yield collate(batch)
            batch = []
    if batch and not drop_last:
        yield collate(batch)
