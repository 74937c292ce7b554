"""Padding as a function, with torch's signature."""

from collections.abc import Sequence

from ... import _rbe, _sizes, creation
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError

__all__ = ["pad"]

MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: RBETensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> RBETensor:
    """Return x with elements added before and after its last axes.

    Parameters
    ----------
    input : tensor
        For modes other than "constant" (N, C, …) or (C, …) with one spatial axis for each pair of `pad`, at most three.
    pad : sequence of int
        Pairs of elements before and after an axis, the last axis first; a negative number takes elements away.
    mode : {"constant", "reflect", "replicate", "circular"}
        Added elements: `value`; x mirrored at its outermost elements, which are not repeated; the outermost elements
        repeated; or the elements from the other end of x.
    value : float, optional
        For "constant" only; default 0.

    Returns
    -------
    tensor
        In memory of its own.

    Raises
    ------
    ShapeError
        If `pad` does not fit the axes, "reflect" or "circular" need more elements than x has, or an axis would be empty.
    TensorError
        For an unknown mode, or a value in another than "constant".
    OutOfMemoryError
        For a result that does not fit into memory.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([[1.0, 2.0, 3.0]])
    >>> rbe.nn.functional.pad(x, (1, 2)).tolist()
    [[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]
    >>> rbe.nn.functional.pad(x, (1, 2), "reflect").tolist()
    [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """
    if mode not in MODES:
        raise TensorError("pad", "mode " + ", ".join(map(repr, MODES)), repr(mode))
    if mode != "constant" and value is not None:
        raise TensorError("pad", f"no value in mode {mode!r}", str(value))
    count = len(pad) // 2
    fits = count <= input.ndim if mode == "constant" else 1 <= count <= 3 and input.ndim in (count + 1, count + 2)
    if len(pad) % 2 or not fits:
        raise ShapeError("pad", "pairs of numbers for the last axes of x", f"{list(pad)} for x {tuple(input.shape)}")
    axes = {input.ndim - 1 - i: (int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(count)}
    shape = list(input.shape)
    for axis, (before, after) in axes.items():
        shape[axis] = max(_check(mode, input.shape[axis], before, after), 0)
    _sizes.check_memory("pad", shape, input.dtype)
    for axis, (before, after) in axes.items():
        start, end = max(-before, 0), input.shape[axis] - max(-after, 0)
        kept = input if (start, end) == (0, input.shape[axis]) else input.narrow(axis, start, end - start)
        parts = (
            _part(kept, axis, max(before, 0), mode, value, True),
            kept,
            _part(kept, axis, max(after, 0), mode, value, False),
        )
        whole = [part for part in parts if part is not None]
        input = whole[0] if len(whole) == 1 else _rbe.concat(whole, axis)
    return input.clone() if all(before <= 0 and after <= 0 for before, after in axes.values()) else input


def _check(mode: str, length: int, before: int, after: int) -> int:
    """Return the padded length of an axis."""
    kept = length + min(before, 0) + min(after, 0)
    most = {"reflect": kept - 1, "circular": kept, "replicate": None if kept > 0 else 0, "constant": None}[mode]
    if kept < 0 or (mode != "constant" and length + before + after < 1) or (most is not None and max(before, after) > most):
        limit = "" if most is None else f" and at most {max(most, 0)} elements added at each end"
        raise ShapeError("pad", f"something left of an axis of {length}{limit} in mode {mode!r}", f"{before} and {after}")
    return kept + max(before, 0) + max(after, 0)


def _part(x: RBETensor, axis: int, n: int, mode: str, value: float | None, before: bool) -> RBETensor | None:
    """Return the `n` elements that are added before or after an axis, None for 0."""
    if n == 0:
        return None
    length = x.shape[axis]
    if mode == "reflect":
        return x.narrow(axis, 1 if before else length - 1 - n, n).flip(axis)
    if mode == "circular":
        return x.narrow(axis, length - n if before else 0, n)
    shape = [n if i == axis else m for i, m in enumerate(x.shape)]
    if mode == "replicate":
        return x.narrow(axis, 0 if before else length - 1, 1).expand(shape)
    return creation.full(shape, 0.0 if value is None else value, dtype=x.dtype)
