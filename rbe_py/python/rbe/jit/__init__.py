"""Functions whose chains of element-wise operations run as one."""

from .script import Scripted, script

__all__ = ["Scripted", "script"]
