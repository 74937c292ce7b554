"""Help for tests: comparisons that say what differs, and fixtures for pytest."""

from .compare import assert_close

__all__ = ["assert_close"]
