"""Matrices in parts of some rows, so that a step's intermediate results stay in the cache and memory is bounded."""

from collections.abc import Iterator

from ..backend import Backend

ELEMENTS = {"cpu": 1 << 17, "device": 1 << 24}  # of a part: a level-2 cache; enough to fill a GPU


def parts(backend: Backend, rows: int, width: int) -> Iterator[slice]:
    """Yield slices of rows; `width` is the number of elements that a step holds for each."""
    count = max(1, ELEMENTS["device" if backend.name.startswith("cuda") else "cpu"] // max(width, 1))
    for start in range(0, rows, count):
        yield slice(start, min(rows, start + count))
