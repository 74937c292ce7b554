"""Names of the environment variables, and a warning about others that begin as they do."""

import difflib
import os
import warnings

READ = (
    "RBE_NUM_THREADS", "RBE_SPIN_US", "RBE_ISA", "RBE_PACKED_MATMUL_PRECISION", "RBE_LOG", "RBE_LOG_LEVEL",
)  # fmt: skip
OF_TESTS = ("RBE_DATA", "RBE_EXAMPLES", "RBE_LEAK_ROUNDS", "RBE_PEERS", "RBE_REQUIRE_ISA")


def warn_of_unknown() -> None:
    """Warn of every set variable that begins with `RBE_` and that nothing reads, with the nearest name that there is."""
    for name in sorted(os.environ):
        if name.startswith("RBE_") and name not in READ and name not in OF_TESTS:
            near = difflib.get_close_matches(name, READ, 1)
            hint = f"did you mean {near[0]}?" if near else f"rbe reads {', '.join(READ)}"
            warnings.warn(f"the environment variable {name} has no effect: {hint}", RuntimeWarning, stacklevel=3)
