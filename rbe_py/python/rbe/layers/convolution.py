"""Convolution and pooling of images."""

from typing import Any

from .. import ops
from ..errors import ShapeError
from ..nn.functional.conv import spread
from ..ops import Conv2DAttrs, Pool2DAttrs
from .base import Layer, check_initializer

__all__ = ["Conv2D", "Pool2D"]


class Conv2D(Layer):
    """Convolution of x (N, C, H, W) with an activation, over `rbe.ops.conv2d`; C is that of the first input.

    Parameters
    ----------
    filters : int
        Channels of the result.
    kernel_size : int or pair
    attrs : Conv2DAttrs, optional
        Stride, padding, dilation and groups.
    activation : str, optional
        As for `rbe.ops.gemm`.
    initializer : str
        As for `Dense`.

    Attributes
    ----------
    weight : Parameter (filters, C / groups, kernel height, kernel width)
    bias : Parameter (filters)

    Raises
    ------
    ShapeError
        For less than one filter.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.layers.Conv2D(4, 3, rbe.ops.Conv2DAttrs(padding=1), activation="relu")
    >>> layer(rbe.ones(2, 3, 8, 8)).shape, layer.weight.shape
    ((2, 4, 8, 8), (4, 3, 3, 3))
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        attrs: Conv2DAttrs | None = None,
        activation: str | None = None,
        initializer: str = "he",
    ) -> None:
        super().__init__()
        if filters < 1:
            raise ShapeError("Conv2D", "filters of at least 1", str(filters))
        self.filters, self.activation = filters, activation
        self.kernel_size = tuple(spread("Conv2D", "kernel_size", kernel_size, 2))
        self.attrs = Conv2DAttrs() if attrs is None else attrs
        self.initializer = check_initializer("Conv2D", initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make filters and bias for inputs (N, C, H, W)."""
        if len(input_shape) != 4 or input_shape[1] % self.attrs.groups:
            raise ShapeError("Conv2D", f"x (N, C, H, W) with C a multiple of {self.attrs.groups}", str(input_shape))
        shape = (self.filters, input_shape[1] // self.attrs.groups, *self.kernel_size)
        self.weight = self.add_weight(shape, self.initializer)
        self.bias = self.add_weight((self.filters,), "zeros")
        super().build(input_shape)

    def call(self, *inputs: Any) -> Any:
        """Map (N, C, H, W) to (N, filters, H', W')."""
        return ops.conv2d(inputs[0], self.weight, self.bias, attrs=self.attrs, act=self.activation)

    def extra_repr(self) -> str:
        """Return sizes and attributes."""
        return f"{self.filters}, {self.kernel_size}, {self.attrs}, activation={self.activation!r}"


class Pool2D(Layer):
    """Maximum or mean of every window of x (N, C, H, W), over `rbe.ops.pool2d`.

    Parameters
    ----------
    kernel_size : int or pair
    stride : int or pair, optional
        Default: kernel_size.
    padding : int or pair
    mode : {"max", "mean", "avg"}

    Examples
    --------
    >>> import rbe
    >>> rbe.layers.Pool2D(2, mode="avg")(rbe.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, mode: str = "max") -> None:
        super().__init__()
        self.attrs = Pool2DAttrs(kernel_size, stride, padding, mode)

    def call(self, *inputs: Any) -> Any:
        """Map (N, C, H, W) to (N, C, H', W')."""
        return ops.pool2d(inputs[0], self.attrs)

    def extra_repr(self) -> str:
        """Return the attributes."""
        return str(self.attrs)
