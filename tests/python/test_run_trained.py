"""What Python trains and saves, a Rust program loads and runs, with the same bits: rbe_core/examples/run_trained.rs."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rbe
from rbe import nn

BUILT = Path(__file__).resolve().parents[2] / "target" / "debug" / "examples"


@pytest.fixture
def program():
    """The example, which `cargo test` builds; RBE_EXAMPLES says where it has to be, as `make test` does."""
    path = Path(os.environ.get("RBE_EXAMPLES", BUILT)) / "run_trained"
    if not path.exists() and "RBE_EXAMPLES" not in os.environ:
        pytest.skip(f"{path} is not built: cargo test builds it")
    return path


def test_a_trained_network_gives_the_same_bits_in_rust(program, tmp_path):
    rbe.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 70)).astype(np.float32)
    y = rbe.tensor(x[:, :3].argmax(1))
    model = nn.Sequential(
        nn.Linear(70, 130),
        nn.ReLU(),
        nn.RBELinear(130, 65),
        nn.ReLU(),
        nn.RBELinear(65, 33, bias=False),
        nn.ReLU(),
        nn.RBELinear(33, 3),
    )
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(rbe.tensor(x)), y)
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    rbe.save(tmp_path / "model", model.state_dict())
    for rows in (1, 7, 300):
        rbe.save(tmp_path / "input", {"x": rbe.tensor(x[:rows])})
        command = [program, tmp_path / "model", tmp_path / "input", tmp_path / "output"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"y [{rows}, 3]\n"
        np.testing.assert_array_equal(rbe.load(tmp_path / "output")["y"].numpy(), model(rbe.tensor(x[:rows])).detach().numpy())
