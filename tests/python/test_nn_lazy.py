"""Layers whose input size is left out."""

import copy
import pickle

import numpy as np
import pytest
import rbe
from rbe import nn

SEEN = {
    "linear": (lambda: nn.Linear(out_features=3), nn.Linear, (5, 3), (2, 5)),
    "lazy_linear": (lambda: nn.LazyLinear(3), nn.Linear, (5, 3), (2, 4, 5)),
    "packed_linear": (lambda: rbe.RBELinear(out_features=3), rbe.RBELinear, (5, 3), (2, 5)),
    "conv1d": (lambda: nn.LazyConv1d(4, 3, padding=1), lambda *a: nn.Conv1d(*a, 3, padding=1), (6, 4), (2, 6, 7)),
    "conv2d": (lambda: nn.LazyConv2d(4, 3, groups=2), lambda *a: nn.Conv2d(*a, 3, groups=2), (6, 4), (2, 6, 7, 8)),
    "no_samples": (lambda: nn.Conv2d(None, 4, 3), lambda *a: nn.Conv2d(*a, 3), (6, 4), (6, 7, 8)),
    "batch_norm1d": (lambda: nn.LazyBatchNorm1d(eps=0.1), lambda *a: nn.BatchNorm1d(*a, eps=0.1), (5,), (4, 5)),
    "batch_norm1d_along": (lambda: nn.LazyBatchNorm1d(), nn.BatchNorm1d, (5,), (4, 5, 3)),
    "batch_norm2d": (lambda: nn.BatchNorm2d(None), nn.BatchNorm2d, (5,), (4, 5, 3, 2)),
    "packed_conv2d": (lambda: rbe.RBEConv2d(None, 4, 3), lambda *a: rbe.RBEConv2d(*a, 3), (6, 4), (2, 6, 7, 8)),
}


@pytest.mark.parametrize("name", SEEN)
def test_the_first_input_builds_what_the_sizes_would_have(name):
    lazy, known, sizes, shape = SEEN[name]
    rbe.manual_seed(5)
    want = known(*sizes)
    layer, x = lazy(), rbe.zeros(*shape)
    rbe.manual_seed(5)
    layer(x)
    want(x)
    for key, value in want.state_dict().items():
        got = layer.state_dict()[key]
        assert got.is_packed == value.is_packed
        np.testing.assert_array_equal(*((t.to_dense() if t.is_packed else t).numpy() for t in (got, value)))
    assert repr(layer).partition("(")[2] == repr(want).partition("(")[2]
    x = rbe.rand(*shape)
    np.testing.assert_array_equal(layer(x).detach().numpy(), layer(x).detach().numpy())


def model():
    return nn.Sequential(rbe.RBEConv2d(None, 8, 3), nn.ReLU(), nn.Flatten(), rbe.RBELinear(out_features=16), nn.LazyLinear(2))


def test_parameters_wait_for_an_input():
    net = model()
    for ask in (net.parameters, net.state_dict, net.named_parameters):
        with pytest.raises(rbe.GraphError, match="RBEConv2d '0' without in_channels"):
            list(ask())
    net(rbe.zeros(1, 3, 6, 6))
    optimizer = rbe.optim.HybridOptimizer(net.parameters())
    optimizer.step_with_autodiff(net(rbe.randn(4, 3, 6, 6)).square().sum())
    assert [tuple(p.shape) for p in net.parameters()] == [(8, 3, 3, 3), (8,), (16, 128), (16,), (2, 16), (2,)]
    assert not any(m._hooks for m in net.modules())


def test_a_state_builds_too():
    source, target = model(), model()
    source(rbe.zeros(1, 3, 6, 6))
    target.load_state_dict(source.state_dict())
    x = rbe.randn(2, 3, 6, 6)
    np.testing.assert_array_equal(source(x).detach().numpy(), target(x).detach().numpy())


def test_a_state_that_does_not_fit_builds_nothing():
    source, target = model(), model()
    source(rbe.zeros(1, 3, 6, 6))
    state = source.state_dict()
    state["4.bias"] = rbe.zeros(7)
    with pytest.raises(rbe.ShapeError, match=r"4\.bias"):
        target.load_state_dict(state)
    with pytest.raises(rbe.GraphError, match="without"):
        list(target.parameters())
    assert target(rbe.zeros(1, 2, 7, 7)).shape == (1, 2)  # other sizes than the state's


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_built_apart(duplicate):
    first = nn.LazyLinear(3)
    second = duplicate(first)
    first(rbe.zeros(2, 5))
    second(rbe.zeros(2, 7))
    assert (first.weight.shape, second.weight.shape) == ((3, 5), (3, 7))


def test_dtypes():
    layer = nn.LazyLinear(3)
    assert layer(rbe.zeros(2, 5, dtype=rbe.float64)).dtype is rbe.float64
    layer = nn.LazyLinear(3, dtype=rbe.float64)
    layer(rbe.zeros(2, 5))
    assert layer.weight.dtype is rbe.float64


def test_bad_inputs():
    with pytest.raises(rbe.ShapeError, match="RBEConv2d"):
        rbe.RBEConv2d(None, 4, 3)(rbe.zeros(6))
    layer = nn.Conv2d(None, 4, 3, groups=2)
    with pytest.raises(rbe.ShapeError, match="groups"):
        layer(rbe.zeros(1, 3, 6, 6))
    assert layer(rbe.zeros(1, 4, 6, 6)).shape == (1, 4, 4, 4)
    with pytest.raises(rbe.ShapeError, match="out_features"):
        nn.Linear(4)


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}])
def test_a_state_builds_batch_norm(options):
    source, target = nn.LazyBatchNorm2d(**options), nn.LazyBatchNorm2d(**options)
    x = rbe.randn(4, 3, 5, 5)
    source(x)
    target.load_state_dict(source.state_dict())
    assert target.num_features == 3
    np.testing.assert_array_equal(target.eval()(x).detach().numpy(), source.eval()(x).detach().numpy())


def test_batch_norm_waits_for_an_input_that_fits():
    layer = nn.LazyBatchNorm2d()
    with pytest.raises(rbe.ShapeError, match="4 axes"):
        layer(rbe.zeros(4, 3))
    with pytest.raises(rbe.GraphError, match="num_features"):
        list(layer.parameters())
    assert layer(rbe.randn(4, 2, 3, 3)).shape == (4, 2, 3, 3)
