"""Axes and files of the plots."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._arguments import describe
from .._compat import require
from .._tensor import RBETensor
from ..errors import DTypeError, FormatError
from ..nn.module import Module

LARGEST = 1e300  # the width of an axis is at most twice that, and does not overflow

Path = str | os.PathLike[str]


@contextmanager
def drawing(op: str, ax: Any, path: Path | None, count: int = 1) -> Iterator[Any]:
    """Yield the given axes, or new ones (an array of `count` if more than one); then write the picture if `path` is given.

    Figures are made without pyplot, so that none is shown or kept in memory.

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    FormatError
        If the picture cannot be written.
    """
    if ax is not None and not hasattr(ax, "get_figure"):
        raise DTypeError(op, "matplotlib Axes as ax", describe(ax))
    if path is not None and not isinstance(path, str | os.PathLike):
        raise DTypeError(op, "a path to write to", describe(path))
    figures = require(op, "matplotlib.figure")
    if ax is None:
        columns = min(count, 3)
        rows = -(-count // columns)
        figure = figures.Figure(figsize=(5.5 * columns, 4.2 * rows), layout="constrained")
        ax = figure.subplots(rows, columns, squeeze=False).ravel() if count > 1 else figure.subplots()
    yield ax
    if path is not None:
        first = ax if hasattr(ax, "get_figure") else ax[0]
        try:
            first.get_figure().savefig(path, dpi=120)
        except (OSError, ValueError) as e:  # ValueError: the suffix is not a known format
            raise FormatError(op, f"a picture that can be written at {os.fspath(path)!r}", str(e)) from e


def parameters_of(op: str, model: Any) -> list[tuple[str, RBETensor]]:
    """Return the parameters of a model with their names.

    Raises
    ------
    DTypeError
        If `model` is not a Module.
    """
    if not isinstance(model, Module):
        raise DTypeError(op, "a Module", describe(model))
    return list(model.named_parameters())


def finite(values: Any) -> "tuple[np.ndarray[Any, np.dtype[np.float64]], int]":
    """Return the numbers that an axis can show, and how many it cannot: NaN, infinities and numbers close to overflow."""
    wide = np.asarray(values, dtype=np.float64)
    shown = np.abs(wide) <= LARGEST
    return wide[shown], int(wide.size - shown.sum())
