"""Schedules together, with rates set by hand, and with groups added later."""

import math

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.optim import lr_scheduler as S
from schedules import MAKE, advance, course, hybrid, sgd


@pytest.mark.parametrize(
    ("first", "second"),
    [("exponential", "step"), ("linear", "milestones"), ("constant", "polynomial"), ("multiplicative", "cosine_to_0")],
)
def test_schedules_of_one_optimizer_multiply(first, second):
    make = {**MAKE, "cosine_to_0": lambda o: S.CosineAnnealingLR(o, 10)}
    alone = []
    for name in (first, second):
        optimizer = sgd()
        alone.append(course(optimizer, [make[name](optimizer)], 9))
    optimizer = sgd()
    together = course(optimizer, [make[first](optimizer), make[second](optimizer)], 9)
    np.testing.assert_allclose(together, alone[0] * alone[1], rtol=1e-12)


@pytest.mark.parametrize("name", ["step", "exponential", "linear", "polynomial", "multiplicative", "milestones"])
def test_a_rate_set_by_hand_is_where_the_next_step_begins(name):
    a, b = sgd(), sgd()
    sa, sb = MAKE[name](a), MAKE[name](b)
    course(a, [sa], 2)
    course(b, [sb], 2)
    b.param_groups[0]["lr"] *= 0.5
    np.testing.assert_allclose(course(b, [sb], 6), 0.5 * course(a, [sa], 6), rtol=1e-12)


def test_a_plateau_goes_on_from_a_warm_up():
    optimizer = sgd()
    warm, plateau = S.LinearLR(optimizer, 0.1, 1.0, 3), S.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    found = []
    for value in (5.0, 4.0, 3.0, 2.0, 2.0, 2.0):
        warm.step()
        plateau.step(value)
        found.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(found, [0.4, 0.7, 1.0, 1.0, 0.1, 0.01], rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in MAKE if n != "plateau"])
def test_a_group_added_later_is_scheduled_from_its_own_rate(name):
    optimizer = sgd()
    scheduler = MAKE[name](optimizer)
    course(optimizer, [scheduler], 2)
    optimizer.add_param_group({"params": nn.Parameter(rbe.ones(2)), "lr": 0.5})
    before = [g["lr"] for g in optimizer.param_groups]
    scheduler.step()
    after = [g["lr"] for g in optimizer.param_groups]
    if name in ("one_cycle", "cyclic"):  # their rates are arguments
        assert after[1] == after[0] != before[0]
    elif name in ("lambda", "restarts"):  # functions of the initial rate
        assert after[1] == pytest.approx(0.5 * after[0])
    elif name != "cosine":  # its eta_min is no factor
        assert after[1] / before[1] == pytest.approx(after[0] / before[0])
    assert len(scheduler.get_last_lr()) == 2
    course(optimizer, [scheduler], 6)


def test_groups_added_later_need_values_of_their_own_where_a_list_was_given():
    def added(make):
        optimizer = sgd()
        scheduler = make(optimizer)
        optimizer.add_param_group({"params": nn.Parameter(rbe.ones(2)), "lr": 0.5})
        return optimizer, scheduler

    for make in (
        lambda o: S.LambdaLR(o, [lambda t: 0.5]),
        lambda o: S.OneCycleLR(o, [0.1], 10),
        lambda o: S.CyclicLR(o, 0.1, [1.0]),
    ):
        optimizer, scheduler = added(make)
        state, groups = scheduler.state_dict(), [dict(g) for g in optimizer.param_groups]
        with pytest.raises(rbe.TensorError, match="1 for 2 groups"):
            scheduler.step()
        assert scheduler.state_dict() == state
        assert [dict(g) for g in optimizer.param_groups] == groups
    optimizer, plateau = added(lambda o: S.ReduceLROnPlateau(o, patience=0, min_lr=0.01))
    plateau.step(1.0)
    plateau.step(1.0)
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.05]
    optimizer, plateau = added(lambda o: S.ReduceLROnPlateau(o, patience=0, min_lr=[0.01]))
    plateau.step(1.0)
    with pytest.raises(rbe.TensorError, match="min_lr"):
        plateau.step(1.0)
    assert (plateau.last_epoch, plateau.num_bad_epochs) == (1, 0)


@pytest.mark.parametrize("first", [0, 1])
def test_a_sequence_may_begin_with_a_later_schedule(first):
    optimizer = sgd()
    parts = [S.LinearLR(optimizer, 0.1, 1.0, 3), S.ConstantLR(optimizer, 0.3, 2), S.ExponentialLR(optimizer, 0.5)]
    sequence = S.SequentialLR(optimizer, parts[first:], [0, 2][: 2 - first])
    want = [0.3, 0.3, 1.0, 0.5] if first == 0 else [1.0, 0.5, 0.25, 0.125]
    np.testing.assert_allclose(course(optimizer, [sequence], 3), want, rtol=1e-12)


def test_sequences_within_sequences_and_chains():
    optimizer = sgd()
    inner = S.SequentialLR(optimizer, [S.ConstantLR(optimizer, 0.5, 9), S.ExponentialLR(optimizer, 0.1)], [2])
    chain = S.ChainedScheduler([S.LinearLR(optimizer, 0.5, 1.0, 2), S.ExponentialLR(optimizer, 0.9)])
    outer = S.SequentialLR(optimizer, [S.ConstantLR(optimizer, 0.2, 9), inner, chain], [2, 6])
    want = [0.2, 0.2, 0.5, 0.5, 1.0, 0.1, 0.5, 0.75 * 0.9, 0.81]
    np.testing.assert_allclose(course(optimizer, [outer], 8), want, rtol=1e-12)
    again = sgd()
    inner = S.SequentialLR(again, [S.ConstantLR(again, 0.5, 9), S.ExponentialLR(again, 0.1)], [2])
    outer = S.SequentialLR(again, [S.ConstantLR(again, 0.2, 9), inner], [2], last_epoch=3)
    np.testing.assert_allclose(course(again, [outer], 1), [1.0, 0.1], rtol=1e-12)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    ("best", "value", "better"), [(-1, -1.05, 0), (-1, -1.2, 1), (-1, -0.95, 0), (2, 1.9, 0), (2, 1.7, 1), (0, -1, 1)]
)
def test_a_relative_threshold_is_a_share_of_the_size_of_the_best(mode, best, value, better):
    sign = 1.0 if mode == "min" else -1.0
    plateau = S.ReduceLROnPlateau(sgd(), mode=mode, threshold=0.1, patience=9)
    plateau.step(sign * best)
    plateau.step(sign * value)
    assert plateau.best == sign * (value if better else best)


def test_a_metric_is_a_number():
    plateau = S.ReduceLROnPlateau(sgd(), patience=0)
    for value in (2, np.float32(1.5), np.array([1.25]), rbe.tensor(1.0), math.nan, math.inf):
        plateau.step(value)
    assert (plateau.best, plateau.last_epoch) == (1.0, 6)
    before = plateau.state_dict()
    for value in (None, "1.0", rbe.zeros(2), [1.0], True):
        with pytest.raises(rbe.DTypeError, match="metric"):
            plateau.step(value)
    assert plateau.state_dict() == before


@pytest.mark.parametrize("kind", [np.float32, np.array, rbe.tensor, lambda v: rbe.tensor([v], dtype=rbe.float64)])
def test_arguments_may_be_any_kind_of_number(kind, tmp_path):
    optimizer = sgd()
    schedulers = [
        S.ExponentialLR(optimizer, kind(0.5)),
        S.StepLR(optimizer, kind(2.0), kind(0.25)),
        S.CosineAnnealingLR(optimizer, kind(10.0), kind(0.0)),
        S.PolynomialLR(optimizer, kind(8.0), kind(1.0)),
        S.LinearLR(optimizer, kind(1.0), kind(1.0), kind(4.0)),
        S.MultiplicativeLR(optimizer, lambda t: kind(1.0)),
        S.ReduceLROnPlateau(optimizer, patience=kind(3.0), min_lr=kind(0.0)),
    ]
    before = optimizer.param_groups[0]["lr"]
    schedulers[0].step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * before)
    for i, scheduler in enumerate(schedulers):
        rbe.save(tmp_path / str(i), {"state": scheduler.state_dict()})


@pytest.mark.parametrize(
    "make",
    [
        lambda o: S.ExponentialLR(o, "0.5"),
        lambda o: S.ExponentialLR(o, None),
        lambda o: S.ExponentialLR(o, math.nan),
        lambda o: S.StepLR(o, True),
        lambda o: S.StepLR(o, rbe.zeros(2)),
        lambda o: S.MultiStepLR(o, [1.5]),
        lambda o: S.PolynomialLR(o, 0),
        lambda o: S.PolynomialLR(o, 3, -1.0),
        lambda o: S.CyclicLR(o, 0.1, 1.0, 0),
        lambda o: S.CyclicLR(o, 0.1, 1.0, mode="square"),
        lambda o: S.CyclicLR(o, 0.1, 1.0, scale_fn=3),
        lambda o: S.OneCycleLR(o, 0.1, 10, div_factor=0),
        lambda o: S.OneCycleLR(o, [0.1, 0.2], 10),
        lambda o: S.LambdaLR(o, [3.0]),
        lambda o: S.LambdaLR(o, lambda t: "1"),
        lambda o: S.LambdaLR(o, lambda t: math.inf),
        lambda o: S.ExponentialLR(o, 0.5, last_epoch=1.5),
        lambda o: S.SequentialLR(o, [S.StepLR(o, 1), S.ReduceLROnPlateau(o)], [3]),
        lambda o: S.SequentialLR(o, [S.StepLR(o, 1)] * 3, [3, 2]),
        lambda o: S.ChainedScheduler([]),
        lambda o: S.ChainedScheduler([S.StepLR(sgd(), 1)], o),
        lambda o: S.ChainedScheduler([S.StepLR(o, 1)]).step(3),
        lambda o: S.StepLR(o, 1).step(-1),
    ],
)
def test_arguments_that_make_no_sense(make):
    with pytest.raises(rbe.TensorError):
        make(sgd())


@pytest.mark.parametrize("name", MAKE)
def test_all_rates_keep_their_proportions_to_the_last(name):
    optimizer = hybrid()
    scheduler = MAKE[name](optimizer)
    proportion = 10 if name in ("one_cycle", "cyclic") else 1  # there lr has max_lr where the others have their own values
    for i in range(20):
        advance(scheduler, i)
        group = optimizer.param_groups[0]
        want = np.array([3 * group["lr"], 6 * group["lr"]]) / proportion
        np.testing.assert_allclose([group["lr_lo"], group["lr_hi"]], want, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", [n for n in MAKE if n not in ("cosine", "cyclic")])
def test_packed_tensors_are_scheduled_where_lr_is_0(name):
    optimizer = hybrid(lr=0.0)
    other = hybrid(lr=0.01)
    scheduler, same = MAKE[name](optimizer), MAKE[name](other)
    for i in range(8):
        advance(scheduler, i)
        advance(same, i)
        assert optimizer.param_groups[0]["lr_lo"] == pytest.approx(other.param_groups[0]["lr_lo"], rel=1e-12)


def test_a_second_cycle_has_the_rates_of_the_first():
    optimizer = hybrid()
    for _ in range(2):
        scheduler = S.OneCycleLR(optimizer, 0.1, 10)
        rates = [optimizer.param_groups[0]["lr_lo"]]
        for _ in range(9):
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr_lo"])
        assert max(rates) == pytest.approx(0.03)


def test_a_schedule_of_ones_own():
    class Halved(S.StepLR):
        def get_lr(self):
            return [rate / 2 for rate in super().get_lr()] if not self._is_initial else super().get_lr()

    optimizer = hybrid()
    scheduler = Halved(optimizer, 2, gamma=0.1)
    for want in (0.5, 0.025, 0.0125):
        scheduler.step()
        group = optimizer.param_groups[0]
        np.testing.assert_allclose([group["lr"], group["lr_lo"], group["lr_hi"]], np.array([1, 3, 6]) * want / 100, rtol=1e-12)

    class Bare(S.LRScheduler):
        pass

    with pytest.raises(NotImplementedError, match=r"get_lr.*Bare"):
        Bare(sgd())
