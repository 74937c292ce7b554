"""Rates of any numeric type are taken as the number that they are, or refused by name: when an optimiser is made, and later."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.optim import SGD, Adagrad, Adam, AdamW, HybridOptimizer, Lion, RMSprop

DENSE = {
    SGD: {"lr": 0.25, "momentum": 0.5, "dampening": 0.25, "weight_decay": 0.5, "maximize": True},
    Adam: {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.125, "weight_decay": 0.5, "amsgrad": True, "maximize": True},
    AdamW: {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.125, "weight_decay": 0.5, "amsgrad": True, "maximize": True},
    RMSprop: {"lr": 0.25, "alpha": 0.5, "eps": 0.125, "weight_decay": 0.5, "momentum": 0.5, "centered": True},
    Adagrad: {"lr": 0.25, "lr_decay": 0.5, "weight_decay": 0.5, "initial_accumulator_value": 0.5, "eps": 0.125},
    Lion: {"lr": 0.25, "betas": (0.5, 0.75), "weight_decay": 0.5, "maximize": True},
    HybridOptimizer: {"lr": 0.25, "lr_lo": 0.25, "lr_hi": 0.25, "betas": (0.5, 0.75), "weight_decay": 0.5, "interaction": 0.5},
}
KINDS = {
    "float32": np.float32,
    "float16": np.float16,
    "longdouble": np.longdouble,
    "0-d array": np.array,
    "array of one": lambda v: np.array([v]),
    "0-d tensor": rbe.tensor,
    "tensor of one": lambda v: rbe.tensor([v]),
    "0-d tensor, float64": lambda v: rbe.tensor(v, dtype=rbe.float64),
    "tensor with gradient": lambda v: rbe.tensor(float(v), requires_grad=True),
    "fraction": Fraction,
}
BAD = [None, True, np.bool_(False), rbe.tensor(True), "0.1", b"0.1", "", [0.1], (0.1,), {}, 0.1j, np.complex64(0.1), np.array([0.1, 0.2]), rbe.tensor([0.1, 0.2]), np.array("0.1"),
       object(), len, float, np.datetime64("2020-01-01")]  # fmt: skip
NOT_FINITE = [10**400, float("nan"), float("inf"), -float("inf"), np.float32("nan"), rbe.tensor(float("inf"))]


def convert(kind, value):
    return tuple(kind(v) for v in value) if isinstance(value, tuple) else kind(value)


def run(optimizer, p, change=None):
    for i in range(4):
        p.grad = rbe.tensor([1.0, -0.5 * i])
        if i == 1 and change is not None:
            optimizer.param_groups[0].update(change)
        optimizer.step()
    return p.detach().numpy()


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_other_types_are_the_numbers_they_are(make, kind):
    rates = DENSE[make]

    def fresh(rates):
        p = nn.Parameter(rbe.tensor([1.0, 2.0]))
        return make([p], **rates), p

    want = run(*fresh(rates))
    given = {k: v if isinstance(v, bool) else convert(KINDS[kind], v) for k, v in rates.items()}
    np.testing.assert_array_equal(run(*fresh(given)), want)
    optimizer, p = fresh({})
    halves = {k: (0.5, 0.5) if isinstance(v, tuple) else 0.5 for k, v in rates.items() if not isinstance(v, bool)}
    want = run(optimizer, p, halves)
    optimizer, p = fresh({})
    np.testing.assert_array_equal(run(optimizer, p, {k: convert(KINDS[kind], v) for k, v in halves.items()}), want)
    # What is saved are Python's numbers.
    saved = optimizer.state_dict()["param_groups"][0]
    assert {k: saved[k] for k in halves} == halves
    assert all(type(v) in (float, bool, tuple, str, list) for v in saved.values())


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
def test_integers(make):
    results = []
    for one in (1.0, 1, np.int64(1), np.uint8(1), np.array(1), rbe.tensor(1)):
        p = nn.Parameter(rbe.tensor([1.0, 2.0]))
        results.append(run(make([p], lr=one, weight_decay=one), p, {"lr": one}).tolist())
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_what_is_no_number_is_refused_by_name(make, bad):
    for name, value in DENSE[make].items():
        if isinstance(value, bool) and isinstance(bad, bool | np.bool_):
            continue
        p = nn.Parameter(rbe.tensor([1.0, 2.0]))
        wrong = (bad, 0.5) if isinstance(value, tuple) else bad
        with pytest.raises(rbe.DTypeError, match=name):
            make([p], **{name: wrong})
        optimizer = make([p])
        before = optimizer.param_groups[0][name]
        optimizer.param_groups[0][name] = wrong
        p.grad = rbe.ones(2)
        with pytest.raises(rbe.DTypeError, match=name):
            optimizer.step()
        with pytest.raises(rbe.DTypeError, match=name):
            optimizer.state_dict()
        assert p.tolist() == [1.0, 2.0]
        optimizer.param_groups[0][name] = before
        assert optimizer.state_dict()["state"][0]["step"] == 0
        with pytest.raises(rbe.DTypeError, match=name):
            optimizer.add_param_group({"params": nn.Parameter(rbe.ones(1)), name: wrong})
        assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
@pytest.mark.parametrize("bad", NOT_FINITE, ids=repr)
def test_what_is_not_finite_is_refused_by_name(make, bad):
    for name, value in DENSE[make].items():
        p = nn.Parameter(rbe.tensor([1.0, 2.0]))
        wrong = (bad, 0.5) if isinstance(value, tuple) else bad
        with pytest.raises(rbe.TensorError, match=name):
            make([p], **{name: wrong})
        optimizer = make([p])
        optimizer.param_groups[0][name] = wrong
        p.grad = rbe.ones(2)
        with pytest.raises(rbe.TensorError, match=name):
            optimizer.step()
        assert p.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "bad", [None, 0.5, (0.5,), (0.5, 0.5, 0.5), "ab", {0.5: 1, 0.75: 2}, rbe.tensor([0.5]), (0.5, None)], ids=repr
)
def test_betas_are_two_numbers(bad):
    for make in (Adam, AdamW, Lion, HybridOptimizer):
        with pytest.raises(rbe.DTypeError, match="betas"):
            make([nn.Parameter(rbe.ones(2))], betas=bad)
    for good in ([0.5, 0.75], np.array([0.5, 0.75]), rbe.tensor([0.5, 0.75]), (np.float32(0.5), 0.75)):
        optimizer = Adam([nn.Parameter(rbe.ones(2))], betas=good)
        assert optimizer.state_dict()["param_groups"][0]["betas"] == (0.5, 0.75)


def test_one_wrong_group_stops_the_step_of_all():
    p, q = nn.Parameter(rbe.ones(2)), nn.Parameter(rbe.ones(2))
    for make in (SGD, HybridOptimizer):
        optimizer = make([{"params": [p]}, {"params": [q]}], lr=0.5)
        optimizer.param_groups[0]["lr"] = 0.25
        optimizer.param_groups[1]["lr"] = "fast"
        p.grad, q.grad = rbe.ones(2), rbe.ones(2)
        with pytest.raises(rbe.DTypeError, match="lr"):
            optimizer.step()
        assert p.tolist() == q.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "wrong",
    [{"lr_lo": 1e300}, {"lr_hi": -0.1}, {"interaction": 1e30}, {"betas": (0.9, 1 - 1e-12)}, {"seed": -1}, {"seed": 2**64}, {"seed": 0.5},
     {"evidence": None}, {"evidence": "int4"}, {"on_nonfinite": None}, {"on_nonfinite": "ignore"}, {"in_backward": "no"}, {"seed": "1"}],
    ids=str,
)  # fmt: skip
def test_options_of_the_hybrid_optimizer(wrong):
    with pytest.raises(rbe.TensorError, match=next(iter(wrong))):
        HybridOptimizer([nn.Parameter(rbe.ones(2))], **wrong)
    assert HybridOptimizer([nn.Parameter(rbe.ones(2))], seed=np.int64(7)).state_dict()["seed"] == 7


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, RMSprop, Adagrad])
def test_torchs_options_on_how_a_step_is_computed(make):
    p = nn.Parameter(rbe.ones(2))
    taken = {"foreach", "differentiable"} | ({"fused"} - ({"fused"} if make is RMSprop else set()))
    taken |= {"capturable"} if make in (Adam, AdamW, RMSprop) else set()
    for name in taken:
        for value in (None, False, *([] if name == "differentiable" else [True])):
            make([{"params": [p], name: value}], **{name: value})
        with pytest.raises(rbe.DTypeError, match=name):
            make([p], **{name: "yes"})
    with pytest.raises(rbe.TensorError, match="differentiable"):
        make([p], differentiable=True)


@pytest.mark.parametrize(
    "bad", [rbe.ones(2), {rbe.ones(2)}, 3, None, "ab", {"params": []}], ids=["tensor", "set", "3", "None", "str", "dict"]
)
def test_parameters_come_in_an_order(bad):
    for make in (SGD, HybridOptimizer):
        with pytest.raises(rbe.DTypeError, match=make.__name__):
            make(bad)


def test_named_parameters():
    layer = nn.Linear(2, 3)
    optimizer = SGD(layer.named_parameters(), lr=0.5)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    layer(rbe.ones(1, 2)).sum().backward()
    before = layer.bias.detach().numpy().copy()
    optimizer.step()
    np.testing.assert_array_equal(layer.bias.detach().numpy(), before - 0.5)
    with pytest.raises(rbe.DTypeError, match="pairs"):
        SGD([("weight", layer.weight), layer.bias])
    with pytest.raises(rbe.TensorError, match="names"):
        optimizer.add_param_group({"params": [nn.Parameter(rbe.ones(1))]})


def test_gradients_of_zero_instead_of_none():
    for make in (SGD, HybridOptimizer):
        layer = nn.Linear(2, 3)
        packed = nn.RBELinear(64, 2)
        params = [*layer.parameters(), *(packed.parameters() if make is HybridOptimizer else [])]
        optimizer = make(params)
        for _ in range(2):
            layer(rbe.ones(1, 2)).sum().backward()
            packed(rbe.ones(1, 64)).sum().backward()
            held = layer.weight.grad
            assert held.tolist() == [[1.0, 1.0]] * 3
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            assert held.tolist() == layer.weight.grad.tolist() == [[0.0, 0.0]] * 3
            packed.zero_grad()
        optimizer.zero_grad()
        assert layer.weight.grad is None


def test_closures_record_even_where_steps_do_not():
    p = nn.Parameter(rbe.tensor([2.0]))
    optimizer = SGD([p], lr=0.25)

    def closure():
        loss = (p * p).sum()
        loss.backward()
        return loss

    with rbe.no_grad():
        optimizer.step(closure)
    assert p.item() == 1.0


class Watched:
    """An engine that notes which rates it is sent."""

    def __init__(self, engine):
        self.engine, self.sent = engine, []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def set_rates(self, rates):
        self.sent.append(rates)
        self.engine.set_rates(rates)


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
def test_rates_are_sent_when_they_have_changed(make):
    p, q = nn.Parameter(rbe.ones(2)), nn.Parameter(rbe.ones(2))
    optimizer = make([{"params": [p], "lr": 0.5}, {"params": [q]}])
    optimizer._engine = watched = Watched(optimizer._engine)

    def step():
        p.grad = q.grad = rbe.ones(2)
        optimizer.step()

    step()
    assert watched.sent == []
    optimizer.param_groups[0]["lr"] = np.float64(0.25)
    step()
    step()
    assert [[r.lr for r in rates] for rates in watched.sent] == [[0.25, optimizer.defaults["lr"]]]
    optimizer.param_groups[0]["lr"] = 0.5
    step()
    assert len(watched.sent) == 2


@pytest.mark.parametrize("make", DENSE, ids=lambda c: c.__name__)
def test_rates_are_frozen_fields_of_the_types_they_are_declared_with(make):
    optimizer = make([nn.Parameter(rbe.ones(2))])
    rates = optimizer._sent[0]
    for field in dataclasses.fields(rates):
        value = getattr(rates, field.name)
        assert type(value) is (tuple if field.name == "betas" else field.type)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(rates, field.name, value)
        for bad in (None, "x" if field.type is not str else 1.0, [1.0]):
            with pytest.raises(rbe.DTypeError, match=field.name):
                optimizer._engine.set_rates([dataclasses.replace(rates, **{field.name: bad})])
    with pytest.raises(rbe.DTypeError):
        optimizer._engine.set_rates([object()])
    with pytest.raises(TypeError):
        dataclasses.replace(rates, unknown=1.0)


def test_counters_go_by_name():
    p = nn.Parameter(rbe.RBELinear(64, 8).weight)
    optimizer = HybridOptimizer([p], on_nonfinite="skip")
    optimizer._engine.set_counters(steps=5, flips=3, skipped=2)
    engine = optimizer._engine
    assert (engine.steps, engine.skipped, engine.flips, engine.seed) == (5, 2, 3, 0)
    assert (optimizer.skipped, optimizer.flips, optimizer.state_dict()["steps"]) == (2, 3, 5)
    assert optimizer.state_bytes == engine.state_bytes > 0
    with pytest.raises(TypeError):
        engine.set_counters(5, 2, 3)
