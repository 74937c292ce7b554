"""Combines samples into batches and converts values to tensors, with the container types that torch returns."""

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from .. import _rbe, creation, dtypes
from .._tensor import RBETensor
from ..errors import DTypeError, ShapeError

_KINDS = "tensors, arrays, numbers, strings, or tuples, lists and mappings of them"


def default_collate(batch: Sequence[Any]) -> Any:
    """Combine samples into a batch.

    Tensors and arrays are stacked along a new first axis; Python's floats become a float64 tensor, integers an int64 one, bools
    a bool one; strings stay as they are. Containers are combined element by element: mappings, lists and named tuples keep
    their type, a tuple becomes a list.

    Raises
    ------
    ShapeError
        For no samples, or samples whose parts differ in number, keys or shape.
    DTypeError
        For samples of unsupported types, or of different types.

    Examples
    --------
    >>> import rbe
    >>> rbe.data.default_collate([(rbe.tensor(1), 2.5), (rbe.tensor(3), 4.5)])
    [tensor([1, 3]), tensor([2.5, 4.5], dtype=rbe.float64)]
    """
    if len(batch) == 0:
        raise ShapeError("collate", "one or more samples", "an empty batch")
    first = batch[0]
    if isinstance(first, str | bytes):  # NumPy's strings are of these types too
        return batch
    if isinstance(first, RBETensor):
        return _rbe.stack([_of_kind(sample, RBETensor, first) for sample in batch], 0)
    if isinstance(first, np.ndarray):
        arrays = [_of_kind(sample, np.ndarray, first) for sample in batch]
        if len({a.shape for a in arrays}) != 1:
            raise ShapeError("collate", f"arrays of shape {first.shape}", str({a.shape for a in arrays}))
        return creation.tensor(_numeric(np.stack(arrays)))
    if isinstance(first, bool | int | float | np.generic):
        return _numbers(first, [_of_kind(sample, (bool, int, float, np.generic), first) for sample in batch])
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate(_under(batch, key)) for key in first})
    if isinstance(first, Sequence):
        sizes = {len(sample) if isinstance(sample, Sequence) else -1 for sample in batch}
        if sizes != {len(first)}:
            raise ShapeError("collate", f"samples of {len(first)} parts", str(sorted(sizes)))
        return _like(first, [default_collate(part) for part in zip(*batch, strict=True)])
    raise DTypeError("collate", _KINDS, type(first).__name__)


def default_convert(data: Any) -> Any:
    """Convert the NumPy arrays and numbers in a sample to tensors, at any depth; other values stay as they are.

    Mappings, lists and named tuples keep their type, a tuple becomes a list.

    Examples
    --------
    >>> import numpy as np
    >>> import rbe
    >>> rbe.data.default_convert({"x": np.array([1, 2]), "name": "a"})
    {'x': tensor([1, 2]), 'name': 'a'}
    """
    if isinstance(data, str | bytes | RBETensor):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return creation.tensor(np.asarray(data)) if data.dtype.kind in "biuf" else data
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence):
        return _like(data, [default_convert(value) for value in data])
    return data


def _of_kind(sample: Any, kind: Any, first: Any) -> Any:
    if not isinstance(sample, kind):
        raise DTypeError("collate", f"samples of type {type(first).__name__}, as the first", type(sample).__name__)
    return sample


def _numeric(array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    if array.dtype.kind not in "biuf":
        raise DTypeError("collate", _KINDS, f"an array of {array.dtype}")
    return array


def _numbers(first: Any, batch: list[Any]) -> RBETensor:
    """Return a tensor of numbers; the first determines the dtype, as in torch."""
    if isinstance(first, np.generic):
        return creation.tensor(_numeric(np.asarray(batch)))
    return creation.tensor(batch, dtype=dtypes.float64 if isinstance(first, float) else None)


def _under(batch: Sequence[Any], key: Any) -> list[Any]:
    """Return the values that the mappings have under a key."""
    try:
        return [sample[key] for sample in batch]
    except (LookupError, TypeError) as e:
        raise ShapeError("collate", f"mappings with the key {key!r}, as the first", f"{type(e).__name__}: {e}") from e


def _like(first: Any, parts: Any) -> Any:
    """Return `parts`, a dict or list, as a container of the type of `first`, keeping its other attributes."""
    if isinstance(first, tuple):
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    make: Callable[[Any], Any] = type(first)
    try:
        if isinstance(first, MutableMapping | MutableSequence):
            out: Any = copy.copy(first)
            # Item by item: `update` of a Counter would add to the existing counts.
            for key, part in parts.items() if isinstance(parts, dict) else enumerate(parts):
                out[key] = part
            return out
        return make(parts)
    except TypeError:  # the constructor takes other arguments, as range does
        return parts
