"""Layers that move elements to other axes, with torch's names."""

from collections.abc import Sequence

from .._arguments import integer
from .._tensor import RBETensor
from ..errors import OutOfRangeError, ShapeError, TensorError
from . import functional as F
from .module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Unflatten"]


class PixelShuffle(Module):
    """(…, C · r², H, W) to (…, C, H · r, W · r): `functional.pixel_shuffle`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.PixelShuffle(3)(rbe.zeros(1, 9, 4, 4)).shape
    (1, 1, 12, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: RBETensor) -> RBETensor:
        """Return channels as pixels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(…, C, H · r, W · r) to (…, C · r², H, W): `functional.pixel_unshuffle`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.PixelUnshuffle(3)(rbe.zeros(1, 1, 12, 12)).shape
    (1, 9, 4, 4)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: RBETensor) -> RBETensor:
        """Return pixels as channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of groups interleaved: `functional.channel_shuffle`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ChannelShuffle(2)(rbe.zeros(1, 4, 3)).shape
    (1, 4, 3)
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        if groups < 1:
            raise TensorError("ChannelShuffle", "at least 1 group", str(groups))
        self.groups = groups

    def forward(self, input: RBETensor) -> RBETensor:
        """Return (N, C, …) with channels in another order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the number of groups."""
        return f"groups={self.groups}"


class Unflatten(Module):
    """One axis as several, the inverse of `Flatten`.

    Parameters
    ----------
    dim : int
    unflattened_size : sequence of int
        Lengths of the new axes; one may be -1.

    Raises
    ------
    OutOfRangeError, ShapeError
        In forward: for an axis that is not there, or lengths that do not fit.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Unflatten(1, (2, -1))(rbe.zeros(3, 8)).shape
    (3, 2, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = integer("Unflatten", "dim", dim)
        self.unflattened_size = tuple(integer("Unflatten", "a length", n) for n in unflattened_size)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input with the axis split."""
        if not -input.ndim <= self.dim < input.ndim:
            raise OutOfRangeError("Unflatten", f"an axis of x {tuple(input.shape)}", str(self.dim))
        axis = self.dim % input.ndim
        if not self.unflattened_size:
            raise ShapeError("Unflatten", "at least one length", "()")
        known = 1
        for n in self.unflattened_size:
            known *= n if n != -1 else 1
        lengths = [n if n != -1 else input.shape[axis] // max(known, 1) for n in self.unflattened_size]
        return input.reshape(*input.shape[:axis], *lengths, *input.shape[axis + 1 :])

    def extra_repr(self) -> str:
        """Return axis and lengths."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
