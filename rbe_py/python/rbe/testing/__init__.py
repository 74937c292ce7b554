"""Helpers for tests: comparisons that report differences, and fixtures for pytest."""

from .compare import assert_close

__all__ = ["assert_close"]
