"""The level parameters of packed blocks."""

from typing import Any

from .._compat import require
from ..nn.module import Module
from ._axes import Path, drawing, parameters_of

__all__ = ["plot_disk"]


def plot_disk(model: Module, *, path: Path | None = None, ax: Any = None) -> Any:
    """Draw the level parameters of all blocks of a model's packed parameters as points of the Poincaré disk.

    On the diagonal z0 = -z1 the two levels have equal magnitude and opposite signs, on the axes one level is 0.

    Parameters
    ----------
    model : Module
    path : path, optional
        File to write.
    ax : matplotlib Axes, optional
        Axes to draw on.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    DTypeError
        If `model` is not a Module.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> ax = rbe.visualization.plot_disk(rbe.RBELinear(128, 8))
    >>> len(ax.collections[0].get_offsets())     # 8 rows of 2 blocks
    16
    """
    parameters = parameters_of("plot_disk", model)
    with drawing("plot_disk", ax, path) as ax:
        for name, p in parameters:
            if p.is_packed:
                z = p.lo.reshape(-1, 2)
                ax.scatter(z[:, 0], z[:, 1], s=2, alpha=0.4, label=name, rasterized=True)
        ax.add_patch(require("plot_disk", "matplotlib.patches").Circle((0, 0), 1, fill=False, color="0.5"))
        ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xlabel="z0", ylabel="z1")
        ax.set_title("blocks on the Poincaré disk")
        if ax.collections:
            ax.legend(markerscale=4, fontsize=8, loc="upper right")
    return ax
