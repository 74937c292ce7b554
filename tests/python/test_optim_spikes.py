"""Gradients of any finite size: everything stays finite, is saved and loaded, and the steps after a spike train on."""

import contextlib

import numpy as np
import pytest
import rbe
from inputs import Inputs
from instruction_sets import SETS, using
from rbe import nn
from rbe.optim import HybridOptimizer

SIZES = [10.0**e for e in (-45, -30, -19, -10, -3, 2, 6, 10, 14, 18, 20, 25, 30, 37, 38)]


@pytest.fixture(params=SETS)
def isa(request):
    with using(request.param):
        yield request.param


def build():
    return nn.Sequential(nn.RBELinear(70, 24), nn.RBEActivation(24), nn.RBELinear(24, 20), nn.Linear(20, 4))


def backward(model, size, batch=6):
    model(rbe.randn(batch, 70)).backward(rbe.randn(batch, 4) * size)


def parts(model, optimizer):
    """Everything that a step may change, as bytes."""
    out = []
    for p in model.parameters():
        out += [p.hi.tobytes(), p.lo.tobytes()] if p.is_packed else [p.detach().numpy().tobytes()]
    state = optimizer.state_dict()
    out += [np.asarray(v).tobytes() for entry in state["state"].values() for v in entry.values()]
    return [*out, state["steps"]]


def check(model, optimizer, folder):
    for p in model.parameters():
        if p.is_packed:
            assert np.linalg.norm(p.lo.astype(float), axis=-1).max() <= 1 - 1e-3 + 1e-6
        else:
            assert rbe.isfinite(p).all()
    for entry in optimizer.state_dict()["state"].values():
        for name, value in entry.items():
            if name not in ("step", "charges", "guard"):
                assert rbe.isfinite(value).all()
                assert name == "exp_avg" or (value >= 0).all()
    rbe.save(folder / "state", {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    saved = rbe.load(folder / "state")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])


@pytest.mark.parametrize("mode", ["error", "skip", "in_backward"])
@pytest.mark.parametrize("options", [{}, {"evidence": "exact"}, {"interaction": 0.5}], ids=["int8", "exact", "interaction"])
def test_gradients_of_any_size_leave_everything_finite(isa, mode, options, tmp_path):
    model = build()
    on_nonfinite = "skip" if mode == "skip" else "error"
    optimizer = HybridOptimizer(model.parameters(), on_nonfinite=on_nonfinite, in_backward=mode == "in_backward", **options)
    rng = Inputs(3)
    taken = 0
    for size in [*SIZES, *rng.permutation(np.repeat(SIZES, 2)), *rng.permutation(SIZES)]:
        optimizer.zero_grad()
        before, skipped = parts(model, optimizer), optimizer.skipped
        refused = False
        try:
            backward(model, float(size))
            optimizer.step()
        except rbe.NonFiniteError:
            refused = True
            assert mode != "skip"
        if mode != "in_backward" and (refused or optimizer.skipped > skipped):
            assert parts(model, optimizer) == before
        else:
            taken += 1
    assert taken > 40
    check(model, optimizer, tmp_path)


def course(spike, before, options, model=None):
    """Flips and movement of the points in 300 ordinary steps after one with a gradient of size `spike`."""
    rbe.manual_seed(1)
    model = nn.RBELinear(64, 16)
    optimizer = HybridOptimizer(model.parameters(), **options)

    def step(size):
        optimizer.zero_grad()
        model(rbe.randn(4, 64)).backward(rbe.randn(4, 16) * size)
        optimizer.step()
        return optimizer.flips

    for _ in range(before):
        step(1.0)
    at_once = 0
    if spike is not None:
        lo = model.weight.lo
        at_once = step(spike)
        assert np.abs(model.weight.lo - lo).max() < 0.1
    lo, bias = model.weight.lo, model.bias.detach().numpy().copy()
    flips = sum(step(1.0) for _ in range(300))
    moved = np.abs(model.weight.lo - lo).mean(), np.abs(model.bias.detach().numpy() - bias).mean()
    return at_once, np.array([flips, *moved])


@pytest.mark.parametrize("options", [{}, {"evidence": "exact"}, {"interaction": 0.5}], ids=["int8", "exact", "interaction"])
@pytest.mark.parametrize("before", [0, 1, 200])
def test_the_steps_after_a_spike_train_on(isa, options, before):
    _, usual = course(None, before, options)
    for spike in (1e3, 1e14, 1e18, 1e30, 1e37):
        at_once, after = course(spike, before, options)
        assert at_once < 64 * 16 / 10
        assert (after > usual / 2).all(), (spike, after, usual)


def test_a_lasting_change_of_size_is_followed():
    # Steps depend on gradients by their direction: after some steps a change of scale makes no difference.
    def run(sizes):
        rbe.manual_seed(2)
        model = nn.RBELinear(64, 16)
        optimizer = HybridOptimizer(model.parameters())
        flips = []
        for size in sizes:
            optimizer.zero_grad()
            model(rbe.randn(4, 64)).backward(rbe.randn(4, 16) * size)
            optimizer.step()
            flips.append(optimizer.flips)
        return np.sum(flips[60:])

    usual = run([1.0] * 360)
    for change in (1e-8, 1e-5, 1e4, 1e9):
        assert 0.5 * usual < run([1.0] * 50 + [change] * 310) < 2 * usual


def test_a_first_gradient_far_too_large_and_the_state_it_leaves(tmp_path):
    model = nn.RBELinear(64, 4)
    optimizer = HybridOptimizer(model.parameters())

    def step(size):
        optimizer.zero_grad()
        model(rbe.ones(4, 64)).backward(rbe.full((4, 4), size))
        optimizer.step()

    step(1e18)
    check(model, optimizer, tmp_path)
    step(1e37)
    check(model, optimizer, tmp_path)


@pytest.mark.parametrize("mode", ["error", "skip"])
def test_dense_parts_of_hybrid_models_obey_on_nonfinite(mode):
    p, q = nn.Parameter(rbe.ones(3)), nn.Parameter(rbe.ones(2, dtype=rbe.float64))
    optimizer = HybridOptimizer([p, q], on_nonfinite=mode)
    for bad in (float("nan"), float("inf"), -float("inf")):
        p.grad, q.grad = rbe.ones(3), rbe.tensor([1.0, bad], dtype=rbe.float64)
        with pytest.raises(rbe.NonFiniteError) if mode == "error" else contextlib.nullcontext():
            optimizer.step()
        assert p.tolist() == [1.0] * 3
        assert q.tolist() == [1.0] * 2
    for size in (1e25, 3e38):
        p.grad, q.grad = rbe.full((3,), size), rbe.full((2,), size, dtype=rbe.float64)
        optimizer.step()
    assert rbe.isfinite(p).all()
    assert rbe.isfinite(q).all()
    assert (p < 1.0).all()
    assert all(rbe.isfinite(v).all() for e in optimizer.state_dict()["state"].values() for k, v in e.items() if k != "step")


def test_ordinary_training_takes_no_notice(tmp_path):
    # A state without the record of earlier gradients has nothing to compare with: its steps are those without bounds.
    def run(record):
        rbe.manual_seed(1)
        model = build()
        optimizer = HybridOptimizer(model.parameters())
        for _ in range(60):
            optimizer.zero_grad()
            y = rbe.randint(0, 4, (8,))
            nn.functional.cross_entropy(model(rbe.randn(8, 70)), y).backward()
            optimizer.step()
            if not record:
                state = optimizer.state_dict()
                for entry in state["state"].values():
                    del entry["guard"]
                optimizer.load_state_dict(state)
        return [p.lo.tobytes() + p.hi.tobytes() if p.is_packed else p.detach().numpy().tobytes() for p in model.parameters()]

    assert run(True) == run(False)
