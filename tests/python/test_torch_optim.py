"""Optimisers and clipping beside torch: options, gradients that are not finite, states."""

import copy
import functools
import inspect
import math

import numpy as np
import pytest
import rbe
from inputs import Inputs

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.1},
    "AdamW": {"lr": 0.1, "amsgrad": True},
    "RMSprop": {"lr": 0.1, "momentum": 0.5},
    "Adagrad": {"lr": 0.1},
}


def pair(name, start, dtype="float64", **options):
    a = torch.nn.Parameter(torch.tensor(start, dtype=getattr(torch, dtype)))
    b = rbe.nn.Parameter(rbe.tensor(start, dtype=getattr(rbe, dtype)))
    return (a, getattr(torch.optim, name)([a], **options)), (b, getattr(rbe.optim, name)([b], **options))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_constructors_take_torchs_arguments_in_torchs_order(name):
    theirs, ours = (inspect.signature(getattr(module.optim, name)).parameters for module in (torch, rbe))
    assert list(theirs) == list(ours)
    for key, parameter in theirs.items():
        assert parameter.kind == ours[key].kind
        assert parameter.default == ours[key].default
    signature = inspect.signature(torch.nn.utils.clip_grad_norm_).parameters
    assert list(signature) == list(inspect.signature(rbe.nn.utils.clip_grad_norm_).parameters)
    signature = inspect.signature(torch.nn.utils.clip_grad_value_).parameters
    assert list(signature) == list(inspect.signature(rbe.nn.utils.clip_grad_value_).parameters)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e20, 3e38])
def test_gradients_that_are_not_finite_do_what_they_do_in_torch(name, bad):
    (a, theirs), (b, ours) = pair(name, [30.0, 40.0, 50.0], "float32", **OPTIMIZERS[name])
    for gradient in ([1.0, bad, 0.5], [1.0, 1.0, 1.0], [0.5, -1.0, bad], [1.0, 1.0, 1.0]):
        a.grad, b.grad = torch.tensor(gradient), rbe.tensor(gradient)
        theirs.step()
        ours.step()
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_of_zero_are_gradients(name):
    (a, theirs), (b, ours) = pair(name, [1.0, 2.0], **OPTIMIZERS[name])
    for _ in range(3):
        a.grad, b.grad = torch.tensor([1.0, -2.0]).double(), rbe.tensor([1.0, -2.0]).double()
        for optimizer in (theirs, ours):
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            optimizer.step()
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_copies_and_fresh_states_are_torchs(name):
    results = []
    for module, parameter in ((torch, torch.nn.Parameter), (rbe, rbe.nn.Parameter)):
        tensor = functools.partial(module.tensor, dtype=module.float64)
        p = parameter(tensor([1.0, 2.0]))
        optimizer = getattr(module.optim, name)([p], **OPTIMIZERS[name])
        empty = optimizer.state_dict() | {"state": {}}
        p.grad = tensor([1.0, -2.0])
        optimizer.step()
        q, copied = copy.deepcopy((p, optimizer))
        assert copied.param_groups[0]["params"][0] is q
        alone = copy.deepcopy(optimizer)
        assert alone.param_groups[0]["params"][0] is not p
        q.grad = tensor([1.0, 1.0])
        copied.step()
        optimizer.load_state_dict(empty)
        p.grad = tensor([0.5, 0.5])
        optimizer.step()
        results.append((p.tolist(), q.tolist()))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)


@pytest.mark.parametrize("norm_type", [0.5, 1.0, 2.0, 3.5, math.inf, "inf"])
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")])
@pytest.mark.parametrize("special", [None, math.nan, math.inf])
def test_clipping_is_torchs(norm_type, dtypes, special):
    rng = Inputs(1)
    grads = [rng.array(7, dtype=dtype) for dtype in dtypes for _ in range(3)]
    if special is not None:
        grads[1][2] = special
    for max_norm in (0.1, 100.0, math.inf):
        theirs = [torch.nn.Parameter(torch.zeros(7, dtype=getattr(torch, g.dtype.name))) for g in grads]
        ours = [rbe.nn.Parameter(rbe.zeros(7, dtype=getattr(rbe, g.dtype.name))) for g in grads]
        for p, q, g in zip(theirs, ours, grads, strict=True):
            p.grad, q.grad = torch.from_numpy(g.copy()), rbe.from_numpy(g.copy())
        want = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type, foreach=False)
        got = rbe.nn.utils.clip_grad_norm_(ours, max_norm, norm_type, foreach=False)
        assert repr(got.dtype).split(".")[-1] == str(want.dtype).split(".")[-1]
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=2e-6)
        for p, q in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=3e-6)
        torch.nn.utils.clip_grad_value_(theirs, 0.05)
        rbe.nn.utils.clip_grad_value_(ours, 0.05)
        for p, q in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=3e-6)
