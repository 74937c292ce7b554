"""A torch script runs here with other imports and layer names, and nothing else changed."""

import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "port" / "digits.py"
LAYERS = {"nn.Linear(64, hidden)": "nn.RBELinear(64, hidden)", "nn.Linear(hidden, hidden)": "nn.RBELinear(hidden, hidden)"}


def ported(text):
    """Return the script with its imports and two layers' names replaced."""
    text = text.replace("import torch\n", "import rbe as torch\n")
    text = text.replace("from torch.optim import AdamW", "from rbe.optim import HybridOptimizer as AdamW")
    text = re.sub(r"^(import|from) torch\b", r"\1 rbe", text, flags=re.MULTILINE)
    for name, other in LAYERS.items():
        assert name in text
        text = text.replace(name, other)
    return text


def run(text, folder):
    names = {"__name__": "script"}
    exec(compile(text, str(SCRIPT), "exec"), names)
    return names["main"](folder)


def test_only_imports_and_layer_names_change():
    original = SCRIPT.read_text(encoding="utf-8")
    changed = [
        (old, new)
        for old, new in zip(original.splitlines(), ported(original).splitlines(), strict=True)
        if old != new and not re.match(r"(import|from) ", new)
    ]
    assert len(changed) == len(LAYERS)
    assert all(old == new.replace("RBELinear", "Linear") for old, new in changed)
    assert 70 <= len(original.splitlines()) <= 90


def test_the_script_trains_a_packed_model(tmp_path, capsys):
    accuracy, model = run(ported(SCRIPT.read_text(encoding="utf-8")), tmp_path)
    assert accuracy > 0.95
    assert sum(p.is_packed for p in model.parameters()) == 2
    assert "epoch 11: loss" in capsys.readouterr().out


@pytest.mark.torch
def test_the_script_as_it_is_runs_on_torch(tmp_path):
    pytest.importorskip("torch")
    accuracy, _ = run(SCRIPT.read_text(encoding="utf-8"), tmp_path)
    assert accuracy > 0.95
