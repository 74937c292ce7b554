"""Profiles and debug mode."""

import json
import threading
from pathlib import Path

import pytest
import rbe
from rbe import nn
from rbe.profiler import profile, record_function


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def test_every_operation_counts_forward_and_backward():
    model = nn.Sequential(nn.RBELinear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    x, y = rbe.randn(16, 64), rbe.randint(0, 10, (16,))
    with profile() as p:
        for _ in range(3):
            with record_function("a step"):
                step(model, optimizer, x, y)
    calls = {(r.name, r.phase): (r.calls, r.bytes) for r in p.rows()}
    for name, size in (("packed_linear", 32), ("relu", 32), ("linear", 10)):
        assert calls[name, "forward"] == (3, 3 * 16 * size * 4)
        assert calls[name, "backward"][0] == 3
    assert calls["cross_entropy", "forward"] == (3, 12)
    assert calls["HybridOptimizer", "step"][0] == 3
    assert calls["a step", "range"][0] == 3
    assert [e.start for e in p.events] == sorted(e.start for e in p.events)
    inside = sum(e.seconds for e in p.events if e.phase != "range")
    ranges = sum(e.seconds for e in p.events if e.phase == "range")
    assert 0 < inside <= ranges <= p.seconds
    step(model, optimizer, x, y)
    assert len(p.events) == 3 * 10


def test_the_table_and_the_trace(tmp_path):
    x = rbe.randn(300, 300, requires_grad=True)
    with profile() as p:
        (x @ x).tanh().sum().backward()
    lines = p.table(limit=3).splitlines()
    assert lines[0].split()[:3] == ["operation", "phase", "calls"]
    rows = p.rows()
    assert [r.seconds for r in rows] == sorted((r.seconds for r in rows), reverse=True)
    assert [line.split()[0] for line in lines[1:4]] == [r.name for r in rows[:3]]
    assert (len(lines), lines[-1].split()[0]) == (5, "whole:")
    p.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {(e["name"], e["cat"]) for e in events} >= {("matmul", "forward"), ("tanh", "backward")}
    assert all(e["ph"] == "X" and e["ts"] >= 0 and e["dur"] >= 0 for e in events)


def test_one_profile_at_a_time_and_none_left_behind():
    with profile(), pytest.raises(rbe.GraphError, match="active profile"):
        profile().__enter__()
    p = profile()
    with pytest.raises(rbe.TensorError), p:
        rbe.ones(2).exp().cumsum(5)
    assert [e.name for e in p.events] == ["exp"]
    with profile() as p:
        pass
    assert p.events == []
    with record_function("outside"):
        pass
    with pytest.raises(rbe.TensorError), record_function(""):
        pass


def test_other_threads_are_recorded():
    with profile() as p:
        threads = [threading.Thread(target=lambda: rbe.ones(3).exp()) for _ in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len({e.thread for e in p.events if e.name == "exp"}) == 2


def faulty(x):
    return x.log()  # made here


def message(x, f):
    with rbe.set_debug_mode(True), pytest.raises(rbe.NonFiniteError) as caught:
        f(x).sum().backward()
    assert not rbe.is_debug_mode()
    return caught.value


def test_debug_mode_names_the_rule_and_the_place():
    x = rbe.tensor([0.0, 4.0], requires_grad=True)
    error = message(x, lambda x: x.sqrt() * 0.0)
    assert error.op == "sqrt"
    assert f"{__file__}:" in error.expected
    assert "<lambda>" in error.expected
    assert x.grad is None


def test_debug_mode_names_the_forward_that_made_it():
    x = rbe.tensor([-1.0, 4.0], requires_grad=True)
    error = message(x, lambda x: (faulty(x) * 2.0).square())
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(lines, 1) if text.endswith("# made here"))
    assert error.op == "square"
    assert f"the forward pass of log made (called at {__file__}:{line} in faulty)" in error.got


def test_debug_mode_names_an_input_that_had_it():
    x = rbe.tensor([float("nan"), 4.0], requires_grad=True)
    assert "NaN given to exp as input 0" in message(x, lambda x: x.exp()).got


def test_debug_mode_changes_nothing_else():
    x = rbe.tensor([1.0, 4.0], requires_grad=True)
    with rbe.set_debug_mode(True):
        x.sqrt().sum().backward()
    assert x.grad.tolist() == [0.5, 0.25]
    rbe.set_debug_mode(True)
    assert rbe.is_debug_mode()
    rbe.set_debug_mode(False)
    (rbe.tensor([0.0], requires_grad=True).sqrt() * 0.0).sum().backward()
