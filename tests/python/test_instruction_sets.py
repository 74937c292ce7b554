import os
import subprocess
import sys

import pytest
from instruction_sets import ALL, MISSING, SETS


def run(required):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", __file__]
    return subprocess.run(
        command, env={**os.environ, "RBE_REQUIRE_ISA": required}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ALL)
def test_a_set_that_is_demanded_and_missing_fails_the_run(name):
    result = run(f"scalar,{name}")
    assert (result.returncode == 0) == (name in SETS)
    assert ("asks for" in result.stderr) == (name in MISSING)


def test_an_unknown_set_fails_the_run():
    result = run("mmx")
    assert result.returncode != 0
    assert f"{', '.join(ALL)}, got 'mmx'" in result.stderr


def test_missing_sets_are_named():
    output = run("").stdout
    assert all(f"not tested, for this machine lacks it: {name}" in output for name in MISSING)
