"""Modules that pass on their input, as it is or in another shape."""

from typing import Any

from .._tensor import RBETensor
from . import functional as F
from .functional.conv import Sizes
from .module import Module

__all__ = ["Flatten", "Fold", "Identity", "Unfold"]


class Identity(Module):
    """Return the input. Any arguments are accepted and ignored, so that it can replace another layer.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Identity()(rbe.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input."""
        return input


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one: (N, …) to (N, features) by default.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Flatten()(rbe.zeros(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input with the axes joined."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class _Windows(Module):
    """The sizes of sliding windows."""

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Windows):
    """The windows of x as columns: `functional.unfold`, whose parameters, shapes and errors it has.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Unfold(3, padding=1)(rbe.zeros(2, 4, 5, 6)).shape
    (2, 36, 30)
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (N, C, H, W) to (N, C · kernel, windows)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Windows):
    """Columns of windows added up to planes: `functional.fold`, whose parameters, shapes and errors it has.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Fold((5, 6), 3, padding=1)(rbe.zeros(2, 36, 30)).shape
    (2, 4, 5, 6)
    """

    def __init__(self, output_size: Sizes, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.output_size = output_size

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (N, C · kernel, windows) to (N, C, *output_size)."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"output_size={self.output_size}, {super().extra_repr()}"
