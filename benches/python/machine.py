"""Description of the machine, and control of its threads."""

import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROCESSORS = (
    sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
)  # processors that this process may use, if known


def cpu() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(PROCESSORS) or os.cpu_count() or 1


def pin_threads() -> None:
    """Pin the calling thread to its first processor and keep all other threads off it, if the system allows that.

    Linux often wakes a thread on the processor of the waking thread, where it waits until that thread has done all the work.
    A call on two threads then takes as long as on one, or, in a library that waits for its threads, a hundred times as long.
    """
    if len(PROCESSORS) > 1:
        for thread in map(int, os.listdir("/proc/self/task")):
            os.sched_setaffinity(thread, PROCESSORS[:1] if thread == threading.get_native_id() else PROCESSORS[1:])


def installed(package: str) -> str | None:
    """Return the version of a package, None if it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """Return git's name of the measured commit, with `-dirty` if the tree was changed; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None


def run(main: Callable[[], None]) -> None:
    """Run a script whose output another script reads; after Ctrl-C it exits silently, and the other script reports."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)


def environment(isa: str | None = None, threads: int | None = None) -> dict[str, str]:
    """Return the environment of a process forced to an instruction set and a number of threads."""
    forced = {"RBE_ISA": isa, "RBE_NUM_THREADS": threads and str(threads)}
    return os.environ | {name: value for name, value in forced.items() if value}


def live(isa: str | None) -> str | None:
    """Return the instruction set of a process started with `RBE_ISA=isa`; None if the machine lacks it."""
    command = [sys.executable, "-c", "import rbe; print(rbe.isa())"]
    found = subprocess.run(command, env=environment(isa), capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None
