"""Products of packed weights in int8: `rbe.set_packed_matmul_precision("int8")`."""

import copy
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import rbe
from inputs import Inputs
from instruction_sets import SETS
from memory_in_use import bytes_saved
from rbe import nn
from rbe.errors import ConfigError, NonFiniteError

F = nn.functional


class Recurrent(nn.Module):
    """The last state of a packed LSTM, classified."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.RBELSTM(20, 50, batch_first=True), rbe.RBELinear(50, 10)

    def forward(self, x):
        """Map (N, T, 20) to (N, 10)."""
        return self.out(self.lstm(x)[0][:, -1])


# Networks with awkward sizes, and the shape of a batch.
NETWORKS = {
    "linear": (
        lambda: nn.Sequential(
            rbe.RBELinear(100, 300), nn.ReLU(), rbe.RBELinear(300, 70), nn.Tanh(), rbe.RBELinear(70, 10, bias=False)
        ),
        (37, 100),
    ),
    "norms": (
        lambda: nn.Sequential(
            rbe.RBELinear(30, 64), nn.BatchNorm1d(64), nn.GELU(), nn.LayerNorm(64), rbe.RBELinear(64, 10)
        ),
        (26, 30),
    ),
    "convolution": (
        lambda: nn.Sequential(
            rbe.RBEConv2d(3, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), rbe.RBEConv2d(20, 12, 3, bias=False),
            nn.ReLU(), nn.Flatten(), rbe.RBELinear(48, 10),
        ),
        (6, 3, 8, 8),
    ),
    "transposed convolution": (
        lambda: nn.Sequential(
            nn.RBEConvTranspose2d(5, 12, 3, stride=2, padding=1), nn.ReLU(),
            nn.RBEConvTranspose2d(12, 6, (2, 3), groups=2, bias=False), nn.ReLU(), nn.Flatten(), rbe.RBELinear(540, 10),
        ),
        (6, 5, 5, 4),
    ),
    "lstm": (Recurrent, (9, 12, 20)),
    "transformer": (
        lambda: nn.Sequential(
            nn.RBETransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.1), nn.Flatten(), rbe.RBELinear(320, 10)
        ),
        (6, 10, 32),
    ),
}  # fmt: skip


def dense(layer):
    """Return the weight of a packed layer in float64 (of levels in float32)."""
    return layer.weight.to_dense().numpy().astype(np.float64)


def digest_of_training(name, steps):
    """Train and return a digest of every loss and of the weights."""
    build, shape = NETWORKS[name]
    rbe.manual_seed(3)
    model, draw = build(), Inputs(5)
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    digest = hashlib.sha256()
    for _ in range(steps):
        x, y = draw.tensor(shape, dtype=np.float32), rbe.tensor(draw.integers(0, 10, shape[0]))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        digest.update(loss.detach().numpy().tobytes())
    for key, value in sorted(model.state_dict().items()):
        parts = [value.hi, value.lo] if value.is_packed else [value.numpy()]
        for part in parts:
            digest.update(key.encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", NETWORKS)
def test_fifty_steps_are_the_same_to_the_bit_on_every_instruction_set_and_for_any_number_of_threads(name, int8):
    digests = {}
    for isa in SETS:
        for threads in (1,) if isa == "scalar" else (1, 2, 3, 8):
            with rbe.config.using(isa=isa, num_threads=threads):
                digests[isa, threads] = digest_of_training(name, 50)
    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("name", NETWORKS)
def test_the_setting_changes_the_results_of_every_kind_of_packed_layer(name):
    digests = set()
    for precision in ("float32", "int8"):
        with rbe.config.using(packed_matmul_precision=precision):
            digests.add(digest_of_training(name, 1))
    assert len(digests) == 2


def test_small_batches_are_rows_of_large_ones(int8):
    layer, x = rbe.RBELinear(130, 50), Inputs(1).tensor(40, 130, dtype=np.float32)
    y = layer(x)
    for batch in (1, 2, 7, 9, 16, 33):
        assert np.array_equal(layer(x[:batch]).detach().numpy(), y[:batch].detach().numpy()), batch


def test_the_forward_product_is_that_of_the_rounded_input(int8):
    draw = Inputs(2)
    layer, x = rbe.RBELinear(200, 60), draw.array(12, 200, dtype=np.float32)
    scale = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    rounded = np.rint(x / scale) * scale
    w = dense(layer)
    want = rounded.astype(np.float64) @ w.T + layer.bias.detach().numpy()
    got = layer(rbe.tensor(x)).detach().numpy()
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    exact = x.astype(np.float64) @ w.T + layer.bias.detach().numpy()
    error = np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact**2))
    assert 1e-4 < error < 2e-2


def test_gradients_are_those_of_the_rounded_product(int8):
    draw = Inputs(3)
    layer = rbe.RBELinear(90, 40)
    x, dy = draw.array(64, 90, dtype=np.float32), draw.array(64, 40, dtype=np.float32)
    leaf = rbe.tensor(x, requires_grad=True)
    layer(leaf).backward(rbe.tensor(dy))
    scale = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    rounded = (np.rint(x / scale) * scale).astype(np.float64)
    g = dy.astype(np.float64).T @ rounded
    hi = np.zeros_like(g)
    w = dense(layer)
    # A bit's flip changes its weight to the block's other level.
    for n in range(40):
        for j in range(0, 90, 64):
            block = w[n, j : j + 64]
            low, high = block.min(), block.max()
            hi[n, j : j + 64] = g[n, j : j + 64] * np.where(block == low, high - low, low - high)
    got = layer.weight.grad.hi.reshape(40, -1)[:, :90]
    assert np.abs(got - hi).max() <= 1e-4 * np.abs(hi).max()
    assert np.abs(layer.bias.grad.numpy() - dy.sum(axis=0)).max() <= 1e-4
    want = dy.astype(np.float64) @ w
    error = np.sqrt(np.mean((leaf.grad.numpy() - want) ** 2) / np.mean(want**2))
    assert 1e-4 < error < 4e-2


def test_inputs_in_float64_stay_exact(int8):
    layer, x = rbe.RBELinear(70, 20).double(), Inputs(4).leaf(5, 70)
    want = x.detach().numpy() @ dense(layer).T + layer.bias.detach().numpy()
    assert np.abs(layer(x).detach().numpy() - want).max() < 1e-6
    assert rbe.autograd.gradcheck(lambda x: layer(x), (x,))


def test_saved_inputs_take_a_quarter_of_the_memory(int8):
    batch, width = 512, 1024
    layer, x = rbe.RBELinear(width, 64), rbe.randn(batch, width)

    float32, rounded = bytes_saved(layer, x, "float32"), bytes_saved(layer, x, "int8")
    assert float32 >= batch * width * 4
    assert rounded <= batch * width * 1.3 + batch * 64 * 4


def test_training_reaches_what_float32_reaches():
    draw = Inputs(8)
    x = draw.array(256, 64, dtype=np.float32)
    y = rbe.tensor((x @ draw.array(64, 5, dtype=np.float32)).argmax(axis=1))
    losses = {}
    for precision in ("float32", "int8"):
        with rbe.config.using(packed_matmul_precision=precision):
            rbe.manual_seed(1)
            model = nn.Sequential(rbe.RBELinear(64, 128), nn.ReLU(), rbe.RBELinear(128, 5))
            optimizer = rbe.optim.HybridOptimizer(model.parameters())
            for _ in range(150):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(rbe.tensor(x)), y)
                loss.backward()
                optimizer.step()
            losses[precision] = loss.item()
    assert losses["int8"] < 0.3
    assert abs(losses["int8"] - losses["float32"]) < 0.1, losses


def test_sums_over_several_uses_and_batches_accumulate(int8):
    draw = Inputs(9)
    layer, parts = rbe.RBELinear(70, 30), [draw.tensor(n, 70, dtype=np.float32) for n in (3, 20, 1)]
    whole = rbe.cat(parts)
    (layer(whole) ** 2).sum().backward()
    want = layer.weight.grad.hi
    layer.zero_grad()
    for part in parts:
        (layer(part) ** 2).sum().backward()
    got = layer.weight.grad.hi
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def test_inputs_that_are_not_finite_do_not_become_finite(int8):
    layer = rbe.RBELinear(70, 30)
    x = Inputs(1).array(6, 70, dtype=np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        x[2, 5] = bad
        y = layer(rbe.tensor(x)).detach().numpy()
        assert np.isnan(y[2]).all()
        assert np.isfinite(np.delete(y, 2, axis=0)).all()
    optimizer = rbe.optim.HybridOptimizer(layer.parameters())
    before = copy.deepcopy(layer.state_dict())
    layer(rbe.tensor(x)).sum().backward()
    with pytest.raises(NonFiniteError):
        optimizer.step()
    assert np.array_equal(np.asarray(layer.weight.hi), np.asarray(before["weight"].hi))


def test_empty_batches_and_inputs_with_many_axes(int8):
    layer = rbe.RBELinear(70, 30)
    empty = rbe.zeros(0, 70, requires_grad=True)
    layer(empty).sum().backward()
    assert empty.grad.shape == (0, 70)
    x = Inputs(1).tensor(2, 3, 4, 70, dtype=np.float32)
    flat = layer(x.reshape(24, 70)).detach().numpy()
    assert np.array_equal(layer(x).detach().numpy().reshape(24, 30), flat)
    turned = x.transpose(0, 1)
    assert np.array_equal(layer(turned).detach().numpy(), layer(turned.contiguous()).detach().numpy())


def test_the_setting_is_checked_and_restored():
    with pytest.raises(ConfigError, match="float32"):
        rbe.set_packed_matmul_precision("int4")
    before = rbe.get_packed_matmul_precision()
    other = "float32" if before == "int8" else "int8"
    with pytest.raises(ConfigError):
        rbe.config.set(packed_matmul_precision=other, isa="mmx")
    assert rbe.get_packed_matmul_precision() == before
    with rbe.config.using(packed_matmul_precision=other):
        assert rbe.get_packed_matmul_precision() == other == rbe.config.get()["packed_matmul_precision"]
    assert rbe.get_packed_matmul_precision() == before


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_precision_of_a_layer_takes_precedence(name, precision):
    build, shape = NETWORKS[name]
    other = "float32" if precision == "int8" else "int8"
    rbe.manual_seed(0)
    model = build().eval()
    x = Inputs(5).tensor(*shape, dtype=np.float32)
    with rbe.config.using(packed_matmul_precision=precision):
        want = model(x)
    with rbe.config.using(packed_matmul_precision=other):
        assert not rbe.equal(model(x), want)
        for layer in model.modules():
            if isinstance(layer, nn.packed.Packed):
                layer.precision = precision
        assert rbe.equal(model(x), want)
        assert rbe.equal(copy.deepcopy(model)(x), want)


def test_the_precision_of_a_layer_ends_with_its_forward():
    with rbe.config.using(packed_matmul_precision="int8"):
        outer = nn.RBEMultiheadAttention(64, 4, batch_first=True)
        plain, x, y = rbe.RBELinear(64, 8), rbe.randn(3, 64), rbe.randn(2, 5, 64)
        rounded = plain(x)
        with rbe.config.using(packed_matmul_precision="float32"):
            exact = plain(x)
        outer.precision = "float32"
        inside = []
        outer.register_forward_hook(lambda *_: inside.append(plain(x)))
        outer(y, y, y)
        with pytest.raises(rbe.errors.RBEError):
            outer(y, y, y[:, :2])
        assert len(inside) == 1
        assert rbe.equal(inside[0], exact)
        assert rbe.equal(plain(x), rounded)


def test_a_setting_for_a_block_inside_a_layer_leaves_that_of_the_process():
    with rbe.config.using(packed_matmul_precision="int8"):
        layer = rbe.RBELinear(64, 8)
        layer.precision = "float32"

        def hook(*_):
            with rbe.config.using(packed_matmul_precision="int8"):
                pass

        layer.register_forward_hook(hook)
        layer(rbe.randn(3, 64))
        assert rbe.get_packed_matmul_precision() == "int8"


def test_a_layer_refuses_an_unknown_precision():
    layer = rbe.RBELinear(64, 8)
    layer.precision = "float32"
    with pytest.raises(ConfigError, match="int8"):
        layer.precision = "int4"
    assert layer.precision == "float32"


@pytest.mark.parametrize(("value", "ends"), [("int8", 0), ("float32", 0), ("bfloat16", 1)])
def test_the_environment_variable_decides_at_import(value, ends):
    code = "import rbe; print(rbe.get_packed_matmul_precision())"
    environment = {**os.environ, "RBE_PACKED_MATMUL_PRECISION": value}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == ends
    assert value in (run.stdout if ends == 0 else run.stderr)
