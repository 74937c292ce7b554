"""The arguments of convolution and pooling as objects."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Conv2DAttrs", "Pool2DAttrs"]


@dataclass(frozen=True)
class Conv2DAttrs:
    """Stride, padding, dilation and groups of `conv2d`, in the place of its `stride` or as `attrs`.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> attrs = rbe.ops.Conv2DAttrs(stride=2, padding=1)
    >>> rbe.ops.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), None, attrs).shape
    (1, 1, 2, 2)
    """

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1


@dataclass(frozen=True)
class Pool2DAttrs:
    """Kernel size, stride, padding and mode of `pool2d`, in the place of its `kernel_size`.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.pool2d(np.ones((1, 1, 4, 4)), rbe.ops.Pool2DAttrs(2, mode="mean")).shape
    (1, 1, 2, 2)
    """

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    mode: str = "max"
