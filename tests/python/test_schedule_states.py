"""States of schedules: runs that continue, failed steps, damaged states, copies."""

import copy
import math
import pickle

import numpy as np
import pytest
import rbe
from rbe.optim import lr_scheduler as S
from schedules import MAKE, advance, course, sgd


@pytest.mark.parametrize("name", [n for n in MAKE if n not in ("plateau", "sequential", "chained", "multiplicative")])
@pytest.mark.parametrize("loaded", [True, False])
def test_last_epoch_continues_a_loaded_optimizer_and_a_fresh_one(name, loaded):
    whole, first = sgd(0.4, 0.1), sgd(0.4, 0.1)
    wanted = course(whole, [MAKE[name](whole)], 15, 1)
    course(first, [MAKE[name](first)], 6)
    again = sgd(0.4, 0.1)
    if loaded:
        again.load_state_dict(first.state_dict())
    else:
        for new, old in zip(again.param_groups, first.param_groups, strict=True):
            new.update({k: v for k, v in old.items() if k.startswith("initial_")})
            new["lr"] = new["initial_lr"]
    scheduler = type(MAKE[name](sgd(0.4, 0.1)))
    options = {
        "lambda": {"lr_lambda": lambda t: 1 / (1 + t)}, "step": {"step_size": 3, "gamma": 0.5},
        "milestones": {"milestones": [4, 4, 7]}, "constant": {"factor": 0.25, "total_iters": 4},
        "linear": {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 10}, "exponential": {"gamma": 0.9},
        "polynomial": {"total_iters": 9, "power": 2.0}, "cosine": {"T_max": 10, "eta_min": 0.001},
        "restarts": {"T_0": 4, "T_mult": 2}, "one_cycle": {"max_lr": 0.1, "total_steps": 40},
        "cyclic": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"},
    }  # fmt: skip
    rest = course(again, [scheduler(again, **options[name], last_epoch=5)], 9, 1)
    np.testing.assert_allclose(rest, wanted[6:], rtol=1e-12, atol=1e-15)


def test_two_schedules_continue_by_last_epoch_with_a_loaded_optimizer():
    def pair(o, last=-1):
        return [S.ExponentialLR(o, 0.9, last_epoch=last), S.StepLR(o, 3, 0.5, last_epoch=last)]

    whole, first, again = sgd(), sgd(), sgd()
    wanted = course(whole, pair(whole), 12)
    course(first, pair(first), 5)
    again.load_state_dict(first.state_dict())
    np.testing.assert_allclose(course(again, pair(again, 4), 7), wanted[5:], rtol=1e-12)


def test_a_step_that_fails_changes_nothing():
    def broken(t):
        if t == 3:
            raise ZeroDivisionError
        return 0.5

    optimizer = sgd(1.0, 2.0)
    inner = S.MultiplicativeLR(optimizer, [lambda t: 0.5, broken])
    chain = S.ChainedScheduler([S.ExponentialLR(optimizer, 0.9), inner])
    course(optimizer, [chain], 2)
    state, groups = chain.state_dict(), [dict(g) for g in optimizer.param_groups]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            chain.step()
    assert chain.state_dict() == state
    assert [dict(g) for g in optimizer.param_groups] == groups
    growing = S.ExponentialLR(sgd(), 1e200)
    growing.step()
    with pytest.raises(rbe.NonFiniteError, match="lr of group 0"):
        growing.step()
    assert growing.last_epoch == 1


@pytest.mark.parametrize("name", MAKE)
def test_a_damaged_state_is_refused_and_changes_nothing(name):
    optimizer = sgd(0.4, 0.1)
    scheduler = MAKE[name](optimizer)
    for i in range(7):
        advance(scheduler, i)
    good, groups = scheduler.state_dict(), [dict(g) for g in optimizer.param_groups]

    def damaged(node, value):
        """Yield copies with one entry removed or replaced."""
        if isinstance(node, dict):
            for key in node:
                yield {k: v for k, v in node.items() if k != key}
                yield {**node, key: value}
                for below in damaged(node[key], value):
                    yield {**node, key: below}
        elif isinstance(node, list):
            for i in range(len(node)):
                yield [*node[:i], value, *node[i + 1 :]]

    refused = 0
    for value in (None, "x", [], {}, math.nan, -math.inf, 10**400, -7, True, rbe.zeros(3)):
        for state in damaged(good, value):
            try:
                scheduler.load_state_dict(state)
            except rbe.TensorError:
                refused += 1
                assert scheduler.state_dict() == good
            else:
                for i in range(7, 12):
                    try:
                        advance(scheduler, i)
                    except rbe.TensorError:
                        break
                scheduler.load_state_dict(good)
                for group, before in zip(optimizer.param_groups, groups, strict=True):
                    group.update(before)
    assert refused > 10
    for wrong in (None, 3, rbe.zeros(2), [], {}):
        with pytest.raises(rbe.TensorError):
            scheduler.load_state_dict(wrong)


def test_the_state_of_a_callable_object_is_saved():
    class Counting:
        def __init__(self):
            self.calls = 0

        def __call__(self, t):
            self.calls += 1
            return 1.0

    def make():
        function = Counting()
        return function, S.LambdaLR(sgd(0.1, 0.2), [function, lambda t: 1.0])

    function, scheduler = make()
    scheduler.step()
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"calls": 2}, None]
    other, restored = make()
    restored.load_state_dict(state)
    assert other.calls == 2
    function.calls = 9
    assert state["lr_lambdas"][0] == {"calls": 2}


def test_a_state_shares_nothing_with_the_schedule():
    scheduler = MAKE["sequential"](sgd())
    state = scheduler.state_dict()
    kept = copy.deepcopy(state)
    course(scheduler.optimizer, [scheduler], 6)
    assert state == kept
    scheduler.load_state_dict(state)
    state["milestones"].append(3)
    state["_schedulers"][0]["base_lrs"].append(3.0)
    assert scheduler.state_dict() == kept


@pytest.mark.parametrize("name", [n for n in MAKE if n not in ("lambda", "multiplicative")])
def test_copies_and_pickles_go_on_alone(name):
    optimizer = sgd()
    scheduler = MAKE[name](optimizer)
    held = {"optimizer": optimizer, "scheduler": scheduler}
    for other in (copy.deepcopy(held), pickle.loads(pickle.dumps(held))):
        assert other["scheduler"].optimizer is other["optimizer"]
        assert other["scheduler"].state_dict() == scheduler.state_dict()
        advance(other["scheduler"], 0)
        assert scheduler.last_epoch == other["scheduler"].last_epoch - 1
