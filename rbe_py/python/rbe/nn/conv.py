"""Convolutions with dense filters and with filters that live in 128-bit blocks, with torch's names and signatures."""

import math
from typing import Any

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import functional as F
from . import parameter
from .functional.conv import Sizes, batched, edges, spread
from .linear import fan_in_uniform_, fresh_bias
from .module import Module, Unbuilt
from .packed import Packed
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "LazyConv1d", "LazyConv2d", "RBEConv1d", "RBEConv2d"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """Correlate the spatial axes of x with filters, one for each output channel.

    Parameters
    ----------
    in_channels : int or None
        A multiple of `groups`; None leaves it to the first input: call the model on one before making an optimiser.
    out_channels : int
        A multiple of `groups`.
    kernel_size, stride, dilation : int or sequence of int
    padding : int, sequence of int, 'same' or 'valid'
        Elements before and after each axis.
    groups : int
        Group g of the outputs sees group g of the channels only.
    bias : bool
        Whether there is a bias.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
        How x is padded: with zeros, or as `functional.pad` does in that mode.
    dtype : dtype, optional
        Of dense parameters.

    Attributes
    ----------
    weight : Parameter (out_channels, in_channels / groups, *kernel_size)
        Initially of spread 1 / sqrt(fan_in) with fan_in = in_channels / groups · kernel: uniform if dense, random bits with
        these levels if packed.
    bias : Parameter (out_channels) or None
        Uniform in ±1 / sqrt(fan_in) at first.

    Raises
    ------
    ShapeError
        For channels below 1 or that `groups` does not divide, or sizes for another number of axes.
    TensorError
        For a kernel, stride, padding or dilation outside its domain, or another padding_mode.
    """

    _weight_of = staticmethod(parameter.dense)
    axes: int
    in_channels: int
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        op, axes = type(self).__name__, self.axes
        creation.check_device(op, device)
        if padding_mode not in PADDING_MODES:
            raise TensorError(op, "padding_mode " + ", ".join(map(repr, PADDING_MODES)), repr(padding_mode))
        if min(out_channels, groups) < 1 or out_channels % groups:
            raise ShapeError(op, f"a multiple of {groups} groups, both at least 1", f"out_channels {out_channels}")
        self.out_channels, self.groups, self.padding_mode, self._with_bias = out_channels, groups, padding_mode, bias
        self.kernel_size = tuple(spread(op, "kernel_size", kernel_size, axes))
        self.stride, self.dilation = tuple(spread(op, "stride", stride, axes)), tuple(spread(op, "dilation", dilation, axes))
        edges(op, padding, self.kernel_size, self.stride, self.dilation)
        self.padding = padding if isinstance(padding, str) else tuple(spread(op, "padding", padding, axes, 0))
        if in_channels is None:
            self._defer(Unbuilt("in_channels", -axes - 1, groups, dtype=dtype))
        else:
            self._build(in_channels, dtype)

    def _build(self, size: int, dtype: DTypeLike) -> None:
        if size < 1 or size % self.groups:
            raise ShapeError(type(self).__name__, f"a multiple of {self.groups} groups, at least 1", f"in_channels {size}")
        self.in_channels = size
        shape = (self.out_channels, size // self.groups, *self.kernel_size)
        self.weight = self._weight_of(shape, fan_in_uniform_, dtype)
        self.register_parameter("bias", fresh_bias(math.prod(shape[1:]), shape[0], dtype) if self._with_bias else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (…, in_channels, spatial axes) to (…, out_channels, windows along each)."""
        padding: Sizes | str = self.padding
        if self.padding_mode != "zeros":
            batched(type(self).__name__, input, self.axes)
            around = edges(type(self).__name__, padding, self.kernel_size, self.stride, self.dilation)
            input, padding = F.pad(input, [n for pair in reversed(around) for n in pair], self.padding_mode), 0
        conv = (F.conv1d, F.conv2d, F.conv3d)[self.axes - 1]
        return conv(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """Return the sizes."""
        mode = "" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}"
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, bias={self._with_bias}{mode}"
        )


class Conv1d(_Conv):
    """Convolution of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Conv1d(4, 8, 3, padding=1)(rbe.zeros(2, 4, 10)).shape
    (2, 8, 10)
    """

    __doc__ = f"{__doc__}\n{_Conv.__doc__}"
    axes = 1


class Conv2d(_Conv):
    """Convolution of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Conv2d(3, 8, 3, stride=2)(rbe.zeros(2, 3, 9, 9)).shape
    (2, 8, 4, 4)
    """

    __doc__ = f"{__doc__}\n{_Conv.__doc__}"
    axes = 2


class LazyConv1d(Conv1d):
    """`Conv1d` without in_channels, which the first input decides.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.LazyConv1d(8, 3)
    >>> layer(rbe.ones(2, 4, 9)).shape, layer.in_channels
    ((2, 8, 7), 4)
    """

    def __init__(self, out_channels: int, kernel_size: Sizes, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, out_channels, kernel_size, *args, **kwargs)


class LazyConv2d(Conv2d):
    """`Conv2d` without in_channels, which the first input decides.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.LazyConv2d(8, 3)
    >>> layer(rbe.ones(2, 4, 9, 9)).shape, layer.in_channels
    ((2, 8, 7, 7), 4)
    """

    def __init__(self, out_channels: int, kernel_size: Sizes, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, out_channels, kernel_size, *args, **kwargs)


class RBEConv1d(Packed, Conv1d):
    """Convolution of (N, C, L) or (C, L) with packed filters: 2 bits a weight, trained in that form.

    Examples
    --------
    >>> import rbe
    >>> rbe.RBEConv1d(64, 8, 3, padding=1)(rbe.zeros(2, 64, 10)).shape
    (2, 8, 10)
    """

    __doc__ = f"{__doc__}\n{_Conv.__doc__}"


class RBEConv2d(Packed, Conv2d):
    """Convolution of (N, C, H, W) or (C, H, W) with packed filters: 2 bits a weight, trained in that form.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.RBEConv2d(32, 64, 3, padding=1)
    >>> layer(rbe.zeros(8, 32, 14, 14)).shape, layer.weight.nbytes
    ((8, 64, 14, 14), 5120)
    """

    __doc__ = f"{__doc__}\n{_Conv.__doc__}"
