import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import instruction_sets
import pytest
import rbe

ROOT = Path(__file__).resolve().parents[2]


def pytest_sessionstart():
    if message := instruction_sets.refused():
        raise pytest.UsageError(message)


def pytest_terminal_summary(terminalreporter):
    for name in instruction_sets.MISSING:
        terminalreporter.write_line(f"not tested, for this machine lacks it: {name}")


@pytest.fixture(autouse=True)
def _reproducible():
    rbe.manual_seed(0)
    yield
    rbe.set_num_threads(2)


@pytest.fixture
def float32_products():
    """Products of packed weights in float32, for tests that compare them closely with dense ones."""
    with rbe.config.using(packed_matmul_precision="float32"):
        yield


@pytest.fixture
def int8():
    """Products of packed weights in int8."""
    with rbe.config.using(packed_matmul_precision="int8"):
        yield


@pytest.fixture
def ctrl_c():
    """Ctrl-C as a terminal sends it, here and in programs that the test starts.

    Where the tests themselves run under nohup or behind a script's `&`, SIGINT is ignored, and ignored signals are inherited.
    A handler is not: a program starts with the default action instead, and Python then sets its own.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def program(ctrl_c):
    """Start Python with some arguments: `program("-c", code)`. What still runs at the end of the test is killed."""
    started = []

    def start(*args, **kwargs):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, *args], **{**pipes, **kwargs}))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def data_dir() -> Path:
    """Folder with `mnist` and `tinyshakespeare`: RBE_DATA; without it the test is skipped, except in CI."""
    folder = os.environ.get("RBE_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CI"):
        pytest.fail("CI runs with data: set RBE_DATA")
    pytest.skip("RBE_DATA names no folder with data")


@pytest.fixture
def no_hang():
    """Turn an endless wait into a failure, and see that no process is left."""

    def too_long(number, frame):
        raise AssertionError("no end within 60 s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    gc.collect()
    assert multiprocessing.active_children() == []
