"""`rbe.torch.HybridOptimizer` with torch's schedules, clipping and groups of parameters."""

import subprocess
import sys

import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from rbe.torch import HybridOptimizer, RBELinear, pack_  # noqa: E402

nn = torch.nn


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)


def network():
    return nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10))


def loss_of(model, x):
    return model(x).square().mean()


def flips_of(layer):
    return layer.packed.grad.hi


@pytest.mark.parametrize("make", [
    lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10),
    lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda n: 1 / (n + 1)),
    lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=2e-3, total_steps=40),
    lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o),
])  # fmt: skip
def test_schedules_change_packed_rates_in_proportion(make):
    layer, x = RBELinear(64, 8), torch.randn(4, 64)
    optimizer = HybridOptimizer(layer, lr=2e-3, lr_hi=0.04)
    schedule = make(optimizer)
    for _ in range(5):
        optimizer.zero_grad()
        loss_of(layer, x).backward()
        optimizer.step()
        lr = optimizer.param_groups[0]["lr"]
        assert optimizer._sent[0].lr_hi == pytest.approx(0.04 * lr / 2e-3)
        schedule.step(*([1.0] if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau) else []))
    assert optimizer.param_groups[0]["lr"] != 2e-3 or isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)


def test_clipping_scales_dense_gradients_only():
    model, x = pack_(nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96))), torch.randn(4, 64)
    loss_of(model, 100 * x).backward()
    packed = flips_of(model[0]).copy()
    dense = [p.grad for name, p in model.named_parameters() if "handle" not in name]
    norm = torch.stack([g.norm() for g in dense]).norm()
    found = nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    torch.testing.assert_close(found, norm)
    assert torch.stack([g.norm() for g in dense]).norm() <= 1.001e-3
    assert (flips_of(model[0]) == packed).all()


@pytest.mark.parametrize("where", ["dense", "packed"])
def test_a_gradient_that_is_not_finite_changes_nothing(where):
    model, x = pack_(nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96))), torch.randn(4, 64)
    for mode in ("error", "skip"):
        optimizer = HybridOptimizer(model, on_nonfinite=mode)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        optimizer.zero_grad()
        loss_of(model, x).backward()
        if where == "dense":
            model[1].weight.grad[3] = float("nan")
        else:
            optimizer.zero_grad()
            model[0](x * float("inf")).sum().backward()
            model[0].bias.grad = None
        if mode == "error":
            with pytest.raises(rbe.NonFiniteError):
                optimizer.step()
        else:
            optimizer.step()
            assert optimizer.skipped == 1
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), name


def test_groups_have_rates_of_their_own():
    model = pack_(nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.Linear(96, 8)))
    groups = [
        {"params": model[0].parameters(), "lr_hi": 0.0, "lr_lo": 0.0},
        {"params": [*model[1].parameters(), *model[2].parameters()]},
    ]
    optimizer = HybridOptimizer(groups)
    before = model[0].blocks.clone(), model[2].blocks.clone()
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(model, torch.randn(4, 64)).backward()
        optimizer.step()
    assert torch.equal(model[0].blocks, before[0])
    assert not torch.equal(model[2].blocks, before[1])


def test_a_state_that_does_not_fit_changes_nothing():
    model, x = pack_(network()), torch.randn(4, 64)
    optimizer = HybridOptimizer(model)
    for _ in range(2):
        optimizer.zero_grad()
        loss_of(model, x).backward()
        optimizer.step()
    before = optimizer.state_dict()
    handle = next(n for n, entry in before["state"].items() if "charges" in entry)

    def damage(**changes):
        state = {n: dict(entry) for n, entry in before["state"].items()}
        state[handle].update(changes)
        return {**before, "state": state}

    for wrong, error in (
        (damage(charges=torch.zeros(3, dtype=torch.uint8)), rbe.ShapeError),
        (damage(charges="none"), rbe.DTypeError),
        (damage(step=-1), rbe.TensorError),
        ({**before, "param_groups": []}, rbe.TensorError),
        ({**before, "seed": "one"}, rbe.TensorError),
    ):
        with pytest.raises(error):
            optimizer.load_state_dict(wrong)
        found = optimizer.state_dict()
        for n, entry in before["state"].items():
            for name, value in entry.items():
                assert torch.equal(torch.as_tensor(value), torch.as_tensor(found["state"][n][name])), (n, name)


def test_training_does_not_depend_on_the_threads():
    code = """
import sys, torch, rbe
from rbe.torch import HybridOptimizer, pack_
torch.manual_seed(0)
torch.set_num_threads(1)
rbe.set_num_threads(int(sys.argv[1]))
model = pack_(torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)))
optimizer, x = HybridOptimizer(model), torch.randn(128, 256)
for _ in range(5):
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()
print([int(b.long().sum()) for b in model.state_dict().values() if b.dtype == torch.uint8], model[2].bias.sum().item())
"""
    runs = [subprocess.run([sys.executable, "-c", code, n], capture_output=True, text=True, check=True).stdout for n in "12"]
    assert runs[0] == runs[1]
