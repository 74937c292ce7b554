import functools

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn

F = nn.functional


def test_fan_out_diamonds_and_accumulation():
    x = rbe.tensor([3.0], requires_grad=True)
    y = x * x
    (y + y * y).backward()
    assert x.grad.tolist() == [6 + 4 * 27]
    (x * 2.0).backward()
    assert x.grad.tolist() == [116]
    x.grad = None
    assert x.grad is None


def test_backward_twice_and_freed_graphs():
    x = rbe.tensor([3.0], requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]
    with pytest.raises(rbe.GraphError, match="retain_graph"):
        y.backward()
    assert x.grad.tolist() == [12]


def test_changes_in_place_are_noticed():
    x = rbe.tensor([3.0], requires_grad=True)
    h = x * 2.0
    y = h * h
    h.detach().add_(1.0)
    with pytest.raises(rbe.GraphError, match="in place"):
        y.backward()
    assert x.grad is None
    with pytest.raises(rbe.GraphError, match="no_grad"):
        x.add_(1.0)
    with rbe.no_grad():
        x.add_(1.0)
    assert x.tolist() == [4]


def test_misuse_has_clear_errors():
    x = rbe.ones(2, requires_grad=True)
    with pytest.raises(rbe.GraphError, match="more than one element"):
        (x * 2.0).backward()
    with pytest.raises(rbe.ShapeError):
        (x * 2.0).backward(rbe.ones(3))
    with pytest.raises(rbe.DTypeError):
        (x * 2.0).backward(rbe.ones(2, dtype=rbe.float64))
    with pytest.raises(rbe.GraphError, match="requires grad"):
        rbe.ones(1).backward()
    with pytest.raises(rbe.DTypeError):
        rbe.arange(3).requires_grad_()
    with pytest.raises(rbe.ShapeError):
        x.grad = rbe.ones(3)


def test_modes_nest_and_decorate():
    x = rbe.ones(1, requires_grad=True)
    with rbe.no_grad():
        assert not (x * 2.0).requires_grad
        with rbe.enable_grad():
            assert (x * 2.0).requires_grad
    assert rbe.is_grad_enabled()

    @rbe.no_grad()
    def f():
        return x * 2.0

    assert not f().requires_grad
    with rbe.set_grad_enabled(False):
        assert not rbe.is_grad_enabled()
    assert rbe.is_grad_enabled()
    assert not (x * 2.0).detach().requires_grad


def test_hooks_retain_grad_and_nodes():
    x = rbe.tensor([2.0], requires_grad=True)
    h = x * 3.0
    h.retain_grad()
    seen = []
    handle = h.register_hook(lambda g: (seen.append(g.tolist()), g * 10.0)[1])
    (h * h).backward()
    assert seen == [[12.0]]
    assert h.grad.tolist() == [120.0]
    assert x.grad.tolist() == [360.0]
    handle.remove()
    x.grad = None
    (x * 3.0).backward()
    assert x.grad.tolist() == [3.0]
    y = (x * 3.0).exp()
    assert y.grad_fn.name() == "exp"
    assert y.grad_fn.next_functions[0].name() == "mul"


def test_errors_of_hooks_arrive_unchanged():
    class Own(Exception):
        pass

    def hook(g):
        raise Own("mine")

    x = rbe.ones(1, requires_grad=True)
    x.register_hook(hook)
    with pytest.raises(Own, match="mine"):
        (x * 2.0).backward()
    assert x.grad is None


def test_grad_leaves_leaves_alone():
    x, y = rbe.tensor([2.0], requires_grad=True), rbe.tensor([5.0], requires_grad=True)
    (dx,) = rbe.autograd.grad(x * x * y, x)
    assert dx.tolist() == [20]
    assert x.grad is None
    with pytest.raises(rbe.GraphError, match="allow_unused"):
        rbe.autograd.grad(x * 2.0, y)
    assert rbe.autograd.grad(x * 2.0, [x, y], allow_unused=True)[1] is None


def test_user_defined_operations():
    class Scale(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            ctx.save_for_backward(x)
            return x * factor

        @staticmethod
        def backward(ctx, dy):
            return dy * ctx.factor, None

    x = rbe.tensor([1.0, 2.0], dtype=rbe.float64, requires_grad=True)
    assert rbe.autograd.gradcheck(lambda x: Scale.apply(x, 3.0) * x, [x])
    op = rbe.register_operation("cube", lambda x: x**3, lambda dy, y, x: dy * 3.0 * x * x)
    assert rbe.autograd.gradcheck(op, [x])
    wrong = rbe.register_operation("wrong", lambda x: x**3, lambda dy, y, x: dy * 2.0 * x * x)
    with pytest.raises(rbe.TensorError, match="gradcheck"):
        rbe.autograd.gradcheck(wrong, [x])
    zero = rbe.register_operation("zero", lambda x: x**3, lambda dy, y, x: dy * 0.0)
    with pytest.raises(rbe.TensorError, match="gradcheck"):
        rbe.autograd.gradcheck(zero, [x])
    short = rbe.register_operation("short", lambda x: x * 1.0, lambda dy, y, x: [])
    with pytest.raises(rbe.GraphError, match="short: expected 1 gradients"):
        short(x).sum().backward()


def test_a_saved_tensor_of_a_user_operation_is_watched():
    op = rbe.register_operation("keep", lambda x: x * 2.0, lambda dy, y, x: dy * 2.0)
    x = rbe.ones(2, requires_grad=True)
    y = op(x).sum()
    with rbe.no_grad():
        x.add_(1.0)
    with pytest.raises(rbe.GraphError, match="in place"):
        y.backward()


def test_the_gradient_of_the_levels_is_the_sum_over_their_bits():
    layer = nn.RBELinear(130, 37)
    x = rbe.randn(50, 130)
    y = layer(x)
    upstream = rbe.randn(50, 37)
    y.backward(upstream)
    gradient = np.zeros((37, 3 * 64))
    inputs = x.numpy()
    if rbe.get_packed_matmul_precision() == "int8":  # the gradient is that of the rounded inputs
        scale = np.abs(inputs).max(1, keepdims=True) / np.float32(127)
        inputs = np.rint(inputs / scale) * scale
    gradient[:, :130] = upstream.numpy().T.astype(np.float64) @ inputs
    bits = layer.weight.hi[:, :, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    parts = gradient.reshape(bits.shape)
    expected = np.stack([(parts * (bits == b)).sum(-1) for b in (0, 1)], -1)
    grad = layer.weight.grad
    before, points = grad.levels, grad.lo
    assert before.dtype == np.float32
    grad.hi  # noqa: B018 (finds the levels on its way)
    for found in (before, grad.levels):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(grad.lo, points, rtol=1e-4, atol=1e-5)
    grad.levels[:] = 0  # a copy
    np.testing.assert_allclose(grad.levels, expected, atol=1e-4)
    activation = nn.RBEActivation(4)
    activation(rbe.randn(3, 4)).sum().backward()
    with pytest.raises(rbe.GraphError, match="levels"):
        activation.weight.grad.levels  # noqa: B018


def test_checkpoint_repeats_random_numbers_and_reaches_parameters():
    layer = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.5), nn.RBELinear(6, 4))
    x = rbe.randn(5, 6, requires_grad=True)

    def run(wrapped):
        rbe.manual_seed(1)
        layer.zero_grad()
        x.grad = None
        y = rbe.autograd.checkpoint(layer, x) if wrapped else layer(x)
        (y * y).sum().backward()
        dense = [p.grad.numpy().copy() for p in layer.parameters() if not p.is_packed]
        return [*dense, layer[3].weight.grad.hi, x.grad.numpy().copy()]

    for a, b in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(a, b)
    frozen = x.detach()
    layer.zero_grad()
    (rbe.autograd.checkpoint(layer, frozen) ** 2).sum().backward()
    assert layer[0].weight.grad is not None


def test_checkpoint_takes_earlier_results_as_inputs():
    x = rbe.randn(3, requires_grad=True)
    early = x.sin()
    with pytest.raises(rbe.GraphError, match="sin"):
        rbe.autograd.checkpoint(lambda y: y * early, x)
    rbe.autograd.checkpoint(lambda y, e: y * e, x, early).sum().backward()
    expected = x.grad.numpy().copy()
    x.grad = None
    (x * x.sin()).sum().backward()
    np.testing.assert_allclose(expected, x.grad.numpy(), rtol=1e-6)


def test_checkpoint_in_backward_updates_each_packed_tensor_once():
    def train(wrapped):
        rbe.manual_seed(0)
        layer = nn.RBELinear(20, 20, bias=False)
        optimizer = rbe.optim.HybridOptimizer(layer.parameters(), in_backward=True)
        x = rbe.randn(8, 20)
        run = functools.partial(rbe.autograd.checkpoint, layer) if wrapped else layer
        (run(run(x)) ** 2).sum().backward()
        optimizer.step()
        return layer.weight.hi, layer.weight.lo

    for a, b in zip(train(False), train(True), strict=True):
        np.testing.assert_array_equal(a, b)


def test_graph_object_and_budgets():
    def build():
        g = rbe.ComputationGraph()
        for _ in range(64):
            g.register_operation("sin", lambda x: x.sin(), lambda dy, y, x: dy * x.cos())
        return g

    x = rbe.randn(100, dtype=rbe.float64).requires_grad_()
    grads = []
    for kwargs in ({"strategy": "none"}, {"strategy": "every", "every": 3}, {"strategy": "adaptive", "budget_bytes": 20_000}):
        x.grad = None
        build().enable_checkpointing(**kwargs).execute(x).sum().backward()
        grads.append(x.grad.numpy().copy())
    np.testing.assert_array_equal(grads[0], grads[1])
    np.testing.assert_array_equal(grads[0], grads[2])
    rbe.memory.clear()
    held = []
    for budget in (0, 10**9):
        before = rbe.memory.pool_stats()["in_use_bytes"]
        y = build().enable_checkpointing("adaptive", budget_bytes=budget).execute(x)
        held.append(rbe.memory.pool_stats()["in_use_bytes"] - before)
        del y
    assert held[0] < held[1] / 3  # 2 sqrt(64) values of 64
    with pytest.raises(rbe.GraphError):
        rbe.ComputationGraph().execute(x)
    with pytest.raises(rbe.TensorError):
        build().enable_checkpointing("sometimes")


def test_deep_chains_neither_overflow_nor_recurse():
    x = rbe.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + x
    y.backward()
    assert x.grad.tolist() == [100_001]
    del y


@pytest.mark.parametrize("in_features", [5, 64, 70, 130])
@pytest.mark.parametrize("bias", [True, False])
def test_packed_linear_gradcheck(in_features, bias):
    rng = Inputs(in_features)
    blocks = -(-in_features // 64)
    hi = rng.integers(0, 2**63, (3, blocks), dtype=np.uint64)
    if in_features % 64:
        hi[:, -1] &= np.uint64((1 << in_features % 64) - 1)
    x = rng.leaf(2, in_features)
    z = rbe.tensor(rng.uniform(-0.6, 0.6, (3, blocks, 2)), requires_grad=True)
    b = rng.leaf(3)
    if bias:
        assert rbe.autograd.gradcheck(lambda x, z, b: F.packed_linear(x, hi, z, 0.3, b), [x, z, b])
    else:
        assert rbe.autograd.gradcheck(lambda x, z: F.packed_linear(x, hi, z, 0.3), [x, z])


@pytest.mark.parametrize("family", range(5))
@pytest.mark.parametrize("phase", range(2))
def test_rbe_activation_gradcheck(family, phase):
    hi = np.array([family << 8 | phase << 6 | f for f in (25, 32, 36)], dtype=np.uint64)
    x = rbe.tensor(Inputs(1).uniform(-1, 1, (4, 3)), requires_grad=True)
    z = rbe.tensor([[0.3, 0.2], [-0.5, 0.4], [0.1, -0.6]], dtype=rbe.float64, requires_grad=True)
    assert rbe.autograd.gradcheck(lambda x, z: F.rbe_activation(x, hi, z), [x, z])


def test_bad_activation_states_are_refused():
    x, z = rbe.zeros(2, 1), rbe.tensor([[0.3, 0.2]])
    for bits in (5 << 8, 2 << 8 | 2 << 6, 1 << 11):
        with pytest.raises(rbe.TensorError, match="cycle state"):
            F.rbe_activation(x, np.array([bits], np.uint64), z)
    with pytest.raises(rbe.TensorError, match="1e-3"):
        F.rbe_activation(x, np.array([2 << 8 | 32], np.uint64), rbe.zeros(1, 2))


def test_packed_gradients_of_an_actual_flip():
    rng = Inputs()
    layer = rbe.RBELinear(70, 3, bias=False)
    x, c = (
        rng.tensor(4, 70, dtype=np.float32),
        rng.tensor(4, 3, dtype=np.float32),
    )

    def loss(w):
        return (x.packed_matmul(w) * c).sum()

    loss(layer.weight).backward()
    g = layer.weight.grad
    assert (g.hi.shape, g.lo.shape, g.interaction.shape) == ((3, 2, 64), (3, 2, 2), (3, 2, 64, 2))
    base = loss(layer.weight).item()
    for n, j, k in [(0, 0, 5), (1, 1, 3), (2, 0, 63)]:
        hi = layer.weight.hi
        hi[n, j] ^= np.uint64(1 << k)
        flipped = rbe.RBETensor.packed(hi, layer.weight.lo, (3, 70), layer.weight.scale)
        assert loss(flipped).item() - base == pytest.approx(g.hi[n, j, k], abs=2e-5)
    assert (g.hi[:, 1, 6:] == 0).all()
    layer.weight.copy_(flipped)
    with pytest.raises(rbe.GraphError, match="zero_grad"):
        _ = g.hi


def test_conventions_at_kinks():
    x = rbe.zeros(1, requires_grad=True)
    for f in (lambda x: x.relu(), lambda x: x.abs()):
        x.grad = None
        f(x).backward()
        assert x.grad.tolist() == [0.0]
    assert rbe.zeros(1).sign().tolist() == [0.0]
    a, b = rbe.ones(1, requires_grad=True), rbe.ones(1, requires_grad=True)
    rbe.maximum(a, b).backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([0.5], [0.5])


def test_packed_linear_without_inputs_or_outputs_is_refused():
    for x, hi, z in [((2, 0), (3, 0), (3, 0, 2)), ((2, 5), (0, 1), (0, 1, 2))]:
        with pytest.raises(rbe.ShapeError, match="at least one"):
            F.packed_linear(rbe.zeros(*x), np.zeros(hi, np.uint64), rbe.zeros(*z), 1.0)
