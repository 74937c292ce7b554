"""Fusion of element-wise operations."""

from .script import Scripted, script

__all__ = ["Scripted", "script"]
