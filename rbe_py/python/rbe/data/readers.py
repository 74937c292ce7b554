"""Readers of common files: idx, NumPy, CSV and text."""

import csv
import gzip
import os
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import creation
from .._rbe import RBETensor
from ..errors import FormatError, OutOfRangeError, RBEError

Path = str | os.PathLike[str]

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path) -> "np.ndarray[Any, Any]":
    """Read an idx file (MNIST's format), plain or gzipped.

    Raises
    ------
    FormatError
        For a file that is missing, truncated or foreign.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> rbe.data.read_idx(path)
    array([7, 9], dtype=uint8)
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


def find_idx(folder: Path, stem: str) -> str:
    """Return the path of `stem` or `stem.gz` in a folder or its subfolder `mnist`.

    Raises
    ------
    FormatError
        If there is none.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "two-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> pathlib.Path(rbe.data.find_idx(folder, "two-idx1-ubyte")).name
    'two-idx1-ubyte'
    """
    for sub in ("", "mnist"):
        for ending in ("", ".gz"):
            path = os.path.join(folder, sub, stem + ending)
            if os.path.exists(path):
                return path
    raise FormatError("find_idx", f"{stem} or {stem}.gz in {os.fspath(folder)!r}", "no such file")


def read_numpy(path: Path) -> RBETensor | dict[str, RBETensor]:
    """Read a `.npy` file as a tensor, or an `.npz` archive as tensors by name.

    Pickled objects are refused.

    Raises
    ------
    FormatError
        For a file that is missing, truncated or foreign, or an element type that tensors do not have.

    Examples
    --------
    >>> import rbe
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(3))
    >>> rbe.data.read_numpy(path)
    tensor([0, 1, 2])
    """
    name = os.fspath(path)
    try:
        found = np.load(name, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return creation.tensor(found)
        with found:
            return {key: creation.tensor(found[key]) for key in found.files}
    except (OSError, EOFError, ValueError, zlib.error, KeyError, RBEError) as e:
        raise FormatError("read_numpy", f"a NumPy file of numbers at {name!r}", str(e)) from e


def read_csv(path: Path, *, delimiter: str = ",", header: bool | None = None) -> tuple[RBETensor, list[str]]:
    """Read a table of numbers.

    Parameters
    ----------
    path : path
        UTF-8 text, one row a line; empty lines are left out.
    delimiter : str
        Between columns.
    header : bool, optional
        Whether the first row holds names; by default it does if it is not all numbers.

    Returns
    -------
    tensor (rows, columns), list of str
        float32 values (float64 if that is the default dtype), and the names of the columns ("" without a header).

    Raises
    ------
    FormatError
        For a file that is missing, empty, has rows of different lengths or a field that is no number.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = path.write_text("1,2")
    >>> rbe.data.read_csv(path, header=False)[0]
    tensor([[1., 2.]])
    """
    name = os.fspath(path)

    def wrong(got: str) -> FormatError:
        return FormatError("read_csv", f"a table of numbers at {name!r}", got)

    try:
        with open(name, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise wrong(str(e)) from e
    if not rows:
        raise wrong("an empty file")
    if header or (header is None and not all(_is_number(field) for field in rows[0])):
        names, rows = [field.strip() for field in rows[0]], rows[1:]
    else:
        names = [""] * len(rows[0])
    values = np.empty((len(rows), len(names)), dtype=creation.get_default_dtype().numpy)
    for i, row in enumerate(rows):
        if len(row) != len(names):
            raise wrong(f"{len(row)} fields instead of {len(names)} in row {i + 1}")
        try:
            values[i] = [float(field) for field in row]
        except ValueError as e:
            raise wrong(f"{e} in row {i + 1}") from e
    return creation.tensor(values), names


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


class Text:
    """A text as characters by number.

    Parameters
    ----------
    path : path
        A UTF-8 text, not empty.

    Attributes
    ----------
    characters : str
        Every character that occurs, sorted.
    codes : int64 array
        The text, as positions in `characters`.

    Raises
    ------
    FormatError
        For a file that is missing, empty or not UTF-8.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "t.txt"
    >>> _ = path.write_text("abba")
    >>> text = rbe.data.Text(path)
    >>> text.characters, text.decode(text.codes)
    ('ab', 'abba')
    """

    def __init__(self, path: Path) -> None:
        name = os.fspath(path)
        try:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as e:
            raise FormatError("Text", f"a UTF-8 text at {name!r}", str(e)) from e
        if not text:
            raise FormatError("Text", f"a text at {name!r}", "an empty file")
        self.characters = "".join(sorted(set(text)))
        self.codes = self.encode(text)

    def encode(self, text: str) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the codes of characters.

        Raises
        ------
        OutOfRangeError
            For a character that this text has not.
        """
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        known = np.frombuffer(self.characters.encode("utf-32-le"), np.uint32)
        codes = np.searchsorted(known, points).astype(np.int64)
        unknown = points != known[np.minimum(codes, len(known) - 1)]
        if unknown.any():
            raise OutOfRangeError("encode", f"the {len(known)} characters of the text", repr(chr(points[unknown][0])))
        return codes

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
