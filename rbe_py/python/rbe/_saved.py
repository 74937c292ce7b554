"""Checks of a saved state before it is loaded."""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from ._arguments import describe
from ._tensor import RBETensor
from .errors import DTypeError, ShapeError, TensorError

LARGEST = 2**63 - 1


def entries(op: str, what: str, value: Any, names: Iterable[str], *, others: bool = False) -> Mapping[Any, Any]:
    """Return a mapping that has the entries `names`, and no others unless allowed.

    Raises
    ------
    DTypeError
        For anything but a mapping.
    TensorError
        For missing or unexpected names.
    """
    if not isinstance(value, Mapping):
        raise DTypeError(op, f"a mapping as {what}", describe(value))
    wanted = list(names)
    missing = [name for name in wanted if name not in value]
    unexpected = [] if others else [str(name) for name in value if name not in wanted]
    if missing or unexpected:
        found = [f"{kind} {', '.join(n)}" for kind, n in (("missing", missing), ("unexpected", unexpected)) if n]
        raise TensorError(op, f"{what} with {', '.join(wanted)}", "; ".join(found))
    return value


def sequence(op: str, what: str, value: Any, length: int | None = None) -> list[Any]:
    """Return a list or tuple, of the given length if there is one, as a list.

    Raises
    ------
    DTypeError
        For anything else.
    TensorError
        For another length.
    """
    if not isinstance(value, list | tuple):
        raise DTypeError(op, f"a list as {what}", describe(value))
    if length is not None and len(value) != length:
        raise TensorError(op, f"{length} entries in {what}", str(len(value)))
    return list(value)


def integer(op: str, what: str, value: Any, low: int = 0, high: int = LARGEST) -> int:
    """Return an integer from `low` to `high`.

    Raises
    ------
    DTypeError
        For anything but an integer; bools are none.
    TensorError
        For one outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DTypeError(op, f"an integer as {what}", describe(value))
    found = int(value)
    if not low <= found <= high:
        raise TensorError(op, f"{what} from {low} to {high}", describe(found))
    return found


def number(op: str, what: str, value: Any, *, finite: bool = True) -> float:
    """Return a number as a float.

    Raises
    ------
    DTypeError
        For anything but a number; bools are none.
    TensorError
        For one that is not finite, if it has to be, or that no float holds.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise DTypeError(op, f"a number as {what}", describe(value))
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
        finite = True
    if finite and not math.isfinite(found):
        raise TensorError(op, f"a finite {what}", describe(value))
    return found


def plain(value: Any) -> Any:
    """Return a copy of nested mappings, lists and tuples that shares no container; leaves are the same objects."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(v) for v in value) if type(value) in (list, tuple) else value
    return value


def like(op: str, what: str, value: Any, present: Any) -> Any:
    """Return a copy of a saved value that is of the kind of the present one: number, text, tensor, or a nesting of them.

    Integers and floats are one kind, bools another. Lists may have another length. A value that is None now may be of any kind.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For a value of another kind, a tensor of another shape, a mapping of other names.
    """
    if present is None:
        return plain(value)
    if isinstance(present, RBETensor):
        if not isinstance(value, RBETensor) or value.is_packed != present.is_packed:
            raise DTypeError(op, f"{describe(present)} as {what}", describe(value))
        if tuple(value.shape) != tuple(present.shape):
            raise ShapeError(op, f"{what} {tuple(present.shape)}", str(tuple(value.shape)))
        return value
    if isinstance(present, Mapping):
        found = entries(op, what, value, present)
        return {k: like(op, f"{what}[{k!r}]", v, present[k]) for k, v in found.items()}
    if isinstance(present, list | tuple):
        listed = sequence(op, what, value)
        kinds = [present[min(i, len(present) - 1)] if present else None for i in range(len(listed))]
        return type(present)(like(op, f"{what}[{i}]", v, kind) for i, (v, kind) in enumerate(zip(listed, kinds, strict=True)))
    if isinstance(present, bool | str):
        if type(value) is not type(present):
            raise DTypeError(op, f"a {type(present).__name__} as {what}", describe(value))
        return value
    if isinstance(present, Real):
        if isinstance(value, Integral) and not isinstance(value, bool):
            return integer(op, what, value, -LARGEST)
        return number(op, what, value, finite=False)
    if type(value) is not type(present):
        raise DTypeError(op, f"a {type(present).__name__} as {what}", describe(value))
    return value
