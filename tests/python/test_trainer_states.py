"""States of trainers that are damaged or of something else: refused by FormatError, and nothing has changed."""

import contextlib
import copy
import math
import random

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.trainer import Callback, Checkpoint, EarlyStopping
from test_trainer import fingerprint, samples


def loader(seed=0):
    return rbe.data.DataLoader(samples(40), 8, shuffle=True, seed=seed)


def trainer(*more, seed=0, plateau=False):
    rbe.manual_seed(seed)
    model = nn.Sequential(nn.RBELinear(40, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    schedules = rbe.optim.lr_scheduler
    schedule = schedules.ReduceLROnPlateau(optimizer) if plateau else schedules.CosineAnnealingLR(optimizer, 20)
    callbacks = [EarlyStopping("loss", patience=9), *more]
    return rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, callbacks=callbacks, progress=False)


def stopped(t, step=8):
    """Train to the middle of an epoch."""
    t.callbacks.insert(0, rbe.trainer.Call(on_step_end=lambda t: setattr(t.state, "stop", t.state.step == step)))
    t.fit(loader(), epochs=3)
    t.callbacks.pop(0)
    return t


def packed_or_dense(t):
    return (t.hi.tobytes(), t.lo.tobytes()) if t.is_packed else (str(t.dtype), t.detach().numpy().tobytes())


def facts(node):
    """Return a state as values that compare."""
    if isinstance(node, dict):
        return {k: facts(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [facts(v) for v in node]
    if isinstance(node, rbe.RBETensor):
        return packed_or_dense(node)
    return repr(node)


def kept(t):
    """Return the state of a trainer without the random numbers, which are those of the process."""
    return facts({name: part for name, part in t.state_dict().items() if name != "random"})


def random_numbers():
    return facts([list(rbe.get_rng_state()), np.random.get_state()[1].tolist(), random.getstate()])


def places(node, path=()):
    """Yield the path of every entry."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in below:
        yield (*path, key)
        yield from places(value, (*path, key))


REMOVED = object()


def damaged(node, path, value):
    """Return a copy with one entry replaced or removed."""
    if not path:
        return value
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    new = [(k, damaged(v, path[1:], value) if k == path[0] else v) for k, v in pairs]
    kept = [(k, v) for k, v in new if v is not REMOVED]
    return dict(kept) if isinstance(node, dict) else type(node)(v for _, v in kept)


VALUES = [REMOVED, None, -1, 2**70, 10**400, "x", [], {}, math.nan, -math.inf, True, rbe.zeros(3), rbe.ones(2, 2).long()]


@pytest.mark.parametrize("plateau", [False, True])
def test_every_damage_is_refused_when_loading_and_changes_nothing(plateau):
    good = stopped(trainer(plateau=plateau)).state_dict()
    t = stopped(trainer(seed=1, plateau=plateau), 3)
    own, numbers = copy.deepcopy(t.state_dict()), random_numbers()
    before, refused = kept(t), 0
    for i, path in enumerate(places(good)):
        for value in VALUES[i % 3 :: 3]:  # a third of the values in each place, another in the next
            try:
                t.load_state_dict(damaged(good, path, value))
            except rbe.FormatError as e:
                refused += e.op == "Trainer.load_state_dict"
                assert kept(t) == before, path
                assert random_numbers() == numbers, path
            else:
                with contextlib.suppress(rbe.RBEError):  # weights may be any numbers
                    t.fit(loader(), epochs=2, resume=True)
                t.load_state_dict(own)
                numbers = random_numbers()
    assert refused > 300


def test_a_failed_load_leaves_the_trainer_usable(tmp_path):
    whole = trainer()
    whole.fit(loader(), epochs=2)
    t = stopped(trainer(), 7)
    state = t.state_dict()
    rbe.save(tmp_path / "bad", {**state, "random": {}})
    with pytest.raises(rbe.FormatError, match="random"):
        t.load(tmp_path / "bad")
    with pytest.raises(rbe.FormatError, match="random"):
        t.fit(loader(), resume=tmp_path / "bad")
    t.fit(t._loader, epochs=2, resume=True)
    assert fingerprint(t.model) == fingerprint(whole.model)
    fresh = trainer()
    with pytest.raises(rbe.FormatError):
        fresh.load(tmp_path / "bad")
    fresh.fit(loader(), epochs=2, resume=True)
    assert fingerprint(fresh.model) == fingerprint(whole.model)


def test_a_place_to_continue_from_is_a_path_or_a_truth_value():
    for wrong in (None, 3, [], {"model": {}}):
        with pytest.raises(rbe.DTypeError, match="resume"):
            trainer().fit(loader(), resume=wrong)


def test_memory_that_is_not_there_is_no_damage():
    class Hungry(Fragile):
        def load_state_dict(self, state_dict):
            raise MemoryError

    t = trainer(Hungry())
    with pytest.raises(MemoryError):
        t.load_state_dict(t.state_dict())


def test_a_loader_of_another_kind_is_refused_before_anything_changes(tmp_path):
    stopped(trainer(), 7).save(tmp_path / "run")
    t = trainer()
    t.load(tmp_path / "run")
    numbers = random_numbers()
    with pytest.raises(rbe.FormatError, match="1 generators, as when saved, got 0"):
        t.fit([samples(8).tensors], epochs=2, resume=True)
    assert random_numbers() == numbers
    t.fit(loader(), epochs=2, resume=True)
    whole = trainer()
    whole.fit(loader(), epochs=2)
    assert fingerprint(t.model) == fingerprint(whole.model)


class Fragile(Callback):
    """A callback whose state is its own, with errors of its own."""

    def __init__(self):
        self.seen = [0]

    def on_step_end(self, trainer):
        self.seen.append(trainer.state.step)

    def state_dict(self):
        return {"seen": list(self.seen)}

    def load_state_dict(self, state_dict):
        self.seen = []
        self.seen = [int(n) for n in state_dict["seen"]]


def test_parts_loaded_before_the_one_that_fails_have_their_state_back():
    fragile = Fragile()
    t = stopped(trainer(fragile))
    before = kept(t)
    other = stopped(trainer(Fragile(), seed=5), 3).state_dict()
    for part in ("model", "optimizer", "scheduler"):
        with pytest.raises(rbe.FormatError):
            t.load_state_dict({**other, part: {}})
        assert kept(t) == before
    for own in ({}, {"seen": ["a"]}, {"seen": 3}):
        callbacks = [[name, own if name == "Fragile" else kept] for name, kept in other["callbacks"]]
        with pytest.raises(rbe.FormatError):
            t.load_state_dict({**other, "callbacks": callbacks})
        assert kept(t) == before
    t.load_state_dict(other)
    assert facts(t.state_dict()["callbacks"]) == facts(other["callbacks"])


def test_values_that_are_not_finite_are_saved_and_loaded(tmp_path):
    t = trainer(Checkpoint(tmp_path, monitor="loss"))
    t.callbacks.insert(0, rbe.trainer.Call(on_epoch_end=lambda t: t.history[-1].update(loss=math.nan)))
    t.fit(loader(), epochs=1)
    t.state.averages.add("loss", math.inf, 1.0)
    t.save(tmp_path / "run")
    other = trainer(Checkpoint(tmp_path, monitor="loss"))
    other.load(tmp_path / "run")
    assert math.isnan(other.history[0]["loss"])
    assert other.state.logs["loss"] == math.inf
    assert dict(other.state_dict()["callbacks"])["Checkpoint"] == {"best": math.inf}


def test_a_state_shares_nothing_with_the_trainer(tmp_path):
    t = stopped(trainer())
    state = t.state_dict()
    t.load_state_dict(state)
    state["history"].append({"epoch": 9, "step": 9})
    state["state"]["averages"]["sums"]["loss"] = 0.0
    assert len(t.history) == 1
    assert t.state.averages.sums["loss"] != 0.0


SCHEDULES = {
    "one_cycle": lambda o: rbe.optim.lr_scheduler.OneCycleLR(o, 0.01, 40),
    "cyclic": lambda o: rbe.optim.lr_scheduler.CyclicLR(o, 0.001, 0.01, 4),
    "restarts": lambda o: rbe.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "multiplicative": lambda o: rbe.optim.lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
    "sequential": lambda o: rbe.optim.lr_scheduler.SequentialLR(
        o, [rbe.optim.lr_scheduler.LinearLR(o, 0.1, total_iters=6), rbe.optim.lr_scheduler.CosineAnnealingLR(o, 10)], [6]
    ),
    "chained": lambda o: rbe.optim.lr_scheduler.ChainedScheduler(
        [rbe.optim.lr_scheduler.ConstantLR(o, 0.1, 7), rbe.optim.lr_scheduler.StepLR(o, 3, 0.5)]
    ),
    "plateau": lambda o: rbe.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.5),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_runs_with_any_schedule_continue_bit_for_bit(name, tmp_path):
    def make(*callbacks):
        rbe.manual_seed(0)
        model = nn.Sequential(nn.RBELinear(40, 8), nn.ReLU(), nn.Linear(8, 5))
        optimizer = rbe.optim.HybridOptimizer(model.parameters())
        schedule = SCHEDULES[name](optimizer)
        return rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, callbacks=callbacks, progress=False)

    def leave(t):
        if t.state.step == 8:
            t.save(tmp_path / "run")
            t.state.stop = True

    whole = make()
    whole.fit(loader(), epochs=4)
    make(rbe.trainer.Call(on_step_end=leave)).fit(loader(), epochs=4)
    rest = make()
    rest.fit(loader(), epochs=4, resume=tmp_path / "run")
    assert fingerprint(rest.model) == fingerprint(whole.model)
    assert facts(rest.scheduler.state_dict()) == facts(whole.scheduler.state_dict())
    assert [g["lr"] for g in rest.optimizer.param_groups] == [g["lr"] for g in whole.optimizer.param_groups]
