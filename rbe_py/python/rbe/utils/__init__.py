"""`rbe.data` and checkpoints under torch's module path."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
