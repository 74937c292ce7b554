"""Helpers for tests: comparisons that report differences, and fixtures for pytest."""

from .compare import assert_close
from .equal import assert_tensor_equal

__all__ = ["assert_close", "assert_tensor_equal"]
