"""What all pictures share: axes to draw on, and a file to write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..optional import require

Path = str | os.PathLike[str]


@contextmanager
def drawing(op: str, ax: Any, path: Path | None, count: int = 1) -> Iterator[Any]:
    """Yield the axes given, or new ones (an array of `count` if more than one); write the picture at the end if asked.

    Figures are made without pyplot: nothing is shown, and nothing stays behind.

    Raises
    ------
    DependencyError
        Without matplotlib.
    """
    figures = require(op, "matplotlib.figure")
    if ax is None:
        columns = min(count, 3)
        rows = -(-count // columns)
        figure = figures.Figure(figsize=(5.5 * columns, 4.2 * rows), layout="constrained")
        ax = figure.subplots(rows, columns, squeeze=False).ravel() if count > 1 else figure.subplots()
    yield ax
    if path is not None:
        first = ax if hasattr(ax, "get_figure") else ax[0]
        first.get_figure().savefig(path, dpi=120)
