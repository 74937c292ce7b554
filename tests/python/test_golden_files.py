"""States that every version wrote, committed as files, load with the numbers that stand here. Files without tensors' nesting and
the format itself: test_io_damage.py."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import rbe
from rbe import nn

FILES = Path(__file__).resolve().parents[1] / "files"
# SHA-256, its first 16 digits, of the arrays after six steps, which are the same for all versions.
DIGESTS = {
    (0, "charges"): "30277ca97a96cfc6",
    (0, "row_moment"): "3168942e1d4a38e8",
    (0, "col_moment"): "038fe5c8cf672859",
    (0, "exp_avg"): "5e8f489760528ef7",
    (0, "exp_avg_sq"): "2f4d6992b46f620e",
    (1, "exp_avg"): "dac6dc6e74d46a33",
    (1, "exp_avg_sq"): "5623c538b34ece89",
    (4, "charges"): "9ecbc012a5c8a4a6",
    (4, "exp_avg"): "6d6142018f58a5d5",
    (5, "exp_avg"): "fe4dc8ed9e80b50f",
    (6, "exp_avg_sq"): "04d7904d1a738b59",
}
CHARGES = [[113, 114, 69, 123, 112], [127, 124, 49, 49, 126], [98, 113, 122, 14, 79], [127, 59, 107, 114, 123]]
GUARDS = {0: [6.0, 0.07434834572169627, 0.012841868357888113], 5: [6.0, 0.06718589133566225, 0.06718589133566225]}


def trainer(seed):
    """Return what wrote the files, untrained; it had seed 0 and took six steps."""
    rbe.manual_seed(seed)
    model = nn.Sequential(nn.RBELinear(5, 4), nn.BatchNorm1d(4), nn.RBEActivation(4), nn.Linear(4, 2))
    optimizer = rbe.optim.HybridOptimizer(model.parameters(), lr_hi=0.5, seed=7)
    schedule = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    return rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, progress=False)


def loader():
    x = np.arange(60, dtype=np.float32).reshape(12, 5) % 7 - 3
    data = rbe.data.TensorDataset(rbe.tensor(x), rbe.tensor(np.arange(12) % 2))
    return rbe.data.DataLoader(data, 4, shuffle=True, seed=0)


def check_state(optimizer, guarded):
    saved = optimizer.state_dict()
    assert saved["steps"] == 6
    state = saved["state"]
    assert all(entry["step"] == 6 for entry in state.values())
    assert (state[0]["charges"].dtype, state[0]["charges"].shape) == (rbe.uint8, (4, 64))
    assert state[0]["charges"][:, :5].tolist() == CHARGES
    found = {key: hashlib.sha256(state[key[0]][key[1]].numpy().tobytes()).hexdigest()[:16] for key in DIGESTS}
    assert found == DIGESTS
    for i, guard in GUARDS.items():
        assert state[i]["guard"][:3].tolist() == (guard if guarded else [0.0] * 3)


# 0 had neither guards nor a seed; up to 1 charges were int64, eight to a number; from 2 on they are uint8.
@pytest.mark.parametrize("version", [0, 1, 2])
def test_states_of_optimizers_of_every_version_load(version, tmp_path):
    t = trainer(1)
    saved = rbe.load(FILES / f"optimizer-{version}.safetensors")
    t.optimizer.load_state_dict(saved)
    assert t.optimizer.state_dict()["seed"] == 7
    check_state(t.optimizer, guarded=version > 0)
    rbe.save(tmp_path / "again", t.optimizer.state_dict())
    assert version < 2 or (tmp_path / "again").read_bytes() == (FILES / "optimizer-2.safetensors").read_bytes()


def test_runs_of_every_version_continue():
    t = trainer(1)
    t.fit(loader(), epochs=2, resume=FILES / "trainer-1.safetensors")  # which has finished them
    check_state(t.optimizer, guarded=True)
    assert [(e["epoch"], e["step"], e["loss"]) for e in t.history] == [(1, 3, 0.9322541356086731), (2, 6, 0.8605520327885946)]
    assert t.model[0].weight.hi.tolist() == [[25], [24], [6], [15]]
    t.fit(loader(), epochs=3)
    assert (t.state.step, len(t.history)) == (9, 3)
