"""Schedules as torch has them: alone, stacked on another, after a change by hand, and continued from their state."""

import copy

import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*optimizer.step:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*epoch parameter:UserWarning"),
]
SCHEDULES = {
    "step": lambda m, o: m.StepLR(o, 7, 0.7),
    "step_every": lambda m, o: m.StepLR(o, 1, 1.1),
    "milestones": lambda m, o: m.MultiStepLR(o, [30, 8, 8, 25], 0.3),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.93),
    "constant": lambda m, o: m.ConstantLR(o, 0.4, 12),
    "constant_of_no_step": lambda m, o: m.ConstantLR(o, 0.4, 0),
    "linear": lambda m, o: m.LinearLR(o, 0.2, 0.9, 30),
    "linear_to_0": lambda m, o: m.LinearLR(o, 1.0, 0.0, 20),
    "polynomial": lambda m, o: m.PolynomialLR(o, 30, 2.0),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, 10, 0.01),
    "cosine_to_0": lambda m, o: m.CosineAnnealingLR(o, 17),
    "cosine_of_one_step": lambda m, o: m.CosineAnnealingLR(o, 1),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 5, 2, 0.002),
    "restarts_equal": lambda m, o: m.CosineAnnealingWarmRestarts(o, 7),
    "lambda": lambda m, o: m.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "multiplicative": lambda m, o: m.MultiplicativeLR(o, lambda t: 0.97 if t % 3 else 1.01),
    "one_cycle": lambda m, o: m.OneCycleLR(o, [0.3, 0.5], 61, three_phase=True, anneal_strategy="linear"),
    "cyclic": lambda m, o: m.CyclicLR(o, [0.01, 0.02], 0.1, 6, 3, mode="triangular2"),
    "cyclic_falling": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 6, mode="exp_range", gamma=0.98, cycle_momentum=False),
    "cyclic_by_function": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 6, scale_fn=lambda t: 1 / (1 + t), scale_mode="iterations"),
    "sequential": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=5), m.StepLR(o, 6), m.CosineAnnealingLR(o, 9), m.MultiplicativeLR(o, lambda t: 0.9)],
        [5, 18, 40],
    ),
    "sequential_cycle": lambda m, o: m.SequentialLR(o, [m.LinearLR(o, total_iters=10), m.OneCycleLR(o, 1.0, 60)], [8]),
    "sequential_from_0": lambda m, o: m.SequentialLR(o, [m.LinearLR(o, 0.1, total_iters=5), m.ExponentialLR(o, 0.9)], [0]),
    "chained": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 5), m.ExponentialLR(o, 0.9), m.CosineAnnealingLR(o, 20)]),
    "plateau": lambda m, o: m.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=[0.01, 0.0]),
}  # fmt: skip


def course(library, make, adam, way):
    """Return rates and momenta of 60 steps."""
    ps = [library.nn.Parameter(library.ones(2)) for _ in range(2)]
    schedulers = library.optim.lr_scheduler

    def build():
        groups = [{"params": [ps[0]]}, {"params": [ps[1]], "lr": 0.4}]
        optimizer = library.optim.AdamW(groups, lr=0.1) if adam else library.optim.SGD(groups, lr=0.1, momentum=0.9)
        return optimizer, make(schedulers, optimizer)

    optimizer, scheduler = build()
    other = schedulers.ExponentialLR(optimizer, 0.95) if way == "stacked" else None
    found = []
    for i in range(60):
        found.append([*scheduler.get_last_lr(), *(g["lr"] for g in optimizer.param_groups)])
        found[-1] += [g["betas"][0] if adam else g["momentum"] for g in optimizer.param_groups]
        if way == "state" and i == 23:
            saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
            optimizer, scheduler = build()
            optimizer.load_state_dict(saved[0])
            scheduler.load_state_dict(saved[1])
        if way == "hand" and i == 20:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        optimizer.step()
        scheduler.step(*([1 / (1 + min(i, 9)) + 0.1 * (i % 4)] if "Plateau" in type(scheduler).__name__ else []))
        if other is not None:
            other.step()
    return found


@pytest.mark.parametrize("way", ["alone", "state", "stacked", "hand"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_torch(name, way):
    for adam in (False, True):
        ours, theirs = (course(library, SCHEDULES[name], adam, way) for library in (rbe, torch))
        for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert a == pytest.approx(b, rel=1e-9, abs=1e-12), f"step {step}"


@pytest.mark.parametrize("name", ["step", "exponential", "linear", "polynomial", "milestones", "plateau"])
def test_groups_added_later_are_scheduled_as_in_torch(name):
    def run(library):
        optimizer = library.optim.SGD([library.nn.Parameter(library.ones(2)) for _ in range(2)], lr=0.1)
        make = SCHEDULES[name] if name != "plateau" else lambda m, o: m.ReduceLROnPlateau(o, patience=1)
        scheduler, found = make(library.optim.lr_scheduler, optimizer), []
        for i in range(40):
            if i == 3:
                optimizer.add_param_group({"params": [library.nn.Parameter(library.ones(2))], "lr": 0.7})
            optimizer.step()
            scheduler.step(*([1.0] if name == "plateau" else []))
            found += [g["lr"] for g in optimizer.param_groups]
        return found

    assert run(rbe) == pytest.approx(run(torch), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n not in ("plateau", "chained") and "sequential" not in n])
def test_jumps_are_those_of_torch(name):
    steps = [None, None, 4, None, 7, None, None, 2, None] + ([1.5, None, 6.25, None, 11.5, None] if "restarts" in name else [])

    def run(library):
        groups = [{"params": [library.nn.Parameter(library.ones(2))], "lr": lr} for lr in (0.1, 0.4)]
        optimizer = library.optim.SGD(groups, lr=0.1, momentum=0.9)
        scheduler, found = SCHEDULES[name](library.optim.lr_scheduler, optimizer), []
        for step in steps:
            scheduler.step(*([] if step is None else [step]))
            found += [g["lr"] for g in optimizer.param_groups]
        return found

    assert run(rbe) == pytest.approx(run(torch), rel=1e-9, abs=1e-12)
