"""The points of packed blocks."""

from typing import Any

from .._compat import require
from ..nn.module import Module
from ._axes import Path, drawing, parameters_of

__all__ = ["plot_disk"]


def plot_disk(model: Module, *, path: Path | None = None, ax: Any = None) -> Any:
    """Draw the points of all blocks of a model's packed parameters on the Poincaré disk.

    The diagonal z0 = -z1 holds blocks with levels of one size and two signs, the axes those with a level 0.

    Parameters
    ----------
    model : Module
    path : path, optional
        File to write.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    DependencyError
        Without matplotlib.
    DTypeError
        For anything but a Module.
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
