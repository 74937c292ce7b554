"""Histograms of weights."""

from typing import Any

import numpy as np

from .._arguments import whole
from ..nn.module import Module
from ._axes import Path, drawing, finite, parameters_of

__all__ = ["plot_weights"]


def plot_weights(model: Module, *, bins: int = 60, path: Path | None = None) -> Any:
    """Plot a histogram of every parameter with two or more axes; packed parameters are decoded.

    Weights that are not finite are left out; the title gives their number.

    Parameters
    ----------
    model : Module
    bins : int
    path : path, optional
        File to write.

    Returns
    -------
    list of matplotlib Axes

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    DTypeError, TensorError
        If `model` is not a Module, or `bins` is below 1.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> axes = rbe.visualization.plot_weights(rbe.nn.Sequential(rbe.RBELinear(64, 8), rbe.nn.Linear(8, 2)))
    >>> [ax.get_title() for ax in axes]
    ['0.weight (packed, 128 bytes)', '1.weight (dense, 64 bytes)']
    """
    bins = whole("plot_weights", "bins", bins, 1)
    found = [(name, p) for name, p in parameters_of("plot_weights", model) if p.ndim >= 2]
    with drawing("plot_weights", None, path, max(len(found), 2)) as axes:
        for ax, (name, p) in zip(axes, found, strict=False):
            values, left_out = finite((p.to_dense() if p.is_packed else p).detach().numpy().ravel())
            ax.hist(values, bins, range=_span(values, bins))
            more = f", {left_out:,} not finite" if left_out else ""
            ax.set_title(f"{name} ({'packed' if p.is_packed else 'dense'}, {p.nbytes:,} bytes{more})")
        for ax in axes[len(found) :]:
            ax.set_axis_off()
    return list(axes[: len(found)])


def _span(values: "np.ndarray[Any, np.dtype[np.float64]]", bins: int) -> tuple[float, float]:
    """Return the range of a histogram: that of the values, widened if they are too close to be distinguished."""
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low > 8 * bins * np.spacing(size):
        return low, high
    pad = max(size * 1e-3, 0.5 if size < 1 else 0.0)
    return low - pad, high + pad
