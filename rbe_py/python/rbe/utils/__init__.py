"""`rbe.data` under torch's module path."""

from . import data

__all__ = ["data"]
