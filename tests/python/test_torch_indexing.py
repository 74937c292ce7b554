"""Indexing, views and changes in place against torch, with gradients; `make test-torch` installs torch."""

import functools

import beside_torch
import numpy as np
import pytest
import rbe
from beside_torch import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inputs import waves
from strategies import FULL_SHAPES, SHAPES, broadcastable, indices, without_arrays

# Elements are moved and added up, hardly computed.
assert_same = functools.partial(beside_torch.assert_same, rtol=1e-12, atol=1e-12)

pytestmark = pytest.mark.torch

PROPERTIES = settings(max_examples=300, deadline=None, derandomize=True)


def both(index):
    """The index for rbe and for torch."""
    return tuple(
        tuple(m(i) if isinstance(i, np.ndarray) else i for i in index)
        for m in (rbe.tensor, lambda i: torch.from_numpy(i.copy()))
    )


def outcome(action):
    """The result, or the error in its place."""
    try:
        return action(), None
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return None, error


@PROPERTIES
@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), indices(shape))))
def test_reading(case):
    shape, index = case
    i, j = both(index)
    x, y = rbe.tensor(waves(shape), requires_grad=True), torch.tensor(waves(shape), requires_grad=True)
    (got, refusal), (want, error) = outcome(lambda: x[i]), outcome(lambda: y[j])
    assert (refusal is None) == (error is None), (refusal, error)
    if error is not None:
        return
    assert_same(got, want)
    dy = waves(tuple(want.shape), 0.5)
    got.backward(rbe.tensor(np.asarray(dy)))
    want.backward(torch.tensor(dy))
    assert_same(x.grad, y.grad)


@PROPERTIES
@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), indices(shape))), st.data(), st.booleans())
def test_writing(case, data, recorded):
    shape, index = case
    i, j = both(index)
    places, error = outcome(lambda: torch.arange(int(np.prod(shape))).reshape(shape)[j])
    assume(error is None)
    assume(len(set(places.reshape(-1).tolist())) == places.numel())  # torch says nothing of places named twice
    value = data.draw(broadcastable(tuple(places.shape)))
    tensors = []
    for m, k in ((rbe.tensor, i), (torch.tensor, j)):
        x, w = m(waves(shape), requires_grad=True), m(waves(value, 0.3), requires_grad=True)
        h = x * 2.0 if recorded else x.detach() * 2.0
        h[k] = w
        (h * m(waves(shape, 0.7))).sum().backward()
        tensors.append((h, x, w))
    (h, x, w), (g, y, v) = tensors
    assert_same(h, g)
    assert_same(w.grad, v.grad)
    if recorded:
        assert_same(x.grad, y.grad)


CHANGES = [
    lambda t, w: t.add_(w),
    lambda t, w: t.mul_(w),
    lambda t, w: t.sub_(w, alpha=2),
    lambda t, w: t.div_(w),
    lambda t, w: t.copy_(w),
    lambda t, w: t.zero_(),
    lambda t, w: t.exp_(),
    lambda t, w: t.tanh_(),
    lambda t, w: t.clamp_(-0.25, 0.25),
    lambda t, w: t.masked_fill_(t > 0, 0.5),
    lambda t, w: t.__iadd__(w),
    lambda t, w: t.__imul__(w),
    lambda t, w: t.neg_(),
    lambda t, w: t.fill_(w.reshape(-1)[0]) if w.numel() == 1 else t,
    lambda t, w: t.__setitem__((slice(None, None, 2),), w[::2]) if len(t.shape) and t.shape[0] == w.shape[0] else t,
]
VIEWS = [
    lambda h, i: h,
    lambda h, i: h[i],
    lambda h, i: h.reshape(-1),
    lambda h, i: h.transpose(0, -1),
    lambda h, i: h.unsqueeze(0),
    lambda h, i: h.narrow(0, 0, 1),
]


@PROPERTIES
@given(
    FULL_SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), st.lists(indices(shape), min_size=3, max_size=3))),
    st.lists(st.tuples(st.integers(0, len(VIEWS) - 1), st.integers(0, len(CHANGES) - 1)), min_size=1, max_size=4),
    st.booleans(),
)
def test_programs_of_changes_through_views(case, steps, recorded):
    """Views are made first, then changed one after another: base, views and gradients agree, or both refuse."""
    shape, drawn = case
    basic = [without_arrays(index) for index in drawn]

    def run(m):
        x = m.tensor(waves(shape), requires_grad=True)
        w = m.tensor(waves(shape, 0.3), requires_grad=True)
        h = x * 2.0 if recorded else x.detach() * 2.0
        views = [VIEWS[v](h, basic[k % 3]) for k, (v, _) in enumerate(steps)]
        for k, (v, change) in enumerate(steps):
            CHANGES[change](views[k], VIEWS[v](w, basic[k % 3]))
        total = (h * m.tensor(waves(shape, 0.7))).sum()
        for k, view in enumerate(views):
            total = total + view.sum() * (k + 1.5)
        if total.requires_grad:
            total.backward()
        return h, x.grad, w.grad, *views

    (ours, refusal), (theirs, error) = outcome(lambda: run(rbe)), outcome(lambda: run(torch))
    if error is not None or refusal is not None:
        # Our tape keeps what it needs where torch's finds it changed: that is no error here.
        assert refusal is None or error is not None, refusal
        return
    for a, b in zip(ours, theirs, strict=True):
        if a is None or b is None:
            assert all(t is None or not t.detach().numpy().any() for t in (a, b))
        else:
            assert_same(a, b)


def test_results_that_share_memory_share_it_here_too():
    operations = {
        "slice": lambda m, x: x[1:], "select": lambda m, x: x[0], "transpose": lambda m, x: x.T, "view": lambda m, x: x.view(-1),
        "reshape": lambda m, x: x.reshape(4, 3), "expand": lambda m, x: x.unsqueeze(0).expand(2, 3, 4)[0], "split": lambda m, x: x.split(2)[0],
        "flip": lambda m, x: x.flip(0), "repeat": lambda m, x: x.repeat(1, 1), "index": lambda m, x: x[[0, 1]], "clone": lambda m, x: x.clone(),
        "mask": lambda m, x: x[x > -1], "pad": lambda m, x: m.nn.functional.pad(x, (0, 0)), "shrink": lambda m, x: m.nn.functional.pad(x, (-1, 0)),
        "contiguous": lambda m, x: x.contiguous(), "detach": lambda m, x: x.detach(), "narrow": lambda m, x: x.narrow(0, -2, 2),
        "dropout": lambda m, x: m.nn.functional.dropout(x, training=False), "cat": lambda m, x: m.cat([x]), "to": lambda m, x: x.to(x.dtype),
    }  # fmt: skip
    for name, operation in operations.items():
        shared = []
        for m in (rbe, torch):
            x = m.zeros(3, 4)
            operation(m, x).add_(1.0)
            shared.append(bool((x != 0).any()))
        assert shared[0] == shared[1], name
