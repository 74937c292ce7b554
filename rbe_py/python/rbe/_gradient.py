"""The gradient of packed tensors."""

from typing import Any

import numpy as np

from . import _rbe


@_rbe._class_of_results
class RBEGradient(_rbe.GradientBase):
    """Gradient of a packed tensor, held as factors until it is read.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.RBELinear(64, 8)
    >>> layer(rbe.ones(2, 64)).sum().backward()
    >>> gradient = layer.weight.grad
    >>> gradient.hi.shape, gradient.lo.shape, gradient.interaction.shape
    ((8, 1, 64), (8, 1, 2), (8, 1, 64, 2))
    """

    __slots__ = ()
    __module__ = "rbe"

    @property
    def hi(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Change of the loss by each flip of a bit: float32 (rows, blocks, 64)."""
        return self._hi().numpy()

    @property
    def lo(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Gradient of the points: float32 (rows, blocks, 2)."""
        return self._lo().numpy()

    @property
    def levels(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Gradient of the two levels of every block, float32 (rows, blocks, 2).

        These are the sums of the weights' gradient over the bits that are 0 and 1. `lo` is this, pulled back to the points.

        Raises
        ------
        GraphError
            If the tensor was changed since, or is an activation.
        """
        return self._levels().numpy()

    @property
    def interaction(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Change of the points' gradient by each flip of a bit: float32 (rows, blocks, 64, 2)."""
        return self._interaction().numpy()

    hi_gradients = hi
    lo_gradients = lo
    interactions = interaction
