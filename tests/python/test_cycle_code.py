"""RBELinear(code="cycle"): weights that 11-bit cycle states generate."""

import copy

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn

F = nn.functional
FAMILIES = {
    0: (np.sin, np.cos),
    2: (np.tanh, lambda u: 1 / np.cosh(u) ** 2),
    4: (lambda u: np.sign(u) * np.log1p(np.abs(u)), lambda u: 1 / (1 + np.abs(u))),
}


def generated(hi, lo, rows, cols, scale):
    """Return the weight (rows, cols) of circular, tanh and log states, in float64."""
    u = (2 * np.arange(64) - 63) / 63
    blocks = []
    for word, z in zip(np.ravel(hi).tolist(), np.asarray(lo, np.float64).reshape(-1, 2), strict=True):
        r = np.hypot(*z)
        d, theta = 2 * np.arctanh(r), np.arctan2(z[1], z[0])
        family, phase, omega = word >> 8, word >> 6 & 3, 2 ** ((word & 63) / 8 - 4)
        value = FAMILIES[family][phase % 2](omega * u + theta)
        blocks.append(scale * d * (-value if family == 0 and phase > 1 else value))
    return np.reshape(blocks, (rows, -1))[:, :cols]


def states(draw, count):
    """Return states of every family that weights have."""
    return np.array([2 * (i % 3) << 8 | int(draw.integers(0, 128, 1)[0]) for i in range(count)], np.uint64)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (64, 2), (70, 5), (200, 4)])
def test_weights_are_the_values_of_the_cycle_at_64_positions(inputs, outputs):
    layer, x = rbe.RBELinear(inputs, outputs, code="cycle"), Inputs(1).array(6, inputs, dtype=np.float32)
    blocks = -(-inputs // 64)
    assert layer.weight.shape == (outputs * blocks, 11)
    assert layer.weight.nbytes == 16 * outputs * blocks
    w = generated(layer.weight.hi, layer.weight.lo, outputs, inputs, 1 / np.sqrt(inputs))
    want = x @ w.T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(rbe.tensor(x)).detach().numpy(), want, rtol=1e-4, atol=1e-5)


def test_fresh_weights_are_as_large_as_those_of_levels():
    layer = rbe.RBELinear(640, 200, code="cycle")
    w = generated(layer.weight.hi, layer.weight.lo, 200, 640, 1 / np.sqrt(640))
    assert abs(np.mean(w**2) * 640 - 1) < 0.05
    rbe.manual_seed(4)
    first = rbe.RBELinear(64, 3, code="cycle").weight
    rbe.manual_seed(4)
    again = rbe.RBELinear(64, 3, code="cycle").weight
    assert np.array_equal(first.hi, again.hi)
    assert np.array_equal(first.lo, again.lo)


@pytest.mark.parametrize(("cols", "bias"), [(5, True), (64, False), (70, True)])
def test_levels_and_inputs_pass_a_gradcheck(cols, bias):
    draw, blocks = Inputs(2), -(-cols // 64)
    hi = np.array(
        [family << 8 | phase << 6 | 28 for family, phase in [(0, 1), (2, 0), (4, 1), (0, 3), (2, 1), (4, 0)]], np.uint64
    )
    hi = hi[: 3 * blocks]
    z = rbe.tensor(0.6 * np.tanh(draw.array(len(hi), 2)), requires_grad=True)
    leaves = (draw.leaf(4, cols), z, *([draw.leaf(3)] if bias else []))
    assert rbe.autograd.gradcheck(lambda x, z, *b: F.cycle_linear(x, hi, z, 0.3, *b), leaves)


def test_flips_are_the_change_of_a_linear_loss():
    draw, rows, cols = Inputs(3), 3, 70
    layer = rbe.RBELinear(cols, rows, bias=False, code="cycle")
    hi = states(draw, 6)
    lo = np.asarray(layer.weight.lo).reshape(6, 1, 2)
    layer.weight = nn.Parameter(rbe.RBETensor.packed(hi.reshape(6, 1), lo, (6, 11), 0.2))
    x, dy = draw.array(5, cols, dtype=np.float32), draw.array(5, rows, dtype=np.float32)
    layer(rbe.tensor(x)).backward(rbe.tensor(dy))
    g = dy.astype(np.float64).T @ x.astype(np.float64)

    def loss(hi, lo):
        return (g * generated(hi, lo, rows, cols, 0.2)).sum()

    before, size = loss(hi, lo), np.abs(g).sum()
    invalid = 0
    for block in range(6):
        for bit in range(11):
            flipped = hi.copy()
            flipped[block] ^= np.uint64(1 << bit)
            found = layer.weight.grad.hi[block, 0, bit]
            family, phase = int(flipped[block]) >> 8, int(flipped[block]) >> 6 & 3
            if family not in FAMILIES or (family in (2, 4) and phase > 1):
                invalid += 1
                assert found == np.inf
            else:
                want = loss(flipped, lo) - before
                assert abs(found - want) <= 1e-4 * (abs(want) + size), (block, bit)
        for axis in range(2):
            ends = []
            for step in (1e-6, -1e-6):
                moved = lo.astype(np.float64)
                moved[block, 0, axis] += step
                ends.append(loss(hi, moved))
            want = (ends[0] - ends[1]) / 2e-6
            assert abs(layer.weight.grad.lo[block, 0, axis] - want) <= 2e-4 * (abs(want) + size)
    assert invalid > 0
    assert not layer.weight.grad.hi[:, :, 11:].any()


def test_layers_save_load_and_copy(tmp_path):
    layer, x = rbe.RBELinear(70, 5, code="cycle"), rbe.randn(3, 70)
    rbe.save(layer.state_dict(), tmp_path / "layer.safetensors")
    other = rbe.RBELinear(70, 5, code="cycle")
    assert not rbe.equal(other(x), layer(x))
    other.load_state_dict(rbe.load(tmp_path / "layer.safetensors"))
    assert rbe.equal(other(x), layer(x))
    assert rbe.equal(copy.deepcopy(layer)(x), layer(x))
    assert "code='cycle'" in repr(layer)


def waves(draw, count):
    """Return sines of three frequencies with any phase (count, 64), and which of the three each has."""
    label, phase = draw.integers(0, 3, count), np.pi * draw.array(count, 1)
    samples = np.sin(np.array([2.0, 5.0, 9.0])[label][:, None] * (2 * np.arange(64) - 63) / 63 + phase)
    return rbe.tensor(samples.astype(np.float32)), rbe.tensor(label)


def test_a_small_problem_is_learnt():
    draw = Inputs(5)
    rbe.manual_seed(1)
    model = nn.Sequential(rbe.RBELinear(64, 64, code="cycle"), nn.ReLU(), rbe.RBELinear(64, 3, code="cycle"))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    losses, flips = [], 0
    for _ in range(300):
        x, y = waves(draw, 128)
        loss = F.cross_entropy(model(x), y)
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
        flips += optimizer.flips
    assert losses[-1] < 0.3 * losses[0], (losses[0], losses[-1])
    assert flips > 0
    x, y = waves(Inputs(9), 1000)
    assert (model(x).argmax(1) == y).float().mean() > 0.8


def test_threads_do_not_change_a_bit_of_training():
    def train():
        rbe.manual_seed(2)
        layer = rbe.RBELinear(130, 40, code="cycle")
        optimizer = rbe.optim.HybridOptimizer(layer.parameters())
        for _ in range(5):
            optimizer.step_with_autodiff((layer(rbe.randn(32, 130)) ** 2).mean())
        return np.array(layer.weight.hi), np.array(layer.weight.lo)

    with rbe.config.using(num_threads=1):
        want = train()
    with rbe.config.using(num_threads=3):
        found = train()
    assert all(np.array_equal(a, b) for a, b in zip(want, found, strict=True))


def test_sizes_may_come_from_the_first_input():
    layer = rbe.RBELinear(out_features=3, code="cycle")
    assert layer(rbe.randn(2, 70)).shape == (2, 3)
    assert layer.weight.shape == (6, 11)


def test_what_the_code_cannot_be_combined_with():
    with pytest.raises(rbe.TensorError, match=r"RBELinear: expected code 'levels' or 'cycle', got 'ring'"):
        rbe.RBELinear(64, 3, code="ring")
    layer, usual = rbe.RBELinear(64, 3, code="cycle"), rbe.RBELinear(64, 3)
    layer.precision = "float32"
    with pytest.raises(rbe.ConfigError, match=r"RBELinear.precision: expected 'float32' or None for code='cycle'"):
        layer.precision = "int8"
    assert layer.precision == "float32"
    before = np.array(layer.weight.hi)
    for state in (usual.state_dict(), nn.Linear(64, 3).state_dict()):
        with pytest.raises(rbe.TensorError):
            layer.load_state_dict(state)
        with pytest.raises(rbe.TensorError):
            rbe.load_torch_state_dict(layer, state, encode=True)
    assert np.array_equal(layer.weight.hi, before)
    for wrong in ((2, 300), (2, 65), (2, 3), ()):
        with pytest.raises(rbe.ShapeError, match="RBELinear"):
            layer(rbe.randn(*wrong))
    with pytest.raises(rbe.ShapeError, match="cycle_linear"):
        F.cycle_linear(rbe.randn(2, 300), layer.weight.hi.reshape(-1), rbe.tensor(layer.weight.lo.reshape(-1, 2)), 1.0)
    z = rbe.tensor([[0.3, 0.0]])
    for hi, point, scale in (
        ([5 << 8], z, 1.0),
        ([1 << 8], z, 1.0),
        ([3 << 8], z, 1.0),
        ([0], z * 0, 1.0),
        ([0], z, 0.0),
        ([0], z, float("nan")),
    ):
        with pytest.raises(rbe.TensorError):
            F.cycle_linear(rbe.ones(1, 64), np.array(hi, np.uint64), point, scale)
