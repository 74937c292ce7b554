"""Functions captured as graphs of operations, with element-wise chains run as one."""

from .script import Scripted, script

__all__ = ["Scripted", "script"]
