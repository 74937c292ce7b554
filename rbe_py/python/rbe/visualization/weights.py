"""Histograms of weights."""

from typing import Any

from ..nn.module import Module
from .axes import Path, drawing


def plot_weights(model: Module, *, bins: int = 60, path: Path | None = None) -> Any:
    """Draw a histogram of every parameter of two or more axes; packed ones are decoded.

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
        Without matplotlib.

    Examples
    --------
    >>> import rbe
    >>> axes = rbe.visualization.plot_weights(rbe.nn.Sequential(rbe.RBELinear(64, 8), rbe.nn.Linear(8, 2)))
    >>> [ax.get_title() for ax in axes]
    ['0.weight (packed, 128 bytes)', '1.weight (dense, 64 bytes)']
    """
    found = [(name, p) for name, p in model.named_parameters() if p.ndim >= 2]
    with drawing("plot_weights", None, path, max(len(found), 2)) as axes:
        for ax, (name, p) in zip(axes, found, strict=False):
            values = (p.to_dense() if p.is_packed else p).detach().numpy().ravel()
            ax.hist(values, bins)
            ax.set_title(f"{name} ({'packed' if p.is_packed else 'dense'}, {p.nbytes:,} bytes)")
        for ax in axes[len(found) :]:
            ax.set_axis_off()
    return list(axes[: len(found)])
