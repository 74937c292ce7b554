"""Layers that are built from their first input and have a backward pass of their own, each over one operation of `rbe.ops`.

They are modules: `parameters()`, `state_dict()` and optimisers work as with those of `rbe.nn`, and so does `loss.backward()`.
"""

from .base import Layer
from .convolution import Conv2D, Pool2D
from .dense import Dense
from .loss import SoftmaxCrossEntropy

__all__ = ["Conv2D", "Dense", "Layer", "Pool2D", "SoftmaxCrossEntropy"]
