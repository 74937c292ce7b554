"""L-BFGS: what it refuses, and what a failed call leaves; test_torch_lbfgs.py compares it with torch."""

import copy
import pickle

import numpy as np
import pytest
import rbe


def problem():
    p = rbe.nn.Parameter(rbe.tensor([3.0, -2.0, 0.5]))
    optimizer = rbe.optim.LBFGS([p], lr=0.1, line_search_fn="strong_wolfe", max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = ((p - 1.0) ** 4).sum()
        loss.backward()
        return loss

    return p, optimizer, closure


def test_a_step_without_a_closure_is_refused():
    _, optimizer, _ = problem()
    with pytest.raises(rbe.DTypeError, match="closure"):
        optimizer.step()


@pytest.mark.parametrize("good", [1, 2, 3])
def test_a_closure_that_fails_leaves_parameters_and_history_as_they_were(good):
    p, optimizer, closure = problem()
    optimizer.step(closure)
    before, state, calls = p.tolist(), optimizer.state_dict(), []

    def failing():
        calls.append(1)
        if len(calls) > good:
            raise KeyError("stop")
        return closure()

    with pytest.raises(KeyError):
        optimizer.step(failing)
    assert p.tolist() == before
    after = optimizer.state_dict()["state"][0]
    assert all(rbe.equal(v, after[k]) if isinstance(v, rbe.RBETensor) else len(v) == len(after[k]) if isinstance(v, list) else v == after[k] for k, v in state["state"][0].items())  # fmt: skip


def test_one_group_of_dense_parameters_is_taken():
    p, optimizer, _ = problem()
    with pytest.raises(rbe.TensorError, match="one group"):
        optimizer.add_param_group({"params": [rbe.nn.Parameter(rbe.ones(2))]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(rbe.DTypeError):
        rbe.optim.LBFGS([rbe.RBELinear(64, 2).weight])
    with pytest.raises(rbe.TensorError, match="strong_wolfe"):
        rbe.optim.LBFGS([p], line_search_fn="weak")
    with pytest.raises(rbe.TensorError, match="max_iter"):
        rbe.optim.LBFGS([p], max_iter=0)


@pytest.mark.parametrize(
    "change",
    [
        {"d": rbe.ones(2)},
        {"d": 1.0},
        {"old_dirs": []},
        {"ro": [float("nan")]},
        {"n_iter": -1},
        {"t": "long"},
        {"H_diag": None},
    ],
)
def test_a_damaged_state_changes_nothing(change):
    p, optimizer, closure = problem()
    optimizer.step(closure)
    state = optimizer.state_dict()
    damaged = {**state, "state": {0: {**state["state"][0], **change}}}
    with pytest.raises(rbe.RBEError):
        optimizer.load_state_dict(damaged)
    q, other, closure_of_other = problem()
    other.step(closure_of_other)
    optimizer.step(closure)
    other.step(closure_of_other)
    assert p.tolist() == q.tolist()


def test_copies_go_on_where_the_original_was():
    p, optimizer, closure = problem()
    optimizer.step(closure)
    for copied in (copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))):
        q, other = copied((p, optimizer))
        assert other.param_groups[0]["params"][0] is q

        def again(q=q, other=other):
            other.zero_grad()
            loss = ((q - 1.0) ** 4).sum()
            loss.backward()
            return loss

        other.step(again)
        same, reference, closure_of_reference = problem()
        reference.step(closure_of_reference)
        reference.step(closure_of_reference)
        np.testing.assert_array_equal(q.detach().numpy(), same.detach().numpy())
