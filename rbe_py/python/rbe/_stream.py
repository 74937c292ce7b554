"""Streams of random numbers: that of `rbe.manual_seed`, or one drawn from a generator."""

from typing import Any

from .errors import DTypeError


def seed_of(generator: Any) -> int | None:
    """Return the seed of a stream drawn from a generator, or None for the stream of `rbe.manual_seed`."""
    if generator is None:
        return None
    if not hasattr(generator, "integers"):
        raise DTypeError("random", "a rbe.Generator as generator", type(generator).__name__)
    return int(generator.integers(1 << 62, 1)[0])
