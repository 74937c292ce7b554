"""Linear layers, under the name of torch's module."""

from ..distance import Bilinear
from ..linear import LazyLinear, Linear
from ..shape import Identity

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]
