"""Sums of products over named axes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._axes import axis_of
from ._tensor import RBETensor
from .errors import DTypeError, ShapeError, TensorError

_Lengths = dict[str, int]


def einsum(equation: str, *operands: Any) -> RBETensor:
    """Return the sum of products that an equation of Einstein's notation names.

    Each letter is an axis; axes of one letter run together, and those that are not behind the arrow are summed over. Without an
    arrow the letters that occur once remain, in alphabetical order. `...` stands for further axes, which broadcast. Products of
    two operands at a time are matrix products, in the order that `numpy.einsum_path` finds cheapest.

    Parameters
    ----------
    equation : str
        Such as `"bik,bkj->bij"`; spaces do not count.
    operands : tensors
        One for each part before the arrow, or one sequence of them.

    Raises
    ------
    TensorError, ShapeError, DTypeError
        For an equation that does not fit the operands, or another notation.

    Examples
    --------
    >>> import rbe
    >>> rbe.einsum("ij,j->i", rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """
    if len(operands) == 1 and isinstance(operands[0], Sequence):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or not operands or not all(isinstance(x, RBETensor) for x in operands):
        raise DTypeError("einsum", "an equation and tensors", f"{equation!r} and {len(operands)} operands")
    terms, result = _parsed(equation.replace(" ", ""), [x.ndim for x in operands])
    parts = [_of_one(term, x) for term, x in zip(terms, operands, strict=True)]
    lengths: _Lengths = {}
    for letters, x in parts:
        for letter, n in zip(letters, x.shape, strict=True):
            if lengths.setdefault(letter, n) != n and 1 not in (n, lengths[letter]):
                raise ShapeError("einsum", f"axes {letter} of one length", f"{lengths[letter]} and {n}")
            lengths[letter] = max(n, lengths[letter]) if n else 0
    for picked in _order(parts, result, lengths):
        chosen = [parts[i] for i in picked]
        parts = [part for i, part in enumerate(parts) if i not in picked]
        needed = set(result).union(*(letters for letters, _ in parts))
        found = chosen[0]
        for other in chosen[1:]:
            found = _product(found, other, needed | set(other[0]) if other is not chosen[-1] else needed)
        parts.append(found)
    letters, x = parts[0]
    letters, x = _summed(letters, x, set(result))
    x = x.permute([letters.index(letter) for letter in result]) if x.ndim else x
    return x.broadcast_to([lengths[letter] for letter in result])


def _parsed(equation: str, axes: list[int]) -> tuple[list[str], str]:
    """Return letters of operands and result; further axes get letters that are no ASCII ones.

    Raises
    ------
    TensorError
    """
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(axes):
        raise TensorError("einsum", f"{len(axes)} parts before the arrow", equation)
    most = 0
    for term, n in zip(terms, axes, strict=True):
        plain = term.replace("...", "", 1)
        if not (plain.isascii() and (plain.isalpha() or not plain)) or (
            len(plain) > n or ("..." not in term and len(plain) != n)
        ):
            raise TensorError("einsum", f"letters for {n} axes", repr(term))
        most = max(most, n - len(plain)) if "..." in term else most
    more = "".join(chr(0x3B1 + i) for i in range(most))
    named = []
    for term, n in zip(terms, axes, strict=True):
        count = n - len(term.replace("...", ""))
        named.append(term.replace("...", more[most - count :]) if "..." in term else term)
    if not arrow:
        every = "".join(named)
        right = more + "".join(sorted(c for c in set(every) if c.isascii() and every.count(c) == 1))
    else:
        right = right.replace("...", more)
    if len(set(right)) != len(right) or not set(right) <= set("".join(named)):
        raise TensorError("einsum", "each letter of the result once, and among those of the operands", repr(right))
    return named, right


def _of_one(term: str, x: RBETensor) -> tuple[str, RBETensor]:
    """Return an operand with one axis a letter: of axes with the same letter the diagonal.

    Raises
    ------
    ShapeError
    """
    while len(set(term)) < len(term):
        letter = next(c for c in term if term.count(c) > 1)
        a = term.index(letter)
        b = term.index(letter, a + 1)
        if x.shape[a] != x.shape[b]:
            raise ShapeError("einsum", f"axes {letter} of one length", f"{x.shape[a]} and {x.shape[b]}")
        x = x.diagonal(0, a, b)
        term = "".join(c for i, c in enumerate(term) if i not in (a, b)) + letter
    return term, x


def _order(parts: list[tuple[str, RBETensor]], result: str, lengths: _Lengths) -> list[tuple[int, ...]]:
    """Return which operands to multiply, by their places, in a cheap order."""
    if len(parts) < 3:
        return [tuple(range(len(parts)))]
    names = {letter: chr(ord("a") + i) if i < 26 else chr(ord("A") + i - 26) for i, letter in enumerate(lengths)}
    text = ",".join("".join(names[c] for c in letters) for letters, _ in parts)
    shapes = [np.broadcast_to(np.float32(0), [lengths[c] for c in letters]) for letters, _ in parts]
    path: list[Any] = np.einsum_path(f"{text}->{''.join(names[c] for c in result)}", *shapes, optimize="greedy")[0]
    return [tuple(step) for step in path[1:]]


def _summed(letters: str, x: RBETensor, needed: set[str]) -> tuple[str, RBETensor]:
    """Return an operand summed over the axes that nothing needs any more."""
    over = [i for i, letter in enumerate(letters) if letter not in needed]
    if not over:
        return letters, x
    return "".join(c for c in letters if c in needed), x.sum(over, dtype=x.dtype)


def _product(a: tuple[str, RBETensor], b: tuple[str, RBETensor], needed: set[str]) -> tuple[str, RBETensor]:
    """Return the product of two operands, summed over the letters that are not needed: a batched matrix product."""
    (p, x), (q, y) = _summed(*a, needed | set(b[0])), _summed(*b, needed | set(a[0]))
    both = [c for c in p if c in q]
    same = [c for c in both if c in needed or x.shape[p.index(c)] != y.shape[q.index(c)]]
    inner = [c for c in both if c not in same]
    rows, cols = [c for c in p if c not in q], [c for c in q if c not in p]

    def laid(letters: str, t: RBETensor, groups: list[list[str]], joined: list[int]) -> RBETensor:
        t = t.permute([letters.index(c) for group in groups for c in group]) if t.ndim else t
        lengths = [t.shape[i] for i in range(len(groups[0]))]
        return t.reshape(lengths + joined)

    def size(letters: str, t: RBETensor, group: list[str]) -> int:
        return int(np.prod([t.shape[letters.index(c)] for c in group], dtype=np.int64))

    m, k, n = size(p, x, rows), size(p, x, inner), size(q, y, cols)
    left, right = laid(p, x, [same, rows, inner], [m, k]), laid(q, y, [same, inner, cols], [k, n])
    found = left @ right if inner else left * right
    ends = [x.shape[p.index(c)] for c in rows] + [y.shape[q.index(c)] for c in cols]
    letters = "".join(same + rows + cols)
    return _summed(letters, found.reshape([*found.shape[: len(same)], *ends]), needed)


def tensordot(a: RBETensor, b: RBETensor, dims: Any = 2) -> RBETensor:
    """Return the sums of products over some axes of two tensors: first the other axes of a, then those of b.

    Parameters
    ----------
    a, b : tensors
    dims : int or pair of sequences of int
        The last so many axes of a with the first of b, or axes of a and axes of b.

    Raises
    ------
    ShapeError, OutOfRangeError, TensorError

    Examples
    --------
    >>> import rbe
    >>> rbe.tensordot(rbe.ones(2, 3), rbe.ones(3, 4), dims=1).shape
    (2, 4)
    """
    op = "tensordot"
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise TensorError(op, f"0 to {min(a.ndim, b.ndim)} axes", str(dims))
        left, right = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        left, right = ([axis_of(op, d, x.ndim) for d in given] for given, x in ((dims[0], a), (dims[1], b)))
    if len(left) == len(right):  # an axis of one element goes with all of the other's
        over = [j for i, j in zip(left, right, strict=True) if a.shape[i] == 1 != b.shape[j]]
        b = b.sum(over, True, dtype=b.dtype) if over else b
        over = [i for i, j in zip(left, right, strict=True) if b.shape[j] == 1 != a.shape[i]]
        a = a.sum(over, True, dtype=a.dtype) if over else a
    if len(left) != len(right) or any(a.shape[i] != b.shape[j] for i, j in zip(left, right, strict=True)):
        raise ShapeError(op, "as many axes of the same lengths", f"{left} of {tuple(a.shape)} and {right} of {tuple(b.shape)}")
    rest, more = [i for i in range(a.ndim) if i not in left], [j for j in range(b.ndim) if j not in right]
    k = math.prod(a.shape[i] for i in left)
    rows, columns = [a.shape[i] for i in rest], [b.shape[j] for j in more]
    x = a.permute([*rest, *left]).reshape(math.prod(rows), k) if a.ndim else a.reshape(1, 1)
    y = b.permute([*right, *more]).reshape(k, math.prod(columns)) if b.ndim else b.reshape(1, 1)
    return (x @ y).reshape([*rows, *columns])
