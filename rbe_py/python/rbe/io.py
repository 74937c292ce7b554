"""Files: safetensors, readable by the safetensors package."""

import zlib
from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from . import _rbe, creation
from ._paths import Path, path_of
from .errors import DTypeError


def _checksum(arrays: Mapping[str, "np.ndarray[Any, Any]"], metadata: Mapping[str, str]) -> str:
    """Return the checksum of a file with these entries and texts, as its metadata holds it under `rbe.crc32`.

    The core computes it while it reads and writes; this is the same in NumPy, for tests and for tools that write such files.
    """
    crc = 0
    for name in sorted(arrays):
        array = arrays[name]
        crc = zlib.crc32(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
    for key in sorted(metadata):
        if key != "rbe.crc32":
            crc = zlib.crc32(f"{key}\0{metadata[key]}\0".encode(), crc)
    return f"{crc:08x}"


@overload
def save(path: Path, state_dict: Mapping[Any, Any], metadata: Mapping[str, str] | None = None) -> None: ...
@overload
def save(path: Mapping[Any, Any], state_dict: Path, metadata: Mapping[str, str] | None = None) -> None: ...
def save(path: Any, state_dict: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, or nested state such as that of a model and its optimiser, to a safetensors file.

    The file appears whole or not at all: it is written to a temporary file beside `path`, flushed and renamed, and the
    folder is flushed too. A file that is there keeps its permissions and, where that is allowed, its owner; a symbolic link
    stays, and what it names is replaced. Temporary files of processes that were killed are removed from the folder. Equal
    states give equal bytes. Other threads go on, but must not change the tensors meanwhile.

    A packed tensor `name` becomes `name.hi` (U64) and `name.lo` (F32) with `name.shape` and `name.scale` in the metadata.
    Tensors of nested state have dotted names; the nesting, with its numbers and strings, stands in the metadata as
    `rbe.tree`. Torch's order of arguments, `save(state_dict, path)`, means the same. design/files.md has the details.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    state_dict : mapping
        Names to tensors, as of `Module.state_dict()`; or to nested mappings, lists and tuples of tensors, numbers, strings,
        bytes, bools and None, as of `Optimizer.state_dict()`, with names or integers as keys. NumPy's scalars count as
        numbers. Mappings come back sorted by key.
    metadata : mapping of str to str, optional
        Text to keep with it. Names that begin with `rbe.` are the format's own.

    Raises
    ------
    DTypeError
        For an entry or key of another kind, text that is not Unicode, an integer of more digits than Python writes,
        metadata that is no text, or what is no path.
    FormatError
        If the file cannot be written, names collide or are the format's own, or a state is nested more than 256 deep (as one
        that contains itself is).
    GraphError
        If another thread changes a tensor in place meanwhile.

    In all cases a file that was there is untouched.

    Examples
    --------
    >>> import rbe, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.safetensors"
    >>> model = rbe.RBELinear(64, 8)
    >>> optimizer = rbe.optim.HybridOptimizer(model.parameters())
    >>> rbe.save(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3})
    >>> run = rbe.load(path)
    >>> model.load_state_dict(run["model"])
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> optimizer.load_state_dict(run["optimizer"])
    >>> run["epoch"]
    3
    """
    if isinstance(path, Mapping) and not isinstance(state_dict, Mapping):
        path, state_dict = state_dict, path
    if not isinstance(state_dict, Mapping):
        raise DTypeError("save", "a mapping of names to tensors", type(state_dict).__name__)
    target = path_of("save", path)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise DTypeError("save", "metadata as a mapping of text", type(metadata).__name__)
    notes = dict(metadata or {})
    for key, text in notes.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise DTypeError("save", "metadata of text", f"{type(key).__name__}: {type(text).__name__}")
        if not _is_unicode(key) or not _is_unicode(text):
            raise DTypeError("save", "metadata of Unicode text", f"half a surrogate pair in {key[:60]!r}")
    _rbe._save(target, state_dict, notes)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def load(path: Path, map_location: object = None, *, weights_only: bool = True) -> dict[Any, Any]:
    """Read a safetensors file: what `save` was given, or names and tensors; packed ones come back packed.

    Unsigned integers of more than 8 bits become int64; other elements keep their type. Files of earlier versions and of other
    programs load; a file that says it was written by this version must have its checksum. The file is read,
    not mapped: what others do to it meanwhile is at worst an error. Other threads go on.

    Parameters
    ----------
    path : path
        A regular file.
    map_location : device, optional
        Taken for torch's sake: the CPU.
    weights_only : bool
        Taken for torch's sake: a file never holds code.

    Raises
    ------
    FormatError
        For a file that is missing, truncated, altered or foreign, or no regular file. There is no partial result.
    DTypeError
        For what is no path.
    DeviceError
        For another device.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> rbe.save(path, {"a": rbe.ones(2)})
    >>> rbe.load(path)
    {'a': tensor([1., 1.])}
    """
    creation.check_device("load", map_location)
    return _rbe._load(path_of("load", path), False)[0]


def load_with_metadata(path: Path) -> tuple[dict[Any, Any], dict[str, str]]:
    """Read tensors as `load` and the metadata given to `save`.

    Examples
    --------
    >>> import rbe
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> rbe.save(path, {"a": rbe.ones(2)}, {"made": "today"})
    >>> rbe.io.load_with_metadata(path)[1]
    {'made': 'today'}
    """
    state, metadata = _rbe._load(path_of("load", path), True)
    return state, metadata or {}
