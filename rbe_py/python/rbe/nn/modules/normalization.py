"""Normalisation of samples, under the name of torch's module."""

from ..norm import GroupNorm, LayerNorm, RMSNorm

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm"]
