"""The page on adding an operation, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "design" / "add-an-op.md"
PLACE = r"`(?P<file>[\w/.]+\.(?:rs|py|pyi))` after\s+`(?P<line>[^\n]+)`:\n"
BLOCK = r" +```\w+\n(?P<code>.*?)\n +```\n"


def steps(text):
    """Yield file, line and code of every block that goes into a file."""
    for match in re.finditer(PLACE + BLOCK, text, re.DOTALL | re.MULTILINE):
        yield match["file"], match["line"], indented(match["code"])


def indented(code):
    """Take off the three spaces that a block inside a list item has."""
    return "\n".join(line.removeprefix("   ") for line in code.splitlines()) + "\n"


def last_block(text):
    return indented(re.findall(r" +```python\n(.*?)\n +```\n", text, re.DOTALL)[-1])


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, **options)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def test_every_place_is_there_once():
    found = list(steps(PAGE.read_text(encoding="utf-8")))
    assert [Path(file).name for file, _, _ in found] == ["unary.rs", "activation.py"]
    for file, line, code in found:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        assert lines.count(line) == 1, f"{file} has {line!r} {lines.count(line)} times"
        assert code.strip()


@pytest.mark.build
@pytest.mark.skipif(shutil.which("cargo") is None, reason="builds the extension")
def test_the_page_works_as_it_is_written(tmp_path):
    tree = tmp_path / "rbe"
    names = run("git", "-C", ROOT, "ls-files", "-z").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    text = PAGE.read_text(encoding="utf-8")
    for file, line, code in steps(text):
        path = tree / file
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        lines.insert(lines.index(line + "\n") + 1, code)
        path.write_text("".join(lines), encoding="utf-8")
    # Dependencies are those of the tree itself (of the whole workspace, as `make test` has it): only its crates are compiled, and those
    # in a hurry.
    env = {
        **os.environ,
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "PYO3_PYTHON": sys.executable,
        "CARGO_PROFILE_DEV_OPT_LEVEL": "0",
    }
    assert "test result: ok" in run("cargo", "test", "--workspace", "--test", "gradcheck", cwd=tree, env=env)
    run("cargo", "build", "--workspace", cwd=tree, env=env)
    suffix = sysconfig.get_config_var("SHLIB_SUFFIX") or ".so"
    built = next(p for p in (ROOT / "target" / "debug").iterdir() if p.name in ("lib_rbe.so", "lib_rbe.dylib", "_rbe.dll"))
    shutil.copyfile(built, tree / "rbe_py" / "python" / "rbe" / f"_rbe.abi3{suffix}")
    env = {**os.environ, "PYTHONPATH": str(tree / "rbe_py" / "python")}
    run(sys.executable, tree / "tools" / "generate.py", cwd=tree, env=env)
    run(sys.executable, "-c", last_block(text), cwd=tmp_path, env=env)
