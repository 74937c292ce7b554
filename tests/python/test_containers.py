"""Containers after slices, insertions and removals; arguments of modules of the wrong kind."""

import copy
import operator
import pickle

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn


def layer(n):
    """Return a module that its bias tells from others."""
    made = nn.Linear(1, 1)
    made.bias.detach().fill_(float(n))
    return made


def numbers(container):
    return [int(m.bias.item()) for m in container]


MAKE = {
    "Sequential": lambda n: nn.Sequential(*(layer(i) for i in range(n))),
    "ModuleList": lambda n: nn.ModuleList(layer(i) for i in range(n)),
    "named": lambda n: nn.Sequential({f"part{i}": layer(i) for i in range(n)}),
    "slice": lambda n: nn.Sequential(*(layer(i - 2) for i in range(n + 2)))[2:],
    "numbered": lambda n: nn.Sequential({str(7 * i): layer(i) for i in range(n)}),
}


def holds_together(container):
    """Check that table and attributes agree, and that a copy and a pickle do too."""
    names = list(container._modules)
    assert [name for name in vars(container) if name in names or name.isdigit()] == names
    assert all(getattr(container, name) is module for name, module in container.named_children())
    assert len(container.state_dict()) == 2 * len(container)
    for other in (copy.deepcopy(container), pickle.loads(pickle.dumps(container))):
        assert numbers(other) == numbers(container)
        assert other.state_dict().keys() == container.state_dict().keys()


@pytest.mark.parametrize("kind", MAKE)
def test_containers_change_as_lists_do(kind):
    """Random operations, beside a list."""
    rng = Inputs(3)
    container, listed, fresh = MAKE[kind](3), [0, 1, 2], 3
    for _ in range(120):
        i, j = (int(v) for v in rng.integers(-len(listed), max(len(listed), 1), 2)) if listed else (0, 0)
        which = rng.integers(7 if listed else 3)
        if which == 0:
            container.append(layer(fresh))
            listed.append(fresh)
        elif which == 1:
            container.extend([layer(fresh), layer(fresh + 1)])
            listed.extend([fresh, fresh + 1])
        elif which == 2:
            container.insert(i, layer(fresh))
            listed.insert(i, fresh)
        elif which == 3:
            del container[i]
            del listed[i]
        elif which == 4:
            assert int(container.pop(i).bias.item()) == listed.pop(i)
        elif which == 5:
            container[i] = layer(fresh)
            listed[i] = fresh
        else:
            del container[i:j]
            del listed[i:j]
        fresh += 2
        assert numbers(container) == listed
        assert numbers(container[1:]) == listed[1:]
    holds_together(container)


def test_names_are_kept_until_something_is_removed():
    part = MAKE["Sequential"](4)[2:]
    part.append(layer(9))
    assert list(part._modules) == ["2", "3", "4"]
    del part[0]
    assert list(part._modules) == ["0", "1"]
    named = MAKE["named"](2)
    named.insert(0, layer(7))
    assert list(named._modules) == ["2", "part0", "part1"]
    assert not hasattr(named, "part2")
    assert named.pop(slice(1, None))[0] is not None
    assert not hasattr(named, "part0")
    assert numbers(named) == [7]


def test_sums_and_multiples():
    a, b = MAKE["Sequential"](2), MAKE["Sequential"](1)
    assert numbers(a + b) == [0, 1, 0]
    assert numbers(2 * a) == numbers(a * 2) == [0, 1, 0, 1]
    a += b
    a *= 2
    assert numbers(a) == [0, 1, 0] * 2
    a.extend(a)
    assert len(a) == 12
    both = MAKE["ModuleList"](2)
    both += [layer(5)]
    assert numbers(both + MAKE["ModuleList"](1)) == [0, 1, 5, 0]


def test_dictionaries_of_modules():
    held = nn.ModuleDict([("a", layer(0)), ("b", layer(1))])
    held.update(nn.ModuleDict({"b": layer(2), "c": layer(3)}))
    assert numbers(held.values()) == [0, 2, 3]
    assert held.pop("a").bias.item() == 0
    assert not hasattr(held, "a")
    assert list(held.keys()) == ["b", "c"]
    for call in (held.__getitem__, held.__delitem__, held.pop):
        for name in ("x", 3, None, [], rbe.zeros(2)):
            with pytest.raises(rbe.UnknownNameError, match="one of b, c") as caught:
                call(name)
            assert isinstance(caught.value, KeyError)
            assert name not in held
    held.clear()
    assert (len(held), list(held.parameters())) == (0, [])
    for wrong in (3, "ab", [1], [("a", 1)], {"a": 3}, rbe.zeros(2)):
        with pytest.raises(rbe.DTypeError, match="ModuleDict"):
            held.update(wrong)


def test_lists_of_parameters():
    held = nn.ParameterList([rbe.full((1,), float(i)) for i in range(4)])
    part = held[1:3]
    part.append(rbe.full((1,), 9.0))
    part.insert(0, rbe.full((1,), 8.0))
    del part[1]
    part += [rbe.full((1,), 7.0)]
    assert [p.item() for p in part] == [8.0, 2.0, 9.0, 7.0]
    assert held[2] is part[1]
    assert part.pop().item() == 7.0
    assert all(isinstance(p, nn.Parameter) for p in part)
    assert list(part.state_dict()) == ["0", "1", "2"]
    for wrong in (rbe.zeros(2, 2), [3.0], 3):
        with pytest.raises(rbe.DTypeError, match="ParameterList"):
            part.extend(wrong)


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList", "named"])
def test_containers_refuse_what_is_no_place_and_no_module(kind):
    held = MAKE[kind](2)
    before = list(held._modules.items())
    for wrong in (None, 3, "x", [layer(0), 3], rbe.zeros(2)):
        with pytest.raises(rbe.DTypeError):
            held.extend(wrong)
    for call in (held.append, lambda v: held.insert(0, v), lambda v: held.__setitem__(0, v)):
        with pytest.raises(rbe.DTypeError, match="modules"):
            call(3)
    for index in (2, -3, 2**70):
        for call in (held.__getitem__, held.__delitem__, held.pop, lambda i: held.__setitem__(i, layer(0))):
            with pytest.raises(rbe.OutOfRangeError):
                call(index)
    with pytest.raises(rbe.OutOfRangeError):
        held.insert(3, layer(0))
    for index in ("0", 1.0, None):
        with pytest.raises(rbe.DTypeError, match="index"):
            held[index]
    assert list(held._modules.items()) == before
    with pytest.raises(rbe.DTypeError, match="Sequential"):
        operator.add(MAKE["Sequential"](1), [layer(0)])
    for times in (0, -1, 2**70, 1.5):
        with pytest.raises(rbe.TensorError):
            MAKE["Sequential"](1) * times


WRONG = [None, 3, 1.5, "x", b"x", [], [1], {"weight": 3}, {3: rbe.ones(1)}, rbe.ones(2, 2), rbe.tensor(3), np.ones(3), object()]


@pytest.mark.parametrize("value", WRONG, ids=lambda v: type(v).__name__)
def test_modules_refuse_arguments_of_a_wrong_kind(value):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    for call in (
        model.load_state_dict,
        model.train,
        model.requires_grad_,
        model.get_submodule,
        model.get_parameter,
        model.apply,
    ):
        with pytest.raises((rbe.DTypeError, rbe.OutOfRangeError)):
            call(value)
    with pytest.raises(rbe.DTypeError, match="load_state_dict"):
        nn.Linear(3, 2).load_state_dict(value)
    assert model.training is True
    assert all(p.requires_grad for p in model[0].parameters())
    if not isinstance(value, str):
        with pytest.raises((rbe.DTypeError, rbe.DeviceError)):
            model.to(object() if value is None else value)


def test_flags_may_be_numbers_that_are_truth_values():
    model = nn.Linear(1, 1)
    assert model.train(0).training is False
    assert model.train(np.bool_(True)).training is True
    assert not next(model.requires_grad_(np.False_).parameters()).requires_grad


def test_a_state_is_loaded_whole_or_not_at_all():
    model = nn.Sequential(nn.Linear(3, 2), nn.RBELinear(64, 4), nn.Linear(4, 1))
    before = {name: t.clone() for name, t in model.state_dict().items() if not t.is_packed}
    good = nn.Sequential(nn.Linear(3, 2), nn.RBELinear(64, 4), nn.Linear(4, 1)).state_dict()
    for name in good:
        for value in (None, 3.0, np.ones(2), rbe.zeros(7), rbe.RBELinear(64, 5).weight.detach()):
            with pytest.raises(rbe.TensorError):
                model.load_state_dict({**good, name: value})
    assert all(rbe.equal(t, before[name]) for name, t in model.state_dict().items() if name in before)


def test_a_tensor_holds_numbers_and_nothing_else():
    t = rbe.tensor([1.0, 2.0])
    assert (1 in t, 3.0 in t, rbe.tensor(2.0) in t, np.float32(2) in t) == (True, False, True, True)
    for item in ("a", None, object(), {}):
        with pytest.raises(rbe.DTypeError, match="in: expected a number or a tensor"):
            item in t  # noqa: B015 (the error is what is asked for)
