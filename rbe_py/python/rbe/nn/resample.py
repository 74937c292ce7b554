"""Layers that change the size of planes, with torch's names."""

from collections.abc import Sequence

from .._tensor import RBETensor
from . import functional as F
from .module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Spatial axes of other lengths: `functional.interpolate`, whose parameters, shapes and errors it has.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Upsample(scale_factor=2, mode="bilinear")(rbe.zeros(2, 3, 4, 5)).shape
    (2, 3, 8, 10)
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (N, C, spatial axes) to (N, C, other spatial axes)."""
        options = (self.mode, self.align_corners, self.recompute_scale_factor)
        return F.interpolate(input, self.size, self.scale_factor, *options)

    def extra_repr(self) -> str:
        """Return size or factor, and mode."""
        sizes = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{sizes}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of (N, C, H, W) in mode "nearest".

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.UpsamplingNearest2d(scale_factor=2)(rbe.zeros(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of (N, C, H, W) in mode "bilinear" with aligned corners.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.UpsamplingBilinear2d(size=(3, 3))(rbe.zeros(1, 1, 2, 2)).shape
    (1, 1, 3, 3)
    """

    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
