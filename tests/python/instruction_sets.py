"""The instruction sets with kernels of their own: which of them this machine has, and which `RBE_REQUIRE_ISA` demands."""

import contextlib
import os
import platform
import re

import rbe
from rbe import _rbe

_ON_ARM = platform.machine() in ("aarch64", "arm64")
ALL = ("scalar", "neon") if _ON_ARM else ("scalar", "avx2", "avx512", "amx")


@contextlib.contextmanager
def using(name):
    """Run the kernels of a set for a while."""
    _rbe.set_isa(name)
    try:
        yield
    finally:
        _rbe.set_isa(os.environ.get("RBE_ISA"))


def _is_available(name):
    try:
        with using(name):
            return True
    except rbe.ConfigError:
        return False


SETS = [name for name in ALL if _is_available(name)]
MISSING = [name for name in ALL if name not in SETS]


def refused():
    """Return why the tests must not run here, or None: what `RBE_REQUIRE_ISA` lists must be there."""
    for name in re.split("[, ]+", os.environ.get("RBE_REQUIRE_ISA", "").strip(", ")):
        if name in MISSING:
            return f"RBE_REQUIRE_ISA asks for {name}, which this machine lacks"
        if name and name not in SETS:
            return f"RBE_REQUIRE_ISA takes some of {', '.join(ALL)}, got {name!r}"
    return None
