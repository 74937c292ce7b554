"""Curves of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .axes import Path, drawing

History = Sequence[Mapping[str, float]] | Mapping[str, Sequence[float]]


def plot_history(
    history: History, names: Sequence[str] | None = None, *, smooth: int = 1, path: Path | None = None, ax: Any = None
) -> Any:
    """Draw the course of losses and metrics.

    Parameters
    ----------
    history : list of dict, or dict of sequences
        `Trainer.history`, or a curve for every name.
    names : sequence of str, optional
        Curves to draw; default all but counters, rate and seconds.
    smooth : int
        Mean over so many points.
    path : path, optional
        File to write; its ending says the format.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    DependencyError
        Without matplotlib.

    Examples
    --------
    >>> import rbe
    >>> ax = rbe.visualization.plot_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])
    >>> ax.lines[0].get_ydata().tolist()
    [2.0, 1.0]
    """
    curves: dict[str, tuple[Any, Any]] = {}
    if isinstance(history, Mapping):
        curves = {name: (range(1, len(values) + 1), values) for name, values in history.items()}
    else:
        for name in dict.fromkeys(name for entry in history for name in entry):
            entries = [entry for entry in history if name in entry]
            curves[name] = ([e.get("epoch", i + 1) for i, e in enumerate(entries)], [e[name] for e in entries])
    left_out = ("epoch", "step", "lr", "seconds")
    chosen = [name for name in curves if name not in left_out] if names is None else list(names)
    with drawing("plot_history", ax, path) as ax:
        for name in chosen:
            x, y = (np.asarray(v, dtype=np.float64) for v in curves[name])
            width = max(min(smooth, len(y)), 1)
            ax.plot(x[width - 1 :], np.convolve(y, np.ones(width) / width, "valid") if len(y) else y, label=name)
        ax.set_xlabel("step" if isinstance(history, Mapping) else "epoch")
        if chosen:
            ax.legend()
    return ax
