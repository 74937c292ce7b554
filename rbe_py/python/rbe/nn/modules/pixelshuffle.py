"""Rearranged channels, under the name of torch's module."""

from ..rearrange import PixelShuffle, PixelUnshuffle

__all__ = ["PixelShuffle", "PixelUnshuffle"]
