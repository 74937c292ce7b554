"""The picture of one tensor."""

from typing import Any

import numpy as np

from .._arguments import describe
from ..errors import DTypeError
from ..testing.compare import as_array
from ._axes import LARGEST, Path, drawing

__all__ = ["visualize_tensor"]


def visualize_tensor(tensor: Any, title: str | None = None, *, path: Path | None = None, ax: Any = None) -> Any:
    """Plot a tensor: a curve of a vector, colours of a matrix; of more axes the rows of all matrices one below another.

    Numbers that are not finite are left out. Packed tensors are decoded.

    Parameters
    ----------
    tensor : tensor or array
    title : str, optional
        Default: shape and dtype.
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
    DTypeError
        For what is neither a tensor nor an array of numbers.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> ax = rbe.visualization.visualize_tensor(rbe.eye(3), title="identity")
    >>> ax.get_title(), ax.images[0].get_array().shape
    ('identity', (3, 3))
    """
    values = as_array(tensor)
    kind = "packed" if getattr(tensor, "is_packed", False) else values.dtype.name
    if values.dtype.kind not in "fiub":
        raise DTypeError("visualize_tensor", "a tensor or an array of numbers", describe(tensor))
    wide = values.astype(np.float64)
    shown = np.where(np.abs(wide) <= LARGEST, wide, np.nan)
    with drawing("visualize_tensor", ax, path) as ax:
        if shown.ndim == 1:
            ax.plot(np.arange(len(shown)), shown)
        else:
            rows = shown.reshape(-1, shown.shape[-1]) if shown.ndim and shown.size else shown.reshape(1, -1)
            image = ax.imshow(rows, aspect="auto", interpolation="nearest")
            ax.get_figure().colorbar(image, ax=ax)
        ax.set_title(f"{kind} {values.shape}" if title is None else title)
    return ax
