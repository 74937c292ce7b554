"""Curves of a training run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments import describe, whole
from ..errors import DTypeError, TensorError
from ._axes import LARGEST, Path, drawing

__all__ = ["plot_history", "plot_training_history"]

History = Sequence[Mapping[str, float]] | Mapping[str, Sequence[float]]


def plot_history(
    history: History, names: Sequence[str] | None = None, *, smooth: int = 1, path: Path | None = None, ax: Any = None
) -> Any:
    """Plot losses and metrics over time; values that are not finite appear as gaps.

    Parameters
    ----------
    history : list of dict, or dict of sequences
        `Trainer.history`, or one curve for every name.
    names : sequence of str, optional
        Curves to draw; default: all numeric ones except counters, rate and seconds.
    smooth : int
        Number of points to average over.
    path : path, optional
        File to write; its suffix determines the format.
    ax : matplotlib Axes, optional
        Axes to draw on.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    DTypeError, TensorError
        If the history has another type, lacks a name, or has values that are not numbers.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> ax = rbe.visualization.plot_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])
    >>> ax.lines[0].get_ydata().tolist()
    [2.0, 1.0]
    """
    smooth = whole("plot_history", "smooth", smooth, 1)
    curves = _curves(history)
    left_out = ("epoch", "step", "lr", "seconds")
    if names is None:
        chosen = [name for name, (_, y) in curves.items() if name not in left_out and y is not None]
    else:
        chosen = list(names)
        for name in chosen:
            if name not in curves:
                raise TensorError("plot_history", f"names of {', '.join(map(str, curves))}", describe(name))
            if curves[name][1] is None:
                raise DTypeError("plot_history", f"numbers as {name}", describe(_values(history, name)))
    with drawing("plot_history", ax, path) as ax:
        for name in chosen:
            x, y = (np.asarray(v, dtype=np.float64) for v in curves[name])
            width = min(smooth, max(len(y), 1))
            ax.plot(x[width - 1 :], np.convolve(y, np.ones(width) / width, "valid") if len(y) else y, label=name)
        ax.set_xlabel("step" if isinstance(history, Mapping) else "epoch")
        if chosen:
            ax.legend()
    return ax


def plot_training_history(
    losses: Sequence[float], accuracies: Sequence[float] | None = None, *, path: Path | None = None, ax: Any = None
) -> Any:
    """Plot the losses of a run and, if there are any, its accuracies: `plot_history` of two lists.

    Parameters
    ----------
    losses, accuracies : sequence of float
    path, ax
        As for `plot_history`.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import rbe
    >>> ax = rbe.visualization.plot_training_history([2.0, 1.0], [0.5, 0.75])
    >>> [line.get_label() for line in ax.lines]
    ['loss', 'accuracy']
    """
    curves = {"loss": losses} if accuracies is None else {"loss": losses, "accuracy": accuracies}
    return plot_history(curves, path=path, ax=ax)


def _values(history: Any, name: Any) -> Any:
    return history[name] if isinstance(history, Mapping) else [entry[name] for entry in history if name in entry]


def _curves(history: Any) -> dict[str, tuple[Any, Any]]:
    """Return positions and values of each curve; the values are None if they are not all numbers."""
    if isinstance(history, Mapping):
        listed = {name: _numbers(values) for name, values in history.items()}
        return {name: (np.arange(1, len(y) + 1) if y is not None else None, y) for name, y in listed.items()}
    if not isinstance(history, Sequence) or not all(isinstance(entry, Mapping) for entry in history):
        raise DTypeError("plot_history", "a list of mappings, or a mapping of curves", describe(history))
    curves = {}
    for name in dict.fromkeys(name for entry in history for name in entry):
        entries = [entry for entry in history if name in entry]
        places = _numbers([e.get("epoch", i + 1) for i, e in enumerate(entries)])
        if places is None:
            raise DTypeError("plot_history", "numbers as epoch", describe([e.get("epoch") for e in entries]))
        curves[name] = places, _numbers([e[name] for e in entries])
    return curves


def _numbers(values: Any) -> Any:
    """Return values as float64, NaN for values that cannot be drawn; None if they are not a sequence of numbers."""
    if isinstance(values, str):
        return None
    try:
        found = np.asarray([math.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return np.where(np.abs(found) <= LARGEST, found, math.nan) if found.ndim == 1 else None
