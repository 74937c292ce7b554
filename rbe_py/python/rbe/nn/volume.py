"""Layers along three spatial axes, with torch's names and signatures."""

from typing import Any

from .._tensor import RBETensor
from .conv import _Conv
from .functional import volume
from .pooling import AvgPool2d, _AdaptiveAvgPool, _AvgPool, _MaxPool

__all__ = ["AdaptiveAvgPool3d", "AvgPool3d", "Conv3d", "MaxPool3d"]


class Conv3d(_Conv):
    """Convolution of (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Conv3d(3, 8, 3, stride=2)(rbe.zeros(2, 3, 9, 9, 9)).shape
    (2, 8, 4, 4, 4)
    """

    __doc__ = f"{__doc__}\n{_Conv.__doc__}"
    axes = 3


class MaxPool3d(_MaxPool):
    """Largest elements of windows of (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MaxPool3d(2)(rbe.arange(8.0).reshape(1, 1, 2, 2, 2)).tolist()
    [[[[[7.0]]]]]
    """

    __doc__ = f"{__doc__}\n{_MaxPool.__doc__}"
    axes = 3

    def forward(self, input: RBETensor) -> Any:
        """Return the largest elements of x (…, C, spatial axes), with their positions if asked for."""
        window = (self.kernel_size, self.stride, self.padding, self.dilation)
        return volume.max_pool3d(input, *window, self.ceil_mode, self.return_indices)


class AvgPool3d(AvgPool2d):
    """Means of windows of (N, C, D, H, W) or (C, D, H, W); `divisor_override` divides every sum.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AvgPool3d(2)(rbe.arange(8.0).reshape(1, 1, 2, 2, 2)).tolist()
    [[[[[3.5]]]]]
    """

    __doc__ = f"{__doc__}\n{_AvgPool.__doc__}"
    axes = 3

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the means of x (…, C, spatial axes)."""
        window = (self.kernel_size, self.stride, self.padding)
        return volume.avg_pool3d(input, *window, self.ceil_mode, self.count_include_pad, self.divisor_override)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means of parts of (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AdaptiveAvgPool3d(1)(rbe.arange(8.0).reshape(1, 1, 2, 2, 2)).tolist()
    [[[[[3.5]]]]]
    """

    __doc__ = f"{__doc__}\n{_AdaptiveAvgPool.__doc__}"
    axes = 3

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the means of x (…, C, spatial axes)."""
        return volume.adaptive_avg_pool3d(input, self.output_size)
