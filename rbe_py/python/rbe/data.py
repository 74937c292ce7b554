"""Data sets, batches and readers of common files."""

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from . import _rbe, creation
from ._rbe import RBETensor
from .errors import FormatError, OutOfRangeError, ShapeError, TensorError

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """A collection of samples by number."""

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class TensorDataset(Dataset[tuple[RBETensor, ...]]):
    """Samples are the rows of tensors of equal length."""

    def __init__(self, *tensors: RBETensor) -> None:
        lengths = [len(t) for t in tensors]
        if not lengths or len(set(lengths)) != 1:
            raise ShapeError("TensorDataset", "tensors of one length", str(lengths))
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[RBETensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class DataLoader:
    """Batches of a data set.

    Parameters
    ----------
    dataset : Dataset or sequence
        A TensorDataset is indexed a batch at a time.
    batch_size : int
    shuffle : bool
        A new random order every epoch, from `rbe.manual_seed` or the given seed.
    drop_last : bool
        Leave out a last batch that is shorter.
    seed : int, optional
        Of a generator of its own: epoch e of two loaders with one seed has one order.
    """

    def __init__(
        self,
        dataset: Dataset[Any] | Sequence[Any],
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise TensorError("DataLoader", "batch_size >= 1", str(batch_size))
        self.dataset, self.batch_size, self.shuffle, self.drop_last, self.seed = (
            dataset,
            batch_size,
            shuffle,
            drop_last,
            seed,
        )
        self.epoch = 0

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def _order(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        n = len(self.dataset)
        if not self.shuffle:
            return np.arange(n)
        if self.seed is not None:
            return np.random.default_rng((self.seed, self.epoch)).permutation(n)
        order: np.ndarray[Any, np.dtype[np.int64]] = _rbe.randperm(n).numpy()
        return order

    def __iter__(self) -> Iterator[Any]:
        order = self._order()
        self.epoch += 1
        for b in range(len(self)):
            rows = order[b * self.batch_size : (b + 1) * self.batch_size]
            if isinstance(self.dataset, TensorDataset):
                yield self.dataset[creation.from_numpy(np.ascontiguousarray(rows))]
            else:
                yield collate([self.dataset[int(i)] for i in rows])


def collate(samples: Sequence[Any]) -> Any:
    """Join samples into a batch: tensors and arrays are stacked, numbers become a tensor, tuples and dicts go part by part."""
    first = samples[0]
    if isinstance(first, RBETensor):
        return _rbe.stack(list(samples), 0)
    if isinstance(first, np.ndarray):
        return creation.tensor(np.stack(samples))
    if isinstance(first, tuple | list):
        return tuple(collate(part) for part in zip(*samples, strict=True))
    if isinstance(first, dict):
        return {key: collate([s[key] for s in samples]) for key in first}
    if isinstance(first, bool | int | float | np.generic):
        return creation.tensor(np.asarray(samples))
    return list(samples)


_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> "np.ndarray[Any, Any]":
    """Read an idx file (MNIST), plain or gzipped.

    Raises
    ------
    FormatError
        For a file that is missing, truncated or foreign.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            raw = file.read()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as e:
        raise FormatError("read_idx", f"an idx file at {name!r}", str(e)) from e
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise FormatError("read_idx", f"an idx file at {name!r}", f"one that begins with {data[:4]!r}")
    ndim, dtype = data[3], np.dtype(_IDX_TYPES[data[2]])
    head = 4 + 4 * ndim
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim))
    wanted = head + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(data) != wanted:
        raise FormatError("read_idx", f"{wanted} bytes for shape {shape} in {name!r}", f"{len(data)}")
    return np.frombuffer(data, dtype, offset=head).reshape(shape).astype(dtype.newbyteorder("="))


def find_idx(folder: str | os.PathLike[str], stem: str) -> str:
    """Return the path of `stem` or `stem.gz` in a folder or its subfolder `mnist`.

    Raises
    ------
    FormatError
        If there is none.
    """
    for sub in ("", "mnist"):
        for ending in ("", ".gz"):
            path = os.path.join(folder, sub, stem + ending)
            if os.path.exists(path):
                return path
    raise FormatError("find_idx", f"{stem} or {stem}.gz in {os.fspath(folder)!r}", "no such file")


class Text:
    """A text as characters by number.

    Attributes
    ----------
    characters : str
        Every character that occurs, sorted.
    codes : int64 array
        The text, as positions in `characters`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = os.fspath(path)
        try:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as e:
            raise FormatError("Text", f"a UTF-8 text at {name!r}", str(e)) from e
        if not text:
            raise FormatError("Text", f"a text at {name!r}", "an empty file")
        self.characters = "".join(sorted(set(text)))
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        known = np.frombuffer(self.characters.encode("utf-32-le"), np.uint32)
        self.codes = np.searchsorted(known, points).astype(np.int64)

    def decode(self, codes: Sequence[int]) -> str:
        """Return the characters of codes.

        Raises
        ------
        OutOfRangeError
            For a code that is no character.
        """
        n = len(self.characters)
        for c in codes:
            if not 0 <= c < n:
                raise OutOfRangeError("decode", f"codes from 0 to {n - 1}", str(c))
        return "".join(self.characters[c] for c in codes)
