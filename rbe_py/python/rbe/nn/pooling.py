"""Pooling layers, with torch's names and signatures."""

from collections.abc import Sequence
from typing import Any

from .._tensor import RBETensor
from .functional.adaptive_max import adaptive_max_pool
from .functional.conv import Sizes
from .functional.pooling import adaptive_avg_pool, avg_pool, max_pool
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
]


class _MaxPool(Module):
    """Keep the largest element of every window.

    Parameters
    ----------
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        Default the kernel size.
    padding : int or sequence of int
        Places of -inf before and after each axis, at most half a window.
    dilation : int or sequence of int
    return_indices : bool
        Return also the position of each element in its plane, int64.
    ceil_mode : bool
        Count a last window that reaches beyond the padding.
    """

    axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: RBETensor) -> Any:
        """Return the largest elements of x (…, C, spatial axes), with their positions if asked for."""
        return max_pool(
            self.axes,
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        """Return the window."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Largest elements of windows of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MaxPool1d(2)(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]])).tolist()
    [[[3.0, 7.0]]]
    """

    __doc__ = f"{__doc__}\n{_MaxPool.__doc__}"
    axes = 1


class MaxPool2d(_MaxPool):
    """Largest elements of windows of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MaxPool2d(2)(rbe.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    __doc__ = f"{__doc__}\n{_MaxPool.__doc__}"
    axes = 2


class _AvgPool(Module):
    """Keep the mean of every window.

    Parameters
    ----------
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        Default the kernel size.
    padding : int or sequence of int
        Zeros before and after each axis, at most half a window.
    ceil_mode : bool
        Count a last window that reaches beyond the padding.
    count_include_pad : bool
        Whether the zeros of the padding count.
    """

    axes: int
    divisor_override: int | None = None

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the means of x (…, C, spatial axes)."""
        return avg_pool(
            self.axes,
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            divisor_override=self.divisor_override,
        )

    def extra_repr(self) -> str:
        """Return the window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """Means of windows of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AvgPool1d(2)(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]])).tolist()
    [[[2.0, 6.0]]]
    """

    __doc__ = f"{__doc__}\n{_AvgPool.__doc__}"
    axes = 1


class AvgPool2d(_AvgPool):
    """Means of windows of (N, C, H, W) or (C, H, W); `divisor_override` divides every sum.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AvgPool2d(2)(rbe.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    __doc__ = f"{__doc__}\n{_AvgPool.__doc__}"
    axes = 2

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override


class _AdaptiveAvgPool(Module):
    """Keep the means of even parts of each spatial axis.

    Parameters
    ----------
    output_size : int or sequence of int or None
        Number of parts; None leaves an axis as it is.
    """

    axes: int

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the means of x (…, C, spatial axes)."""
        return adaptive_avg_pool(self.axes, input, self.output_size)

    def extra_repr(self) -> str:
        """Return the number of parts."""
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    """Keep the largest elements of even parts of each spatial axis.

    Parameters
    ----------
    output_size : int or sequence of int or None
        Number of parts; None leaves an axis as it is.
    return_indices : bool
        Whether to return the positions of the elements in their plane, too.
    """

    axes: int

    def __init__(self, output_size: int | Sequence[int | None] | None, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: RBETensor) -> Any:
        """Return the largest elements of parts of x (…, C, spatial axes)."""
        return adaptive_max_pool(self.axes, input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """Return the number of parts."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Largest elements of parts of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AdaptiveMaxPool1d(2)(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]])).tolist()
    [[[3.0, 7.0]]]
    """

    __doc__ = f"{__doc__}\n{_AdaptiveMaxPool.__doc__}"
    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest elements of parts of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AdaptiveMaxPool2d(2)(rbe.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    __doc__ = f"{__doc__}\n{_AdaptiveMaxPool.__doc__}"
    axes = 2


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of parts of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AdaptiveAvgPool1d(2)(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]])).tolist()
    [[[2.0, 6.0]]]
    """

    __doc__ = f"{__doc__}\n{_AdaptiveAvgPool.__doc__}"
    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of parts of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.AdaptiveAvgPool2d(2)(rbe.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    __doc__ = f"{__doc__}\n{_AdaptiveAvgPool.__doc__}"
    axes = 2
