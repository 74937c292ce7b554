"""Differentiable operations as functions of tensors: `operations.mul(x, y)`, also `rbe.mul`."""

from . import _functions
from ._functions import *  # noqa: F403 (the functions of operations, listed there)
from .functional_ops import cat, concat, stack, where

__all__ = ["cat", "concat", "stack", "where"]
__all__ += _functions.__all__
