"""Training scripts in the style of torch's public examples run here with other imports and nothing else changed."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "port"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "digits")


def ported(text):
    """Return a script with its imports replaced."""
    text = re.sub(r"^import torch$", "import rbe as torch", text, flags=re.MULTILINE)
    text = re.sub(r"^import torch\.utils\.data$", "import rbe.utils.data", text, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 rbe", text, flags=re.MULTILINE)


def run(name, text, folder):
    names = {"__name__": "script"}
    exec(compile(text, f"{name}.py", "exec"), names)
    first, last = names["main"](str(folder))
    assert last < 0.9 * first if first > 0 else last < 1.1 * first


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_with_its_imports_changed(name, tmp_path):
    original = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    text = ported(original)
    changed = [new for old, new in zip(original.splitlines(), text.splitlines(), strict=True) if old != new]
    assert changed
    assert all(line.startswith(("import rbe", "from rbe")) for line in changed)
    run(name, text, tmp_path)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_as_it_is_runs_on_torch(name, tmp_path):
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks are small; threads that wait for each other would take most of the time
    try:
        run(name, (FOLDER / f"{name}.py").read_text(encoding="utf-8"), tmp_path)
    finally:
        torch.set_num_threads(threads)
