"""L-BFGS against torch: parameters and losses after several steps, states, options."""

import copy
import inspect

import numpy as np
import pytest
import rbe
from beside_torch import array, pair, torch
from inputs import Inputs

pytestmark = pytest.mark.torch

OPTIONS = [
    {},
    {"lr": 0.3, "max_iter": 7},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 5},
    {"line_search_fn": "strong_wolfe", "lr": 25.0, "max_eval": 9},
    {"history_size": 1, "max_eval": 6, "maximize": True, "lr": 0.01},
    {"tolerance_change": 1e-2, "line_search_fn": "strong_wolfe"},
]


def rosenbrock(a, b):
    """A curved valley in four variables, two tensors of two."""
    return ((b - a * a) ** 2).sum() * 10.0 + ((a - 1.0) ** 2).sum()


def maker(library, tensors, options):
    return lambda **changed: library.optim.LBFGS(tensors, **{**options, **changed})


def steps(make, tensors, count, reload=False):
    """The losses and the parameters after every step."""
    optimizer, found = make(), []

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(*tensors) * (-1.0 if optimizer.param_groups[0]["maximize"] else 1.0)
        loss.backward()
        return loss

    for i in range(count):
        found.append([optimizer.step(closure).item(), *(array(t).copy() for t in tensors)])
        if reload and i == 1:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make(lr=7.0)
            optimizer.load_state_dict(state)
    return found


# Later steps of float32 follow from roundings of the first.
@pytest.mark.parametrize(("dtype", "count", "near"), [(np.float64, 6, 1e-7), (np.float32, 2, 1e-2)])
@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_steps_are_torchs(options, reload, dtype, count, near):
    starts = (np.array([-1.2, 0.5]), np.array([1.0, 2.0]))
    pairs = [pair(a, dtype) for a in starts]
    ours = [p[0] for p in pairs]
    theirs = [p[1] for p in pairs]
    got, wanted = (
        steps(maker(library, tensors, options), tensors, count, reload) for library, tensors in ((rbe, ours), (torch, theirs))
    )
    for x, y in zip(got, wanted, strict=True):
        for a, b in zip(x, y, strict=True):
            np.testing.assert_allclose(a, b, rtol=near, atol=near)


def test_the_constructor_takes_torchs_arguments_in_torchs_order():
    theirs, ours = (inspect.signature(module.optim.LBFGS).parameters for module in (torch, rbe))
    assert list(theirs) == list(ours)
    assert [p.default for p in theirs.values()] == [p.default for p in ours.values()]


def test_a_network_is_fitted_as_by_torch():
    random = Inputs(3)
    x, y = random.array(40, 5), random.array(40, 2)
    losses = []
    for library in (torch, rbe):
        weights = [
            library.tensor(Inputs(i).array(*shape) * 0.5, requires_grad=True) for i, shape in enumerate([(5, 8), (8, 2)])
        ]
        optimizer = library.optim.LBFGS(weights, lr=0.8, line_search_fn="strong_wolfe")

        def closure(library=library, weights=weights, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (((library.tensor(x) @ weights[0]).tanh() @ weights[1] - library.tensor(y)) ** 2).mean()
            loss.backward()
            return loss

        losses.append([optimizer.step(closure).item() for _ in range(4)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert losses[0][-1] < losses[0][0] / 2
