"""The base of layers, under the name of torch's module."""

from ..module import Module

__all__ = ["Module"]
