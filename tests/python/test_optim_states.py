"""States of optimisers: saved, loaded, copied, pickled, and refused where they are damaged."""

import copy
import pickle

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.optim import SGD, Adagrad, Adam, AdamW, HybridOptimizer, Lion, RMSprop
from rbe.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, SequentialLR, StepLR

OPTIMIZERS = {
    "sgd": lambda p: SGD(p, 0.1, momentum=0.9),
    "plain sgd": lambda p: SGD(p, 0.1),
    "adam": lambda p: Adam(p, 0.1, amsgrad=True),
    "adamw": lambda p: AdamW(p, 0.1),
    "rmsprop": lambda p: RMSprop(p, 0.1, momentum=0.5, centered=True),
    "adagrad": lambda p: Adagrad(p, 0.1, initial_accumulator_value=0.5),
    "lion": lambda p: Lion(p, 0.1),
    "hybrid": lambda p: HybridOptimizer(p, seed=7, lr_hi=0.5),
    "hybrid, in backward": lambda p: HybridOptimizer(p, seed=7, lr_hi=0.5, in_backward=True, on_nonfinite="skip"),
}


def network(name):
    if name.startswith("hybrid"):
        return nn.Sequential(nn.RBELinear(8, 6), nn.RBEActivation(6), nn.RBELinear(6, 5), nn.Linear(5, 2))
    return nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2))


def train(model, optimizer, steps, start=0):
    for i in range(start, start + steps):
        rng = Inputs(i)
        x, y = (rng.tensor(shape, dtype=np.float32) for shape in ((16, 8), (16, 2)))
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()


def weights(params):
    return [p.hi.tobytes() + p.lo.tobytes() if p.is_packed else p.detach().numpy().tobytes() for p in params]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_copy_with_its_model_goes_the_same_way(name, way):
    model = network(name)
    optimizer = OPTIMIZERS[name](model.parameters())
    schedule = StepLR(optimizer, 2, 0.5)
    train(model, optimizer, 3)
    schedule.step()
    both = {"optimizer": optimizer, "model": model, "schedule": schedule}
    copied = copy.deepcopy(both) if way == "deepcopy" else pickle.loads(pickle.dumps(both))
    other, of_other = copied["model"], copied["optimizer"]
    assert copied["schedule"].optimizer is of_other
    params = [p for group in of_other.param_groups for p in group["params"]]
    assert all(p is q for p, q in zip(params, other.parameters(), strict=True))
    assert of_other.state_dict().keys() == optimizer.state_dict().keys()
    before = weights(model.parameters())
    train(other, of_other, 4, 3)
    copied["schedule"].step()
    assert weights(model.parameters()) == before  # the first is another one
    train(model, optimizer, 4, 3)
    schedule.step()
    assert weights(model.parameters()) == weights(other.parameters()) != before
    assert optimizer.param_groups[0]["lr"] == of_other.param_groups[0]["lr"]
    assert repr(optimizer) == repr(of_other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_copy_alone_has_copies_of_the_parameters(name):
    model = network(name)
    optimizer = OPTIMIZERS[name](model.parameters())
    train(model, optimizer, 2)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        params = [p for group in other.param_groups for p in group["params"]]
        assert weights(params) == weights(model.parameters())
        assert not any(p is q for p in params for q in model.parameters())
        assert all(p.requires_grad for p in params)
        for p in params:
            if not p.is_packed:
                p.grad = rbe.ones(*p.shape)
        other.step()
        assert weights(params) != weights(model.parameters())


@pytest.mark.parametrize(
    "make", [CosineAnnealingLR, lambda o, n: ReduceLROnPlateau(o), lambda o, n: SequentialLR(o, [StepLR(o, 1)], [])]
)
def test_copies_of_schedules_move_the_copy(make):
    optimizer = SGD([nn.Parameter(rbe.ones(2))], lr=1.0)
    schedule = make(optimizer, 10)
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert other.optimizer is not optimizer
        other.step(*([1.0] if isinstance(other, ReduceLROnPlateau) else []))
        other.optimizer.param_groups[0]["lr"] = 0.25
        assert optimizer.param_groups[0]["lr"] == 1.0
        assert other.state_dict().keys() == schedule.state_dict().keys()


def test_a_hybrid_run_resumes_with_its_seed_whatever_that_of_the_new_optimizer(tmp_path):
    for options in ({}, {"evidence": "exact"}, {"in_backward": True}):
        rbe.manual_seed(0)
        model = network("hybrid")
        optimizer = HybridOptimizer(model.parameters(), seed=11, lr_hi=0.5, **options)
        train(model, optimizer, 3)
        rbe.save(tmp_path / "s", {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
        train(model, optimizer, 3, 3)
        other = network("hybrid")
        resumed = HybridOptimizer(other.parameters(), seed=5, **options)
        saved = rbe.load(tmp_path / "s")
        other.load_state_dict(saved["model"])
        resumed.load_state_dict(saved["optimizer"])
        train(other, resumed, 3, 3)
        assert weights(other.parameters()) == weights(model.parameters())
        assert resumed.state_dict()["seed"] == 11
        # States of before the seed was saved keep that of the optimiser.
        del saved["optimizer"]["seed"]
        again = HybridOptimizer(other.parameters(), seed=5)
        again.load_state_dict(saved["optimizer"])
        assert again.state_dict()["seed"] == 5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_equal_states_are_equal_in_order(name):
    keys, arrays = set(), set()
    for _ in range(6):
        rbe.manual_seed(0)
        model = network(name)
        optimizer = OPTIMIZERS[name](model.parameters())
        train(model, optimizer, 2)
        state = optimizer.state_dict()
        keys.add(str([list(entry) for entry in state["state"].values()]))
        arrays.add(b"".join(np.asarray(v).tobytes() for entry in state["state"].values() for v in entry.values()))
    assert len(keys) == len(arrays) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_a_state_there_starts_anew(name):
    model = network(name)
    optimizer = OPTIMIZERS[name](model.parameters())
    fresh = copy.deepcopy(optimizer.state_dict()["state"])
    train(model, optimizer, 2)
    state = optimizer.state_dict()
    state["state"] = {}
    optimizer.load_state_dict(state)
    now = optimizer.state_dict()["state"]
    for i, entry in fresh.items():
        assert entry["step"] == now[i]["step"] == 0
        assert all(rbe.equal(entry[k], now[i][k]) for k in entry if k != "step")


VALUES = [None, "x", -1, 1.5, float("nan"), [], {}, True, b"", 10**30, rbe.ones(2), object()]


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for k, v in value.items():
            yield from paths(v, (*path, k))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from paths(v, (*path, i))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_damaged_states_are_refused_by_a_typed_error_and_change_nothing(name):
    model = network(name)
    optimizer = OPTIMIZERS[name](model.parameters())
    train(model, optimizer, 2)
    good = optimizer.state_dict()

    def everything():
        state = optimizer.state_dict()
        arrays = {(i, k): v if k == "step" else v.tolist() for i, e in state["state"].items() for k, v in e.items()}
        return arrays, state["param_groups"], {k: v for k, v in state.items() if k not in ("state", "param_groups")}

    before = everything()
    groups = optimizer.param_groups[0]
    refused = 0
    for path in paths(good):
        for bad in VALUES:
            broken = copy.copy(bad) if not path else {**good}
            at = broken
            for i, key in enumerate(path):
                if i == len(path) - 1:
                    at[key] = bad
                else:
                    at[key] = copy.copy(at[key])
                    at = at[key]
            try:
                optimizer.load_state_dict(broken)
            except rbe.RBEError:
                refused += 1
                assert everything() == before, (path, bad)
            else:
                # Taken: then the next step works, and what is saved can be loaded.
                optimizer.zero_grad()
                optimizer.step()
                optimizer.load_state_dict(optimizer.state_dict())
                optimizer.load_state_dict(good)
                assert optimizer.param_groups[0] is groups
                before = everything()
        if path and isinstance(path[-1], str):
            lacking = copy.deepcopy({k: v for k, v in good.items() if k != "state"}) | {
                "state": {i: {**e} for i, e in good["state"].items()}
            }
            at = lacking
            for key in path[:-1]:
                at = at[key]
            del at[path[-1]]
            try:
                optimizer.load_state_dict(lacking)
            except rbe.RBEError:
                assert everything() == before, path
            else:
                optimizer.load_state_dict(good)
                before = everything()
    assert refused > 100


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("exp_avg_sq", -1.0, rbe.TensorError),
        ("row_moment", -1.0, rbe.TensorError),
        ("col_moment", -1e-30, rbe.TensorError),
        ("exp_avg_sq", float("nan"), rbe.NonFiniteError),
        ("exp_avg", float("inf"), rbe.NonFiniteError),
        ("guard", -1.0, rbe.TensorError),
        ("guard", float("nan"), rbe.TensorError),
        ("charges", -1, rbe.TensorError),
        ("charges", 0x80, rbe.TensorError),
    ],
)
def test_numbers_that_no_step_leaves_are_refused(name, value, error):
    model = network("hybrid")
    optimizer = OPTIMIZERS["hybrid"](model.parameters())
    train(model, optimizer, 1)
    for i, p in enumerate(model.parameters()):
        state = optimizer.state_dict()
        if name not in state["state"][i]:
            continue
        array = state["state"][i][name].clone()
        array.reshape(-1)[0] = value
        state["state"][i][name] = array
        with pytest.raises(error):
            optimizer.load_state_dict(state)
        assert p.is_packed or name in ("exp_avg", "exp_avg_sq", "guard")
    for make, of in ((Adam, "exp_avg_sq"), (RMSprop, "square_avg"), (Adagrad, "sum")):
        dense = make([nn.Parameter(rbe.ones(2))])
        state = dense.state_dict()
        state["state"][0][of] = rbe.tensor([0.0, -1.0])
        with pytest.raises(rbe.TensorError, match=of):
            dense.load_state_dict(state)


def test_moments_that_dense_rules_leave_infinite_are_saved_and_loaded(tmp_path):
    # As torch: no check of gradients. What such a step leaves is a state all the same.
    for make in (SGD, Adam, AdamW, RMSprop, Adagrad, Lion):
        p = nn.Parameter(rbe.ones(2))
        optimizer = make([p], lr=0.1)
        for value in (1e30, float("inf"), float("nan")):
            p.grad = rbe.full((2,), value)
            optimizer.step()
            rbe.save(tmp_path / "s", optimizer.state_dict())
            optimizer.load_state_dict(rbe.load(tmp_path / "s"))


def test_huge_step_counts_are_counts():
    p = nn.Parameter(rbe.ones(3))
    packed = nn.RBELinear(64, 2)
    for optimizer in (Adam([p]), HybridOptimizer([p, *packed.parameters()])):
        state = optimizer.state_dict()
        for entry in state["state"].values():
            entry["step"] = 2**40
        optimizer.load_state_dict(state)
        p.grad = rbe.ones(3)
        packed.zero_grad()
        packed(rbe.ones(2, 64)).sum().backward()
        optimizer.step()
        assert rbe.isfinite(p).all()
        assert np.isfinite(packed.weight.lo).all()
        assert optimizer.state_dict()["state"][0]["step"] == 2**40 + 1
