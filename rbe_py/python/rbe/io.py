"""Files: safetensors, readable by the safetensors package."""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from . import creation, packing
from ._rbe import RBETensor
from .errors import DTypeError, FormatError, RBEError
from .tree import flatten, unflatten

_CHECKSUM = "rbe.crc32"
_NESTING = "rbe.tree"


def _checksum(arrays: Mapping[str, "np.ndarray[Any, Any]"], metadata: Mapping[str, str]) -> str:
    """CRC-32 of all entries and metadata in the order of their names."""
    crc = 0
    for name in sorted(arrays):
        array = arrays[name]
        crc = zlib.crc32(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
    for key in sorted(metadata):
        if key != _CHECKSUM:
            crc = zlib.crc32(f"{key}\0{metadata[key]}\0".encode(), crc)
    return f"{crc:08x}"


Path = str | os.PathLike[str]


@overload
def save(path: Path, state_dict: Mapping[Any, Any], metadata: Mapping[str, str] | None = None) -> None: ...
@overload
def save(path: Mapping[Any, Any], state_dict: Path, metadata: Mapping[str, str] | None = None) -> None: ...
def save(path: Any, state_dict: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, or nested state such as that of a model and its optimiser, to a safetensors file.

    The file appears whole or not at all: it is written to a temporary file beside `path`, flushed and renamed. A packed
    tensor `name` becomes `name.hi` (U64) and `name.lo` (F32) with `name.shape` and `name.scale` in the metadata. Tensors
    of nested state have dotted names; the nesting, with its numbers and strings, stands in the metadata as `rbe.tree`.
    Torch's order of arguments, `save(state_dict, path)`, means the same.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    state_dict : mapping
        Names to tensors, as of `Module.state_dict()`; or to nested mappings, lists and tuples of tensors, numbers, strings,
        bools and None, as of `Optimizer.state_dict()`.
    metadata : mapping of str to str, optional
        Text to keep with it.

    Raises
    ------
    DTypeError
        For an entry of another kind, or metadata that is no text.
    FormatError
        If the file cannot be written, or names collide.

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
    if isinstance(path, Mapping):
        path, state_dict = state_dict, path
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    notes: dict[str, str] = dict(metadata or {})
    for key, text in notes.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise DTypeError("save", "metadata of text", f"{key!r}: {text!r}")
    tensors, nesting = flatten(state_dict)
    if nesting is not None:
        notes[_NESTING] = nesting
    for name, t in tensors.items():
        entries: dict[str, np.ndarray[Any, Any]] = (
            {f"{name}.hi": t.hi, f"{name}.lo": t.lo} if t.is_packed else {name: np.array(t.detach()._memory(), order="C")}
        )
        if t.is_packed:
            notes[f"{name}.shape"] = json.dumps(list(t.shape))
            notes[f"{name}.scale"] = float(np.float32(t.scale)).hex()
        for entry, array in entries.items():
            if entry in arrays:
                raise FormatError("save", "entries of different names", f"{entry!r} twice")
            arrays[entry] = array
    notes[_CHECKSUM] = _checksum(arrays, notes)
    data = safetensors.numpy.save(arrays, metadata=notes)
    target = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(target))
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".rbe-", delete=False) as file:
            temporary = file.name
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as e:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise FormatError("save", f"a file that can be written at {target!r}", str(e)) from e


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path: Path, map_location: object = None, *, weights_only: bool = True) -> dict[Any, Any]:
    """Read a safetensors file: what `save` was given, or names and tensors; packed ones come back packed.

    Parameters
    ----------
    path : path
    map_location : device, optional
        Taken for torch's sake: the CPU.
    weights_only : bool
        Taken for torch's sake: a file never holds code.

    Raises
    ------
    FormatError
        For a file that is missing, truncated, altered or foreign. There is no partial result.
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
    return load_with_metadata(path)[0]


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
    target = os.fspath(path)
    try:
        with safe_open(target, framework="numpy") as file:
            notes = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as e:
        raise FormatError("load", f"a safetensors file at {target!r}", str(e)) from e
    found = notes.pop(_CHECKSUM, None)
    if found is not None and found != _checksum(arrays, notes):
        raise FormatError("load", f"contents that match the checksum {found}", "altered ones")
    nesting = notes.pop(_NESTING, None)
    tensors = _tensors(arrays, notes)
    return (tensors if nesting is None else unflatten(tensors, nesting)), notes


def _tensors(arrays: dict[str, "np.ndarray[Any, Any]"], notes: dict[str, str]) -> dict[str, RBETensor]:
    out: dict[str, RBETensor] = {}
    for name in sorted(arrays):
        base, _, part = name.rpartition(".")
        packed = part in ("hi", "lo") and f"{base}.shape" in notes and f"{base}.scale" in notes
        try:
            if packed:
                if base not in out:
                    shape, scale = json.loads(notes.pop(f"{base}.shape")), float.fromhex(notes.pop(f"{base}.scale"))
                    out[base] = packing.packed(arrays[f"{base}.hi"], arrays[f"{base}.lo"], shape, scale)
            elif not (part in ("hi", "lo") and base in out and out[base].is_packed):
                out[name] = creation.tensor(arrays[name])
        except (RBEError, KeyError, ValueError, TypeError) as e:
            raise FormatError("load", f"valid blocks or elements of {name!r}", str(e)) from e
    return out
