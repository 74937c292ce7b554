"""Sequences of different lengths, padded or one after another, with torch's names."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import _interchange, _rbe, creation
from ..._arguments import integer
from ..._tensor import RBETensor
from ...errors import OutOfRangeError, ShapeError, TensorError

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
    "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class PackedSequence(NamedTuple):
    """The time steps of sequences that become fewer: those of the first time step, of the second, and so on.

    Recurrent layers take it in place of a tensor and return one. Packed refers to the sequences; weights are another matter.

    Attributes
    ----------
    data : tensor (sum of lengths, …)
        The longest sequence first in every time step.
    batch_sizes : int64 tensor (longest)
        Sequences of each time step.
    sorted_indices, unsorted_indices : int64 tensor (N) or None
        Numbers of the sequences from the longest on, and the inverse; None where they were given in that order.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.rnn.pack_sequence([rbe.tensor([1.0, 2.0]), rbe.tensor([3.0])]).data
    tensor([1., 3., 2.])
    """

    data: RBETensor
    batch_sizes: RBETensor
    sorted_indices: RBETensor | None = None
    unsorted_indices: RBETensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """Return the sequences with the data converted as by the tensor's `to`."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def float(self) -> "PackedSequence":
        """Return the sequences in float32."""
        return self._replace(data=self.data.float())

    def double(self) -> "PackedSequence":
        """Return the sequences in float64."""
        return self._replace(data=self.data.double())

    def cpu(self) -> "PackedSequence":
        """Return the sequences, which are on the CPU."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False


def invert_permutation(permutation: RBETensor | None) -> RBETensor | None:
    """Return the numbers that undo a permutation.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.rnn.invert_permutation(rbe.tensor([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    return None if permutation is None else permutation.argsort(0)


def _lengths(op: str, lengths: RBETensor | Sequence[int], n: int, most: int) -> list[int]:
    listed = [integer(op, "a length", v) for v in (lengths.tolist() if isinstance(lengths, RBETensor) else lengths)]
    if len(listed) != n:
        raise ShapeError(op, f"{n} lengths", str(len(listed)))
    if any(not 1 <= v <= most for v in listed):
        raise OutOfRangeError(op, f"lengths from 1 to {most}", str(listed))
    return listed


def pack_padded_sequence(
    input: RBETensor, lengths: RBETensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return padded sequences without the padding.

    Parameters
    ----------
    input : tensor (T, N, …), or (N, T, …) with `batch_first`
    lengths : int64 tensor (N) or sequence of int
        From 1 to T.
    batch_first : bool
    enforce_sorted : bool
        Whether lengths that increase are refused; otherwise sequences are sorted.

    Raises
    ------
    ShapeError, OutOfRangeError
        If lengths do not fit.
    TensorError
        For lengths that increase.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> rbe.nn.utils.rnn.pack_padded_sequence(x, [2, 1], batch_first=True).batch_sizes
    tensor([2, 1])
    """
    op = "pack_padded_sequence"
    if input.ndim < 2:
        raise ShapeError(op, "x of at least two axes", str(tuple(input.shape)))
    x = input.transpose(0, 1) if batch_first else input
    listed = _lengths(op, lengths, x.shape[1], x.shape[0])
    order = np.argsort([-n for n in listed], kind="stable")
    indices = None
    if enforce_sorted:
        if any(a < b for a, b in itertools.pairwise(listed)):
            raise TensorError(op, "lengths that do not increase, or enforce_sorted=False", str(listed))
    else:
        indices = _interchange.from_numpy(order.astype(np.int64))
        x = x.index_select(1, indices)
        listed = [listed[i] for i in order]
    sizes = [sum(n > t for n in listed) for t in range(listed[0] if listed else 0)]
    data = _rbe.concat([x[t].narrow(0, 0, n) for t, n in enumerate(sizes)], 0)
    counts = _interchange.from_numpy(np.array(sizes, dtype=np.int64))
    return PackedSequence(data, counts, indices, invert_permutation(indices))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[RBETensor, RBETensor]:
    """Return sequences with padding, in the order in which they were packed, and their lengths.

    Parameters
    ----------
    sequence : PackedSequence
    batch_first : bool
    padding_value : float
    total_length : int, optional
        Time steps of the result; by default those of the longest sequence.

    Returns
    -------
    (tensor (T, N, …) or (N, T, …), int64 tensor (N))

    Raises
    ------
    TensorError
        For a total_length below the longest sequence.

    Examples
    --------
    >>> import rbe
    >>> packed = rbe.nn.utils.rnn.pack_sequence([rbe.tensor([1.0, 2.0]), rbe.tensor([3.0])])
    >>> rbe.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0].tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    sizes = sequence.batch_sizes.tolist()
    total = len(sizes) if total_length is None else total_length
    if total < len(sizes):
        raise TensorError("pad_packed_sequence", f"a total_length of at least {len(sizes)}", str(total_length))
    rest, rows, at = tuple(sequence.data.shape[1:]), [], 0
    for n in sizes:
        row = sequence.data.narrow(0, at, n)
        if n < sizes[0]:
            row = _rbe.concat([row, creation.full((sizes[0] - n, *rest), padding_value, dtype=row.dtype)], 0)
        rows.append(row)
        at += n
    rows += [creation.full((sizes[0], *rest), padding_value, dtype=sequence.data.dtype)] * (total - len(sizes))
    out = _rbe.stack(rows, 0)
    lengths = _interchange.from_numpy(np.array([sum(n > i for n in sizes) for i in range(sizes[0])], dtype=np.int64))
    if sequence.unsorted_indices is not None:
        out, lengths = out.index_select(1, sequence.unsorted_indices), lengths[sequence.unsorted_indices]
    return out.transpose(0, 1) if batch_first else out, lengths


def pad_sequence(
    sequences: RBETensor | Sequence[RBETensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> RBETensor:
    """Return tensors (length, …) side by side, those that are shorter than the longest with padding.

    Parameters
    ----------
    sequences : sequence of tensors (length, …)
    batch_first : bool
        Whether the result is (N, T, …) rather than (T, N, …).
    padding_value : float
    padding_side : {"right", "left"}

    Raises
    ------
    ShapeError
        For no tensors, or tensors that differ in another than the first axis.
    TensorError
        For another side.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.rnn.pad_sequence([rbe.tensor([1, 2]), rbe.tensor([3])], batch_first=True).tolist()
    [[1, 2], [3, 0]]
    """
    op, listed = "pad_sequence", list(sequences)
    if padding_side not in ("right", "left"):
        raise TensorError(op, "padding_side 'right' or 'left'", repr(padding_side))
    if not listed or any(t.ndim < 1 or t.shape[1:] != listed[0].shape[1:] for t in listed):
        raise ShapeError(op, "tensors (length, …) that agree in all other axes", str([tuple(t.shape) for t in listed]))
    longest, whole = max(t.shape[0] for t in listed), []
    for t in listed:
        if t.shape[0] < longest:
            blank = creation.full((longest - t.shape[0], *t.shape[1:]), padding_value, dtype=t.dtype)
            t = _rbe.concat([t, blank] if padding_side == "right" else [blank, t], 0)
        whole.append(t)
    return _rbe.stack(whole, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: RBETensor, lengths: RBETensor | Sequence[int], batch_first: bool = False
) -> list[RBETensor]:
    """Return the sequences of `pad_sequence`.

    Raises
    ------
    ShapeError, OutOfRangeError
        If lengths do not fit.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([[1, 2], [3, 0]])
    >>> [t.tolist() for t in rbe.nn.utils.rnn.unpad_sequence(x, [2, 1], batch_first=True)]
    [[1, 2], [3]]
    """
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    listed = _lengths("unpad_sequence", lengths, x.shape[0], x.shape[1])
    return [row.narrow(0, 0, n) for row, n in zip(x.unbind(0), listed, strict=True)]


def pack_sequence(sequences: Sequence[RBETensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return tensors (length, …) packed.

    Raises
    ------
    ShapeError, TensorError
        As `pad_sequence` and `pack_padded_sequence`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.rnn.pack_sequence([rbe.tensor([3]), rbe.tensor([1, 2])], enforce_sorted=False).data.tolist()
    [1, 3, 2]
    """
    lengths = [t.shape[0] for t in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[RBETensor]:
    """Return the sequences that were packed.

    Examples
    --------
    >>> import rbe
    >>> rnn = rbe.nn.utils.rnn
    >>> [t.tolist() for t in rnn.unpack_sequence(rnn.pack_sequence([rbe.tensor([1, 2]), rbe.tensor([3])]))]
    [[1, 2], [3]]
    """
    padded, lengths = pad_packed_sequence(packed_sequences)
    return unpad_sequence(padded, lengths)
