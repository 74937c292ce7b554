"""torch's database of optimisers, and its schedules, run through rbe: weights after 20 steps, rates of 50 epochs."""

import copy
import functools
import itertools
import pickle
from importlib import import_module

import numpy as np
import pytest
import rbe
from beside_torch import array, torch
from counts import RAN, assert_enough
from twins import to_rbe

optim_db = import_module("torch.testing._internal.common_optimizers").optim_db
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

# L-BFGS calls its closure many times a step and has one group: test_torch_lbfgs.py compares it.
HAVE = {n: i for i in optim_db if hasattr(rbe.optim, n := i.optim_cls.__name__) and n != "LBFGS"}


def networks(dtype):
    torch.manual_seed(3)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).to(dtype)
    ours = rbe.nn.Sequential(rbe.nn.Linear(5, 7), rbe.nn.Tanh(), rbe.nn.Linear(7, 3))
    ours = ours.double() if dtype is torch.float64 else ours
    rbe.load_torch_state_dict(ours, theirs.state_dict())
    return theirs, ours


def groups(model, two, lr):
    if not two:
        return list(model.parameters())
    return [{"params": list(model[0].parameters())}, {"params": list(model[2].parameters()), "lr": 3 * lr}]


def train(make, model, step, reload):
    """20 steps; with `reload` the state moves to a new optimiser of another rate after ten."""
    optimizer = make()
    for i in range(20):
        optimizer.step(functools.partial(step, optimizer))
        if reload and i == 9:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make(lr=0.5)
            optimizer.load_state_dict(state)
    return [array(p) for p in model.parameters()]


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("two_groups", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", HAVE)
def test_weights_are_torchs(name, dtype, two_groups, reload):
    compared = 0
    for inputs in HAVE[name].optim_inputs_func("cpu"):
        options = {k: v for k, v in inputs.kwargs.items() if v or k not in ("foreach", "fused", "capturable", "differentiable")}
        if any(isinstance(v, torch.Tensor) for v in options.values()):
            continue  # a rate that is a tensor of torch
        theirs, ours = networks(dtype)
        lr = options.get("lr", 1e-3)
        data = torch.Generator().manual_seed(5)
        batches = [[torch.randn(6, n, generator=data, dtype=dtype) for n in (5, 3)] for _ in range(20)]

        def stepper(model, convert, batches=batches):
            left = iter(batches)

            def step(optimizer):
                x, y = map(convert, next(left))
                optimizer.zero_grad()
                loss = ((model(x) - y) ** 2).mean()
                loss.backward()
                return loss

            return step

        def maker(cls, model, lr=lr, options=options):
            return lambda **changed: cls(groups(model, two_groups, lr), **{**options, **changed})

        try:
            expected = train(maker(HAVE[name].optim_cls, theirs), theirs, stepper(theirs, lambda t: t), reload)
        except RuntimeError:
            continue  # torch refuses the options without a device that has them
        got = train(maker(getattr(rbe.optim, name), ours), ours, stepper(ours, to_rbe), reload)
        for x, y in zip(got, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=(1e-9 if dtype is torch.float64 else 2e-5) * max(1, np.abs(y).max()))
        compared += 1
    assert compared
    RAN["runs of optimisers"] += compared
    RAN["optimisers"] += not (reload or two_groups) and dtype is torch.float64


SCHEDULES = {
    "StepLR": [{"step_size": 7}, {"step_size": 3, "gamma": 0.7}, {"step_size": 1, "gamma": 1.1}],
    "MultiStepLR": [{"milestones": [5, 5, 20, 49]}, {"milestones": [30, 10], "gamma": 0.5}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 12}, {"factor": 1.0, "total_iters": 0}],
    "LinearLR": [
        {"start_factor": 0.1, "end_factor": 0.9, "total_iters": 30},
        {},
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 40},
    ],
    "ExponentialLR": [{"gamma": 0.93}, {"gamma": 1.02}],
    "PolynomialLR": [{"total_iters": 30, "power": 2.0}, {}],
    "LambdaLR": [
        {"lr_lambda": [lambda e: 1 / (1 + e), lambda e: min(1, (e + 1) / 10)]},
        {"lr_lambda": lambda e: 0.95**e},
    ],
    "MultiplicativeLR": [{"lr_lambda": [lambda e: 0.97, lambda e: 1.01 if e % 3 else 0.9]}, {"lr_lambda": lambda e: 0.97}],
    "CosineAnnealingLR": [{"T_max": 17, "eta_min": 0.03}, {"T_max": 50}, {"T_max": 10, "eta_min": 0.01}, {"T_max": 1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 5, "T_mult": 2, "eta_min": 0.02}, {"T_0": 10}, {"T_0": 1, "T_mult": 3}],
    "OneCycleLR": [
        {"max_lr": 1.0, "total_steps": 60},
        {"max_lr": [1.0, 0.5], "epochs": 6, "steps_per_epoch": 10, "pct_start": 0.4, "anneal_strategy": "linear"},
        {"max_lr": 0.3, "total_steps": 55, "three_phase": True, "final_div_factor": 100.0},
        {"max_lr": 0.3, "total_steps": 55, "cycle_momentum": False},
        {"max_lr": 0.3, "total_steps": 51, "base_momentum": 0.8, "max_momentum": [0.9, 0.99]},
    ],
    "CyclicLR": [
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 8},
        {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 6, "step_size_down": 3, "mode": "triangular2"},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6, "mode": "exp_range", "gamma": 0.98, "cycle_momentum": False},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6, "scale_fn": lambda t: 1 / (1 + t), "scale_mode": "iterations"},
    ],
    "ReduceLROnPlateau": [
        {"mode": "max", "factor": 0.5, "patience": 2},
        {"factor": 0.2, "patience": 1, "min_lr": [0.01, 0.2], "eps": 0.001},
        {"factor": 0.5, "patience": 2, "threshold": 0.02, "threshold_mode": "abs", "cooldown": 3},
        {"mode": "max", "factor": 0.3, "patience": 0, "threshold": 0.1, "cooldown": 2},
        {},
    ],
    "SequentialLR": [
        ([("LinearLR", {"start_factor": 0.01, "total_iters": 10}), ("CosineAnnealingLR", {"T_max": 40})], [10]),
        ([("ConstantLR", {"factor": 0.1, "total_iters": 5}), ("ExponentialLR", {"gamma": 0.9})], [5]),
        ([("LinearLR", {"total_iters": 4}), ("StepLR", {"step_size": 6}), ("CosineAnnealingLR", {"T_max": 9})], [4, 30]),
        ([("LinearLR", {"start_factor": 0.01, "total_iters": 10}), ("CosineAnnealingWarmRestarts", {"T_0": 7})], [10]),
        ([("LinearLR", {"total_iters": 10}), ("OneCycleLR", {"max_lr": 1.0, "total_steps": 60})], [8]),
        ([("PolynomialLR", {"total_iters": 10}), ("MultiplicativeLR", {"lr_lambda": lambda e: 0.9})], [0]),
    ],
    "ChainedScheduler": [
        ([("ConstantLR", {"factor": 0.1, "total_iters": 5}), ("ExponentialLR", {"gamma": 0.9})], None),
        ([("LinearLR", {"total_iters": 8}), ("StepLR", {"step_size": 6}), ("CosineAnnealingLR", {"T_max": 20})], None),
    ],
}
METRIC = [1 / (1 + 0.3 * min(i, 12)) + (0.01 if i % 5 == 0 else 0) + (0.05 if i > 30 else 0) for i in range(50)]
# Those that torch continues from `last_epoch` along the curve that they follow without a break.
BY_LAST_EPOCH = set(SCHEDULES) - {"ReduceLROnPlateau", "SequentialLR", "ChainedScheduler", "ConstantLR"}


def schedule(library, optimizer, name, options, **more):
    schedules = library.optim.lr_scheduler
    if isinstance(options, tuple):
        parts = [getattr(schedules, part)(optimizer, **given) for part, given in options[0]]
        if options[1] is None:
            return getattr(schedules, name)(parts, optimizer)
        return getattr(schedules, name)(optimizer, parts, milestones=list(options[1]))
    return getattr(schedules, name)(optimizer, **copy.copy(options), **more)


def course(library, parts, adam, how="alone"):
    """Rates and momenta of 50 epochs under one schedule, or under two that step in turn."""
    parameters = [library.nn.Parameter(library.ones(2)) for _ in range(2)]
    kind, momentum = (library.optim.AdamW, {}) if adam else (library.optim.SGD, {"momentum": 0.9})

    def make():
        optimizer = kind([{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.4}], lr=0.1, **momentum)
        return optimizer, [schedule(library, optimizer, *part) for part in parts]

    optimizer, schedules = make()
    found = []
    for epoch in range(50):
        found.append([rate for s in schedules for rate in s.get_last_lr()] + [g["lr"] for g in optimizer.param_groups])
        found[-1] += [g["betas"][0] if adam else g["momentum"] for g in optimizer.param_groups]
        if how == "resumed" and epoch == 23:
            states = [pickle.loads(pickle.dumps({k: v for k, v in s.state_dict().items() if portable(v)})) for s in schedules]
            of_optimizer = copy.deepcopy(optimizer.state_dict())
            optimizer, schedules = make()
            optimizer.load_state_dict(of_optimizer)
            for s, state in zip(schedules, states, strict=True):
                s.load_state_dict({**s.state_dict(), **state})
        if how == "by last_epoch" and epoch == 23:
            of_optimizer = copy.deepcopy(optimizer.state_dict())
            optimizer, _ = make()
            optimizer.load_state_dict(of_optimizer)
            schedules = [schedule(library, optimizer, *part, last_epoch=22) for part in parts]
        if how == "changed by hand" and epoch == 20:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        optimizer.step()
        for s, (name, _) in zip(schedules, parts, strict=True):
            s.step(*([METRIC[epoch]] if name == "ReduceLROnPlateau" else []))
    return np.array(found)


def portable(value):
    """Whether part of a state can be pickled; functions made on the spot cannot."""
    try:
        pickle.dumps(value)
    except (AttributeError, TypeError, pickle.PicklingError):
        return False
    return True


WAYS = ("alone", "resumed", "changed by hand", "by last_epoch")


@pytest.mark.parametrize(("name", "how"), [(n, how) for n in SCHEDULES for how in WAYS if how != WAYS[3] or n in BY_LAST_EPOCH])
def test_rates_are_torchs(name, how):
    for options, adam in itertools.product(SCHEDULES[name], (False, True)):
        expected = course(torch, [(name, options)], adam, "alone" if how == "by last_epoch" else how)
        got = course(rbe, [(name, options)], adam, how)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{options} {adam}")
        RAN["courses of schedules"] += 1
    RAN["schedules"] += how == "alone"


@pytest.mark.parametrize("first", SCHEDULES)
def test_rates_under_two_schedules_are_torchs(first):
    for second, adam in itertools.product(SCHEDULES, (False, True)):
        parts = [(name, SCHEDULES[name][0]) for name in (first, second)]
        # torch's begins at the optimiser's rate instead of base_lr where another schedule was made before (design/torch.md).
        begin = 2 if second == "CyclicLR" and first not in ("CyclicLR", "ReduceLROnPlateau") else 0
        got, expected = course(rbe, parts, adam)[begin:], course(torch, parts, adam)[begin:]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{second} {adam}")
        RAN["courses of schedules"] += 1


def test_no_optimizer_is_lost():
    theirs = {
        n
        for n, c in vars(torch.optim.lr_scheduler).items()
        if isinstance(c, type) and issubclass(c, torch.optim.lr_scheduler.LRScheduler)
    }
    bases = {"LRScheduler", "_LRScheduler"}
    assert set(SCHEDULES) == {n for n in theirs if hasattr(rbe.optim.lr_scheduler, n)} - bases
    assert_enough("optimisers", "runs of optimisers", "schedules", "courses of schedules")
