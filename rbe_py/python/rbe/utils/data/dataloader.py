"""The loader under the name of torch's module."""

from ...data import DataLoader, default_collate

__all__ = ["DataLoader", "default_collate"]
