"""Samples joined into batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _rbe, creation
from .._rbe import RBETensor
from ..errors import DTypeError, ShapeError


def default_collate(batch: Sequence[Any]) -> Any:
    """Join samples into a batch.

    Tensors and arrays are stacked along a new first axis, numbers become a tensor, strings a list; tuples, lists, named
    tuples and mappings go part by part.

    Raises
    ------
    ShapeError
        For samples whose parts differ in number or shape.
    DTypeError
        For samples of another kind.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.default_collate([(1.0, 2), (3.0, 4)])
    (tensor([1., 3.]), tensor([2, 4]))
    """
    first = batch[0]
    if isinstance(first, RBETensor):
        return _rbe.stack(list(batch), 0)
    if isinstance(first, np.ndarray):
        if len({a.shape for a in batch}) != 1:
            raise ShapeError("collate", f"arrays of shape {first.shape}", str({a.shape for a in batch}))
        return creation.tensor(np.stack(batch))
    if isinstance(first, bool | int | float | np.generic):
        return creation.tensor(np.asarray(batch) if isinstance(first, np.generic) else list(batch))
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, tuple | list):
        if len({len(sample) for sample in batch}) != 1:
            raise ShapeError("collate", f"samples of {len(first)} parts", str({len(sample) for sample in batch}))
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    raise DTypeError(
        "collate", "tensors, arrays, numbers, strings, or tuples, lists and mappings of them", type(first).__name__
    )
