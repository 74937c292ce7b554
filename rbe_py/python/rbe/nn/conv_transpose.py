"""Transposed convolutions with dense and with packed filters, with torch's names and signatures."""

import math
from collections.abc import Sequence

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import functional as F
from . import parameter
from .functional.conv import Sizes, spread
from .functional.conv_transpose import added
from .linear import fan_in_uniform_, fresh_bias
from .module import Module
from .packed import Packed
from .parameter import Parameter

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "RBEConvTranspose1d", "RBEConvTranspose2d"]


class _ConvTranspose(Module):
    """Add filters, times the elements of x, to a larger plane: the transpose of a convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        Multiples of `groups`.
    kernel_size, stride, dilation : int or sequence of int
    padding : int or sequence of int
        Elements taken away at each side of the result.
    output_padding : int or sequence of int
        Rows and columns that the result has in addition, below the stride or the dilation.
    groups : int
        Group g of the outputs sees group g of the channels only.
    bias : bool
        Whether there is a bias.
    padding_mode : {'zeros'}
    dtype : dtype, optional
        Of dense parameters.

    Attributes
    ----------
    weight : Parameter (in_channels, out_channels / groups, *kernel_size)
        Initially of spread 1 / sqrt(out_channels / groups · kernel): uniform if dense, random bits with these levels if packed.
    bias : Parameter (out_channels) or None
        Uniform in the same bounds at first.

    Raises
    ------
    ShapeError
        For channels below 1 or that `groups` does not divide, or sizes for another number of axes.
    TensorError
        For a number outside its domain, or another padding_mode.
    """

    _weight_of = staticmethod(parameter.dense)
    axes: int
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        op, axes = type(self).__name__, self.axes
        creation.check_device(op, device)
        if padding_mode != "zeros":
            raise TensorError(op, "padding_mode 'zeros'", repr(padding_mode))
        if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(op, f"multiples of {groups} groups, all at least 1", f"{in_channels} and {out_channels} channels")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self.kernel_size = tuple(spread(op, "kernel_size", kernel_size, axes))
        self.stride, self.dilation = tuple(spread(op, "stride", stride, axes)), tuple(spread(op, "dilation", dilation, axes))
        self.padding = tuple(spread(op, "padding", padding, axes, 0))
        self.output_padding = tuple(spread(op, "output_padding", output_padding, axes, 0))
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        self.weight = self._weight_of(shape, fan_in_uniform_, dtype)
        self.register_parameter("bias", fresh_bias(math.prod(shape[1:]), out_channels, dtype) if bias else None)

    def forward(self, input: RBETensor, output_size: Sequence[int] | None = None) -> RBETensor:
        """Map (N, in_channels, …) or (in_channels, …) to out_channels.

        Parameters
        ----------
        input : tensor
        output_size : sequence of int, optional
            Spatial axes of the result, instead of `output_padding`.

        Raises
        ------
        ShapeError
            For an x, or a size of the result, that does not fit.
        """
        windows = (self.kernel_size, self.stride, self.padding, self.dilation)
        more = added(type(self).__name__, output_size, self.output_padding, input.shape[-self.axes :], windows=windows)
        function = F.conv_transpose1d if self.axes == 1 else F.conv_transpose2d
        return function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, output_padding={self.output_padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}"
        )


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ConvTranspose1d(4, 8, 4, stride=2, padding=1)(rbe.zeros(2, 4, 10)).shape
    (2, 8, 20)
    """

    __doc__ = f"{__doc__}\n{_ConvTranspose.__doc__}"
    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ConvTranspose2d(16, 3, 3, stride=2)(rbe.zeros(2, 16, 4, 4), output_size=(10, 10)).shape
    (2, 3, 10, 10)
    """

    __doc__ = f"{__doc__}\n{_ConvTranspose.__doc__}"
    axes = 2


class RBEConvTranspose1d(Packed, ConvTranspose1d):
    """Transposed convolution of (N, C, L) or (C, L) with packed filters: 2 bits a weight.

    Inputs in float32 are rounded to int8 for the products, unless `precision` or `rbe.set_packed_matmul_precision` says
    "float32".

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.RBEConvTranspose1d(64, 16, 4, stride=2)(rbe.zeros(2, 64, 10)).shape
    (2, 16, 22)
    """

    __doc__ = f"{__doc__}\n{_ConvTranspose.__doc__}"


class RBEConvTranspose2d(Packed, ConvTranspose2d):
    """Transposed convolution of (N, C, H, W) or (C, H, W) with packed filters: 2 bits a weight.

    Inputs in float32 are rounded to int8 for the products, unless `precision` or `rbe.set_packed_matmul_precision` says
    "float32".

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBEConvTranspose2d(64, 16, 4, stride=2, padding=1)
    >>> layer(rbe.zeros(2, 64, 7, 7)).shape, layer.weight.nbytes
    ((2, 16, 14, 14), 4096)
    """

    __doc__ = f"{__doc__}\n{_ConvTranspose.__doc__}"
