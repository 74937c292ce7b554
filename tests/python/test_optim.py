"""Groups, saved state and schedules; test_training.py has the hybrid rule and the dense formulas."""

import math

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.optim import SGD, Adam, AdamW, HybridOptimizer, Lion, RMSprop
from rbe.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def hybrid(lr=0.01, lr_lo=0.03, lr_hi=0.06):
    return HybridOptimizer(nn.Sequential(nn.RBELinear(8, 8)).parameters(), lr=lr, lr_lo=lr_lo, lr_hi=lr_hi)


def course(optimizer, scheduler, steps):
    """Return lr before every step."""
    out = []
    for _ in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    return np.array(out)


T = np.arange(30)
COS = (1 + np.cos(np.pi * T / 10)) / 2
COURSES = {
    "lambda": (lambda o: LambdaLR(o, lambda t: 1 / (1 + t)), 1 / (1 + T)),
    "step": (lambda o: StepLR(o, 7, 0.5), 0.5 ** (T // 7)),
    "milestones": (lambda o: MultiStepLR(o, [12, 5, 5]), 0.1 ** (2 * (T >= 5) + (T >= 12))),
    "exponential": (lambda o: ExponentialLR(o, 0.9), 0.9**T),
    "constant": (lambda o: ConstantLR(o, 0.25, 4), np.where(T < 4, 0.25, 1)),
    "linear": (lambda o: LinearLR(o, 0.1, 0.8, 10), 0.1 + 0.7 * np.minimum(T, 10) / 10),
    "cosine": (lambda o: CosineAnnealingLR(o, 10, 0.001), 0.1 + 0.9 * COS),
    "restarts": (
        lambda o: CosineAnnealingWarmRestarts(o, 4, 2),
        [(1 + math.cos(math.pi * t / n)) / 2 for n in (4, 8, 16) for t in range(n)] + [1, (1 + math.cos(math.pi / 32)) / 2],
    ),
    "sequential": (
        lambda o: SequentialLR(o, [LinearLR(o, 0.5, total_iters=5), CosineAnnealingLR(o, 25)], [5]),
        [0.5 + 0.1 * t for t in range(5)] + [(1 + math.cos(math.pi * t / 25)) / 2 for t in range(25)],
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_schedules_follow_their_formulas_and_move_all_rates(name):
    make, want = COURSES[name]
    optimizer = hybrid()
    scheduler = make(optimizer)
    seen = []
    for _ in range(30):
        group = optimizer.param_groups[0]
        seen.append(group["lr"] / 0.01)
        np.testing.assert_allclose([group["lr_lo"], group["lr_hi"]], [3 * group["lr"], 6 * group["lr"]], rtol=1e-9)
        assert scheduler.get_last_lr() == [group["lr"]]
        scheduler.step()
    np.testing.assert_allclose(seen, np.asarray(want, dtype=float)[:30], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*COURSES, "cycle"])
def test_schedules_continue_from_saved_state(name, tmp_path):
    make = COURSES[name][0] if name in COURSES else lambda o: OneCycleLR(o, 0.1, 40)
    a, b = hybrid(), hybrid()
    sa, sb = make(a), make(b)
    course(a, sa, 11)
    rbe.save(tmp_path / "s", {"optimizer": a.state_dict(), "schedule": sa.state_dict()})
    saved = rbe.load(tmp_path / "s")
    b.load_state_dict(saved["optimizer"])
    sb.load_state_dict(saved["schedule"])
    assert a.param_groups[0]["lr"] == b.param_groups[0]["lr"]
    np.testing.assert_array_equal(course(a, sa, 15), course(b, sb, 15))


def test_one_cycle():
    optimizer = hybrid(lr=1.0)
    scheduler = OneCycleLR(optimizer, 0.5, total_steps=100, pct_start=0.3, div_factor=10, final_div_factor=100)
    lrs, momenta = [], []
    for _ in range(100):
        group = optimizer.param_groups[0]
        lrs.append(group["lr"])
        momenta.append(group["betas"][0])
        assert group["lr_hi"] / group["lr"] == pytest.approx(0.06 / 0.5)
        scheduler.step()
    assert lrs[0] == pytest.approx(0.05)
    assert (max(lrs), int(np.argmax(lrs))) == (pytest.approx(0.5), 29)
    assert lrs[-1] == pytest.approx(0.0005)
    assert (momenta[0], momenta[29], momenta[-1]) == (pytest.approx(0.95), pytest.approx(0.85), pytest.approx(0.95))
    with pytest.raises(rbe.TensorError, match="100 steps"):
        scheduler.step()


def test_reduce_on_plateau():
    optimizer = hybrid(lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, cooldown=1, min_lr=0.2)
    seen = []
    for value in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6]:
        scheduler.step(rbe.tensor(value))
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2]
    assert optimizer.param_groups[0]["lr_hi"] == pytest.approx(0.06 * 0.2)
    other = ReduceLROnPlateau(hybrid(), mode="max", threshold=0.1, threshold_mode="abs")
    for value in (1.0, 1.05, 1.2):
        other.step(value)
    assert (other.best, other.num_bad_epochs) == (1.2, 0)


def test_schedules_of_groups_with_rates_of_their_own():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = SGD([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters()}], lr=1.0, momentum=0.9)
    scheduler = LambdaLR(optimizer, [lambda t: 0.5**t, lambda t: 1.0])
    scheduler.step()
    assert [g["lr"] for g in optimizer.param_groups] == [0.05, 1.0]
    optimizer.add_param_group({"params": nn.Parameter(rbe.zeros(2)), "lr": 0.3})
    assert len(optimizer.param_groups) == 3
    assert "group 2: 1 parameters" in repr(optimizer)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 0),
        lambda o: CosineAnnealingLR(o, 0),
        lambda o: CosineAnnealingWarmRestarts(o, 0),
        lambda o: LinearLR(o, 0.0),
        lambda o: ConstantLR(o, 2.0),
        lambda o: OneCycleLR(o, 0.1),
        lambda o: OneCycleLR(o, 0.1, 10, anneal_strategy="steps"),
        lambda o: SequentialLR(o, [StepLR(o, 1)], [3]),
        lambda o: SequentialLR(o, [StepLR(hybrid(), 1)], []),
        lambda o: ReduceLROnPlateau(o, mode="most"),
        lambda o: LambdaLR(o, [len, len]),
        lambda o: StepLR(o, 3, last_epoch=4),
        lambda o: CosineAnnealingLR(hybrid(lr=0.0), 10, eta_min=0.1),
    ],
)
def test_schedules_that_make_no_sense(make):
    with pytest.raises(rbe.TensorError):
        make(hybrid())


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 1), ReduceLROnPlateau])
def test_a_schedule_wants_an_optimizer(make):
    with pytest.raises(rbe.DTypeError, match="an optimizer"):
        make([0.1])


def test_constants_of_groups_apply_at_once():
    p, q = (nn.Parameter(rbe.ones(3)) for _ in range(2))
    optimizer = SGD([{"params": [p]}, {"params": [q], "momentum": 0.0, "maximize": True}], lr=0.5, momentum=0.5)
    for expected_p, expected_q in ((0.5, 1.5), (-0.25, 2.0)):
        p.grad, q.grad = rbe.ones(3), rbe.ones(3)
        optimizer.step()
        assert (p.tolist()[0], q.tolist()[0]) == (expected_p, expected_q)
    optimizer.param_groups[1].update(momentum=0.5, maximize=False)
    q.grad = rbe.ones(3)
    optimizer.step()
    assert q.tolist()[0] == 1.5


def test_amsgrad_keeps_the_largest_moment():
    p = nn.Parameter(rbe.zeros(1, dtype=rbe.float64))
    optimizer = AdamW([p], lr=0.1, weight_decay=0.0, amsgrad=True, betas=(0.0, 0.5))
    value, v, top = 0.0, 0.0, 0.0
    for t, g in enumerate([4.0, 0.1, -0.2, 0.1], 1):
        p.grad = rbe.tensor([g], dtype=rbe.float64)
        optimizer.step()
        v = 0.5 * v + 0.5 * g * g
        top = max(top, v)
        value -= 0.1 * g / (math.sqrt(top / (1 - 0.5**t)) + 1e-8)
        # The bias correction divides the largest raw moment, as torch does.
        assert p.item() == pytest.approx(value, rel=1e-12)
    assert set(optimizer.state_dict()["state"][0]) == {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"}


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda p: SGD(p, lr=-1.0), rbe.TensorError),
        (lambda p: SGD(p, nesterov=True), rbe.TensorError),
        (lambda p: Adam(p, betas=(1.0, 0.9)), rbe.TensorError),
        (lambda p: Adam(p, eps=float("nan")), rbe.TensorError),
        (lambda p: RMSprop(p, momentum=-0.1), rbe.TensorError),
        (lambda p: Lion([{"params": p, "rate": 1.0}]), rbe.TensorError),
        (lambda p: Adam([3.0]), rbe.DTypeError),
        (lambda p: Adam([]), rbe.TensorError),
        (lambda p: HybridOptimizer(p, on_nonfinite="ignore"), rbe.TensorError),
    ],
)
def test_optimisers_that_make_no_sense(make, error):
    with pytest.raises(error):
        make([nn.Parameter(rbe.zeros(2))])


def test_a_state_that_does_not_fit_changes_nothing():
    model = nn.Linear(3, 2)
    optimizer = Adam(model.parameters())
    model(rbe.ones(1, 3)).sum().backward()
    optimizer.step()
    before = optimizer.state_dict()
    broken = optimizer.state_dict()
    broken["state"][1]["exp_avg"] = rbe.zeros(5)
    with pytest.raises(rbe.ShapeError, match="load_state_dict"):
        optimizer.load_state_dict(broken)
    with pytest.raises(rbe.TensorError, match="groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    for i, entry in optimizer.state_dict()["state"].items():
        assert rbe.equal(entry["exp_avg"], before["state"][i]["exp_avg"])


def test_a_closure_computes_the_loss():
    p = nn.Parameter(rbe.tensor([2.0]))
    optimizer = SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert p.item() == 1.0


def test_evidence_is_exact_or_int8():
    def bits(evidence):
        rbe.manual_seed(0)
        layer = rbe.RBELinear(64, 32)
        start = layer.weight.hi
        optimizer = rbe.optim.HybridOptimizer(layer.parameters(), lr_hi=0.5, evidence=evidence)
        for _ in range(5):
            optimizer.step_with_autodiff((layer(rbe.randn(16, 64)) ** 2).mean())
        return start, layer.weight.hi

    (start, exact), (_, rounded) = bits("exact"), bits("int8")
    moved, differing = (np.unpackbits((a ^ exact).view(np.uint8)).mean() for a in (start, rounded))
    assert 0 < differing < moved / 2  # the same evidence but for rounding
    with pytest.raises(rbe.TensorError, match=r"evidence .exact. or .int8."):
        bits("int4")
