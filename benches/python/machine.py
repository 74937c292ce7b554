"""What the benchmarks say of the machine they run on."""

import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []  # that this process may use, if known


def cpu() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(PROCESSORS) or os.cpu_count() or 1


def pin_threads() -> None:
    """Keep the calling thread on the first processor it may use and all others off it, where the system lets them.

    Linux likes to wake a thread beside the one that wakes it, where it waits until that one has done the work alone: a call on
    two threads takes as long as on one, or with a library that waits for its threads a hundred times as long.
    """
    if len(PROCESSORS) > 1:
        for thread in map(int, os.listdir("/proc/self/task")):
            os.sched_setaffinity(thread, PROCESSORS[:1] if thread == threading.get_native_id() else PROCESSORS[1:])


def installed(package: str) -> str | None:
    """Version of a package, None if it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """What git calls the tree that is measured, `-dirty` where it has been changed; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None


def run(main: Callable[[], None]) -> None:
    """Run a script that another one reads; after Ctrl-C that one says what has to be said."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)


def environment(isa: str | None = None, threads: int | None = None) -> dict[str, str]:
    """Return the environment of a process forced to an instruction set and a number of threads."""
    forced = {"RBE_ISA": isa, "RBE_NUM_THREADS": threads and str(threads)}
    return os.environ | {name: value for name, value in forced.items() if value}


def live(isa: str | None) -> str | None:
    """Name of the instruction set that a process forced to `isa` uses; None if the machine lacks it."""
    command = [sys.executable, "-c", "import rbe; print(rbe.isa())"]
    found = subprocess.run(command, env=environment(isa), capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None
