"""Readers of common files: idx, NumPy, CSV and text."""

import array
import contextlib
import csv
import gzip
import io
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

import numpy as np

from .. import _default_dtype, _interchange, creation
from .._paths import Path, open_regular, path_of
from .._tensor import RBETensor
from ..errors import FormatError, OutOfMemoryError, OutOfRangeError, RBEError, TensorError

__all__ = ["Text", "find_idx", "read_csv", "read_idx", "read_numpy"]

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

_MAX_BYTES = 1 << 32  # decompressed size that is allowed unless the caller allows more
_DEFLATE_RATIO = 1032  # deflate cannot expand a byte to more
_MAX_AXES = 64
_PIECE = 1 << 20


@contextlib.contextmanager
def _contents(op: str, expected: str) -> Iterator[None]:
    """Turn the exceptions that libraries raise for damaged files into a FormatError."""
    try:
        yield
    except RBEError:
        raise
    except MemoryError as e:
        raise OutOfMemoryError(op, f"memory for {expected}", str(e)) from e
    except Exception as e:
        raise FormatError(op, expected, f"{type(e).__name__}: {e}") from e


def _read_exactly(source: BinaryIO, count: int, op: str, expected: str) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return the last `count` bytes of a source; memory is touched only as bytes arrive."""
    out = np.empty(count, np.uint8)
    view, at = out.data, 0
    while at < count:
        got = source.readinto(view[at : at + _PIECE])  # type: ignore[attr-defined]
        if not got:
            raise FormatError(op, expected, f"{at} of {count} bytes of numbers")
        at += got
    if source.read(1):  # reading to the end also verifies the checksums of decompressors
        raise FormatError(op, expected, f"more than {count} bytes of numbers")
    return out


def _check_expansion(op: str, expected: str, bytes_: int, compressed: int, max_bytes: int) -> None:
    """Raise if the promised size is more than the compressed data can expand to, or more than the caller allows."""
    if bytes_ > _DEFLATE_RATIO * compressed:
        raise FormatError(op, expected, f"{bytes_} bytes promised by {compressed} compressed bytes")
    if bytes_ > max_bytes:
        raise FormatError(op, f"at most {max_bytes} bytes when decompressed (max_bytes)", f"{bytes_}")


def read_idx(path: Path, *, max_bytes: int = _MAX_BYTES) -> "np.ndarray[Any, Any]":
    """Read an idx file (MNIST's format), plain or gzipped.

    Parameters
    ----------
    path : path
    max_bytes : int
        Maximum decompressed size of a gzipped file. Decompression stops at the size that the header promises.

    Raises
    ------
    FormatError
        If the file is missing, truncated or of another format.
    DTypeError
        If `path` is not a path.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> rbe.data.read_idx(path)
    array([7, 9], dtype=uint8)
    """
    name = path_of("read_idx", path)
    expected = f"an idx file at {name!r}"
    with open_regular("read_idx", name, "an idx file") as file, _contents("read_idx", expected):
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
        start = source.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES or start[3] > _MAX_AXES:
            raise FormatError("read_idx", expected, f"one that begins with {start!r}")
        ndim, dtype = start[3], np.dtype(_IDX_TYPES[start[2]])
        lengths = source.read(4 * ndim)
        if len(lengths) < 4 * ndim:
            raise FormatError("read_idx", expected, f"{len(lengths)} bytes of the lengths of {ndim} axes")
        shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, 4 * ndim, 4))
        wanted, size = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size
        if zipped:
            _check_expansion("read_idx", expected, wanted, size, max_bytes)
        elif size != 4 + 4 * ndim + wanted:
            raise FormatError("read_idx", f"{4 + 4 * ndim + wanted} bytes for shape {shape} in {name!r}", f"{size}")
        numbers = _read_exactly(source, wanted, "read_idx", expected)
        return numbers.view(dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)


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
    name = path_of("find_idx", folder)
    for sub in ("", "mnist"):
        for ending in ("", ".gz"):
            path = os.path.join(name, sub, path_of("find_idx", stem) + ending)
            if os.path.exists(path):
                return path
    raise FormatError("find_idx", f"{stem} or {stem}.gz in {name!r}", "neither file")


def read_numpy(path: Path, *, max_bytes: int = _MAX_BYTES) -> RBETensor | dict[str, RBETensor]:
    """Read a `.npy` file as a tensor, or an `.npz` archive as tensors by name.

    Elements keep their type, but that unsigned integers of more than 8 bits become int64. Pickled objects are refused.

    Parameters
    ----------
    path : path
    max_bytes : int
        Maximum decompressed size of all compressed arrays of an archive together. Decompression stops at the sizes that the
        archive promises.

    Raises
    ------
    FormatError
        If the file is missing, truncated or of another format, or has elements that do not convert to a tensor dtype.
    DTypeError
        If `path` is not a path.

    Examples
    --------
    >>> import rbe
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(3))
    >>> rbe.data.read_numpy(path)
    tensor([0, 1, 2])
    """
    name = path_of("read_numpy", path)
    expected = f"a NumPy file of numbers at {name!r}"
    with open_regular("read_numpy", name, "a NumPy file of numbers") as file, _contents("read_numpy", expected):
        size = os.fstat(file.fileno()).st_size
        start = file.read(4)
        file.seek(0)
        if start not in (b"PK\3\4", b"PK\5\6"):  # first bytes of a member, or of the end of an empty archive
            return _read_npy(file, size, expected)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [m.filename for m in members]
            if len(set(names)) < len(names) or not all(n.endswith(".npy") for n in names):
                raise FormatError("read_numpy", expected, f"an archive of {names}"[:200])
            if sum(m.compress_size for m in members) > size:
                raise FormatError("read_numpy", expected, "arrays that overlap")
            for m in members:
                if m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise FormatError("read_numpy", expected, f"{m.filename!r} compressed by method {m.compress_type}")
                if m.compress_type == zipfile.ZIP_STORED and m.file_size != m.compress_size:
                    raise FormatError("read_numpy", expected, f"{m.filename!r} of two sizes")
            packed = [m for m in members if m.compress_type == zipfile.ZIP_DEFLATED]
            expanded, compressed = sum(m.file_size for m in packed), sum(m.compress_size for m in packed)
            _check_expansion("read_numpy", expected, expanded, compressed, max_bytes)
            out = {}
            for m in members:
                with archive.open(m) as source:
                    out[m.filename.removesuffix(".npy")] = _read_npy(cast(BinaryIO, source), m.file_size, expected)
            return out


def _read_npy(source: BinaryIO, size: int, expected: str) -> RBETensor:
    """Read an array of `size` bytes including its header; the header must promise exactly the bytes that follow."""
    version = np.lib.format.read_magic(source)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read_header is None:
        raise FormatError("read_numpy", expected, f"version {version} of the format")
    shape, by_columns, dtype = read_header(source)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise FormatError("read_numpy", expected, f"elements of type {dtype}")
    wanted = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or len(shape) > _MAX_AXES or wanted != size - source.tell():
        raise FormatError("read_numpy", expected, f"{size - source.tell()} bytes of {dtype} for shape {shape}"[:200])
    numbers = _read_exactly(source, wanted, "read_numpy", expected)
    if dtype.kind == "b" and numbers.max(initial=0) > 1:
        raise FormatError("read_numpy", expected, f"bools of {numbers.max()}")
    return creation.as_tensor(numbers.view(dtype).reshape(shape, order="F" if by_columns else "C"))


def read_csv(path: Path, *, delimiter: str = ",", header: bool | None = None) -> tuple[RBETensor, list[str]]:
    """Read a table of numbers.

    Parameters
    ----------
    path : path
        UTF-8 text, one row in each line; empty lines are skipped.
    delimiter : str
        Separates columns.
    header : bool, optional
        Whether the first row holds names; by default it does if a field is not a number.

    Returns
    -------
    tensor (rows, columns), list of str
        float32 values (float64 if that is the default dtype), and the names of the columns ("" without a header).

    Raises
    ------
    FormatError
        If the file is missing or empty, rows have different lengths, or a field is not a number or too large for the dtype.
    DTypeError, TensorError
        If `path` is not a path, or the delimiter is not one character.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = path.write_text("1,2")
    >>> rbe.data.read_csv(path, header=False)[0]
    tensor([[1., 2.]])
    """
    name = path_of("read_csv", path)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise TensorError("read_csv", "a delimiter of one character", repr(delimiter))
    expected = f"a table of numbers at {name!r}"
    names: list[str] | None = None
    values, count = array.array("d"), 0
    with (
        open_regular("read_csv", name, "a table of numbers") as file,
        _contents("read_csv", expected),
        io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text,
    ):
        for row in csv.reader(text, delimiter=delimiter, strict=True):
            if not row:
                continue
            if names is None:
                if header or (header is None and not all(_is_number(field) for field in row)):
                    names = [field.strip() for field in row]
                    continue
                names = [""] * len(row)
            count += 1
            if len(row) != len(names):
                raise FormatError("read_csv", expected, f"{len(row)} fields instead of {len(names)} in row {count}")
            bad = [field for field in row if not _is_number(field)]
            if bad:
                raise FormatError("read_csv", expected, f"{bad[0][:40]!r} in row {count}")
            values.extend(map(float, row))
    if names is None:
        raise FormatError("read_csv", expected, "an empty file")
    wide = np.frombuffer(values, np.float64) if values else np.empty(0)
    with np.errstate(over="ignore"):
        table = wide.astype(_default_dtype.get_default_dtype().numpy).reshape(count, len(names))
    if (np.isinf(table.ravel()) & np.isfinite(wide)).any():
        raise FormatError("read_csv", expected, f"numbers beyond {table.dtype}")
    return _interchange.from_numpy(table), names


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field  # Python allows underscores between digits


class Text:
    """A text as numbers of its characters.

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
        name = path_of("Text", path)
        with (
            open_regular("Text", name, "a UTF-8 text") as file,
            _contents("Text", f"a UTF-8 text at {name!r}"),
            io.TextIOWrapper(file, encoding="utf-8") as source,
        ):
            text = source.read()
        if not text:
            raise FormatError("Text", f"a text at {name!r}", "an empty file")
        self.characters = "".join(sorted(set(text)))
        self.codes = self.encode(text)

    def encode(self, text: str) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return the codes of characters.

        Raises
        ------
        OutOfRangeError
            For a character that does not occur in this text.
        """
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
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
            For a code outside the range of the characters.
        """
        n = len(self.characters)
        for c in codes:
            if not 0 <= c < n:
                raise OutOfRangeError("decode", f"codes from 0 to {n - 1}", str(c))
        return "".join(self.characters[c] for c in codes)
