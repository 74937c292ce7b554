"""Fuzz the readers of data files, which return numbers or raise a typed error: readers.py idx|numpy|csv [libFuzzer options]."""

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["csv", "gzip", "numpy.lib", "rbe", "zipfile"]):
    import rbe
    from rbe.data import readers

MOST = 1 << 20  # limit of the decompressed bytes


def read_idx(path: Path) -> None:
    """Read a file of MNIST's format, plain or gzipped."""
    readers.read_idx(path, max_bytes=MOST)


def read_numpy(path: Path) -> None:
    """Read an array or an archive of arrays, and compare with NumPy's own reader."""
    found = readers.read_numpy(path, max_bytes=MOST)
    with path.open("rb") as file:
        told = np.load(file)
        arrays = {"": told} if isinstance(told, np.ndarray) else {name: told[name] for name in told.files}
    tensors = {"": found} if isinstance(found, rbe.RBETensor) else found
    assert tensors.keys() == arrays.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor.numpy(), arrays[name])


def read_csv(path: Path) -> None:
    """Read a table: its columns have names."""
    table, names = readers.read_csv(path)
    assert table.shape[1] == len(names)


def main() -> None:
    """Run the target named by the first argument."""
    kind = sys.argv.pop(1)
    read = {"idx": read_idx, "numpy": read_numpy, "csv": read_csv}[kind]
    path = Path(tempfile.mkdtemp(prefix="rbe-fuzz-")) / "data"

    def target(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(rbe.RBEError):
            read(path)

    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
