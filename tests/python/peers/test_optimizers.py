"""torch's database of optimisers, and its schedules, run through rbe: weights after 20 steps, rates of 50 epochs."""

import copy
import functools
import pickle
from importlib import import_module

import numpy as np
import pytest
import rbe
from twins import array, to_rbe, torch

optim_db = import_module("torch.testing._internal.common_optimizers").optim_db
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HAVE = {i.optim_cls.__name__: i for i in optim_db if hasattr(rbe.optim, i.optim_cls.__name__)}


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


SCHEDULES = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 1.1}),
    ("MultiStepLR", {"milestones": [5, 5, 20, 49]}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 12}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.9, "total_iters": 30}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("LambdaLR", {"lr_lambda": lambda e: 0.95**e}),
    ("LambdaLR", {"lr_lambda": [lambda e: 1 / (1 + e), lambda e: min(1, (e + 1) / 10)]}),
    ("CosineAnnealingLR", {"T_max": 50}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.02}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 60}),
    ("OneCycleLR", {"max_lr": [1.0, 0.5], "epochs": 6, "steps_per_epoch": 10, "pct_start": 0.4, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 55, "three_phase": True, "final_div_factor": 100.0}),
    ("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 2}),
    ("ReduceLROnPlateau", {"factor": 0.2, "patience": 1, "min_lr": [0.01, 0.2], "eps": 0.001}),
    ("SequentialLR", (("ConstantLR", {"factor": 0.1, "total_iters": 5}), ("ExponentialLR", {"gamma": 0.9}), [5])),
    ("SequentialLR", (("LinearLR", {"start_factor": 0.01, "total_iters": 10}), ("CosineAnnealingLR", {"T_max": 40}), [10])),
    ("SequentialLR", (("LinearLR", {"total_iters": 10}), ("OneCycleLR", {"max_lr": 1.0, "total_steps": 60}), [8])),
]
METRIC = [1 / (1 + 0.3 * min(i, 12)) + (0.01 if i % 5 == 0 else 0) + (0.05 if i > 30 else 0) for i in range(50)]


def scheduled(library, name, options, adam, how):
    """Rates and momenta of 50 epochs, by torch or by rbe."""
    schedules = library.optim.lr_scheduler
    parameters = [library.nn.Parameter(library.ones(2)) for _ in range(2)]
    kind, momentum = (library.optim.AdamW, {}) if adam else (library.optim.SGD, {"momentum": 0.9})

    def make():
        optimizer = kind([{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.4}], lr=0.1, **momentum)
        if isinstance(options, tuple):
            *parts, milestones = options
            parts = [getattr(schedules, n)(optimizer, **o) for n, o in parts]
            return optimizer, getattr(schedules, name)(optimizer, parts, milestones=list(milestones))
        return optimizer, getattr(schedules, name)(optimizer, **options)

    optimizer, schedule = make()
    second = schedules.ExponentialLR(optimizer, 0.95) if how == "two schedules" else None
    found = []
    for epoch in range(50):
        found.append([*schedule.get_last_lr(), *(g["lr"] for g in optimizer.param_groups)])
        found[-1] += [g["betas"][0] if adam else g["momentum"] for g in optimizer.param_groups]
        if how == "resumed" and epoch == 23:
            state = pickle.loads(pickle.dumps({k: v for k, v in schedule.state_dict().items() if "lambda" not in k}))
            of_optimizer = copy.deepcopy(optimizer.state_dict())
            optimizer, schedule = make()
            optimizer.load_state_dict(of_optimizer)
            schedule.load_state_dict({**schedule.state_dict(), **state})
        if how == "changed by hand" and epoch == 20:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        optimizer.step()
        schedule.step(*([METRIC[epoch]] if name == "ReduceLROnPlateau" else []))
        if second:
            second.step()
    return np.array(found)


@pytest.mark.parametrize("how", ["alone", "resumed", "two schedules", "changed by hand"])
@pytest.mark.parametrize("adam", [False, True])
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_rates_are_torchs(name, options, adam, how):
    expected = scheduled(torch, name, options, adam, how)
    np.testing.assert_allclose(scheduled(rbe, name, options, adam, how), expected, rtol=1e-9, atol=1e-12)


def test_every_optimizer_of_the_list_is_there():
    assert {"SGD", "Adam", "AdamW", "Adagrad", "RMSprop"} <= set(HAVE)
