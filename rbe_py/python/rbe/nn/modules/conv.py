"""Convolutions, under the name of torch's module."""

from ..conv import Conv1d, Conv2d, LazyConv1d, LazyConv2d
from ..conv_transpose import ConvTranspose1d, ConvTranspose2d
from ..volume import Conv3d

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "LazyConv1d", "LazyConv2d"]
