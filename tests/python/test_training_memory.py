"""What training with products in int8 keeps: activations and gradients of large batches take a fraction of their bytes in float32."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from instruction_sets import SETS
from memory_in_use import bytes_saved
from rbe import nn
from rbe.errors import GraphError, NonFiniteError
from test_packed_precision import dense

F = nn.functional
ROWS, WIDTH = 640, 128  # more than 256 KB in float32


class Block(nn.Module):
    """A block of a transformer, all of whose activations are large."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.attention = nn.RBEMultiheadAttention(WIDTH, 4, batch_first=True)
        self.up, self.down = rbe.RBELinear(WIDTH, 4 * WIDTH), rbe.RBELinear(4 * WIDTH, WIDTH)

    def forward(self, x):
        """Map (N, T, WIDTH) to the same shape."""
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False, is_causal=True)[0]
        return x + self.down(self.up(self.norm2(x)).squared_relu())


def error(got, want):
    """Return the root of the mean square of the difference, as a share of that of `want`."""
    got, want = (np.asarray(a, dtype=np.float64) for a in (got, want))
    return np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2))


def flips(layer, g):
    """Return the flip gradient (out, in) of a weight whose cotangent is `g`."""
    w, hi = dense(layer), np.zeros_like(g)
    for n in range(g.shape[0]):
        for j in range(0, g.shape[1], 64):
            block = w[n, j : j + 64]
            hi[n, j : j + 64] = g[n, j : j + 64] * np.where(block == block.min(), 1, -1) * (block.max() - block.min())
    return hi


def step_of_linear(rows=ROWS, scale=1.0, columns=WIDTH):
    """Return a layer with a gradient, and the cotangent of its weight without the rounding of the upstream gradient."""
    draw = Inputs(3)
    layer = rbe.RBELinear(columns, 90)
    x, dy = draw.array(rows, columns, dtype=np.float32), scale * draw.array(rows, 90, dtype=np.float32)
    layer(rbe.tensor(x)).backward(rbe.tensor(dy.astype(np.float32)))
    absmax = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    return layer, dy.astype(np.float64).T @ (np.rint(x / absmax) * absmax).astype(np.float64)


def test_the_gradient_of_a_large_batch_takes_the_bytes_of_the_weight_and_is_that_of_the_product_but_for_rounding(int8):
    layer, g = step_of_linear()
    assert layer.weight.grad.nbytes == 90 * WIDTH * 4
    got = layer.weight.grad.hi.reshape(90, -1)[:, :WIDTH]
    assert 1e-4 < error(got, flips(layer, g)) < 0.1


def test_the_gradient_of_a_small_batch_is_exact(int8):
    layer, g = step_of_linear(200)
    assert layer.weight.grad.nbytes > 200 * (WIDTH + 90 * 4)
    assert error(layer.weight.grad.hi.reshape(90, -1)[:, :WIDTH], flips(layer, g)) < 1e-6


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_gradients_near_the_ends_of_the_range_are_kept_as_factors(int8, scale):
    layer, _ = step_of_linear(scale=scale)
    assert layer.weight.grad.nbytes > ROWS * (WIDTH + 90 * 4)


def test_gradients_of_several_passes_add_up(int8):
    layer, g = step_of_linear()
    draw = Inputs(3)
    x, dy = (draw.tensor(ROWS, n, dtype=np.float32) for n in (WIDTH, 90))
    layer(x).backward(dy)
    assert layer.weight.grad.nbytes == 90 * WIDTH * 4
    assert error(layer.weight.grad.hi.reshape(90, -1)[:, :WIDTH], 2 * flips(layer, g)) < 0.1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_upstream_gradient_that_is_not_finite_is_noticed_by_the_step(int8, bad):
    layer = rbe.RBELinear(WIDTH, 90)
    dy = np.ones((ROWS, 90), np.float32)
    dy[ROWS // 2, 7] = bad
    layer(Inputs(1).tensor(ROWS, WIDTH, dtype=np.float32)).backward(rbe.tensor(dy))
    optimizer = rbe.optim.HybridOptimizer(layer.parameters())
    with pytest.raises(NonFiniteError):
        optimizer.step()


def test_the_sum_over_rows_of_an_lstm_takes_the_bytes_of_its_weight(int8):
    lstm = nn.RBELSTM(64, 64, batch_first=True)
    out, _ = lstm(Inputs(2).tensor(40, 30, 64, dtype=np.float32))
    (out**2).sum().backward()
    for name, p in lstm.named_parameters():
        if p.is_packed:
            assert p.grad.nbytes == 4 * 64 * 64 * 4, name


def test_a_block_keeps_what_attention_reads_and_int8(int8):
    block = Block()
    x = Inputs(4).tensor(10, ROWS // 10, WIDTH, dtype=np.float32)
    elements = ROWS * WIDTH
    # Queries, keys and values and the result in float32; inputs of two norms and four products in int8; statistics.
    assert bytes_saved(block, x, "int8") <= elements * (4 * 4 + 2 + 7) * 1.1
    # Those of norms, the result of attention and that of the activation in float32, too.
    assert bytes_saved(block, x, "float32") >= elements * 4 * (4 + 2 + 2 + 1 + 4)


def test_gradients_through_a_block_are_those_of_products_in_float32_but_for_rounding():
    block = Block()
    x = Inputs(4).array(10, ROWS // 10, WIDTH, dtype=np.float32)
    found = {}
    for precision in ("float32", "int8"):
        with rbe.config.using(packed_matmul_precision=precision):
            block.zero_grad()
            leaf = rbe.tensor(x, requires_grad=True)
            block(leaf).backward(Inputs(5).tensor(*x.shape, dtype=np.float32))
            norms = [p.grad.numpy() for norm in (block.norm1, block.norm2) for p in norm.parameters()]
            packed = [p.grad.hi for p in block.parameters() if p.is_packed]
            found[precision] = [leaf.grad.numpy(), *norms, *packed]
    errors = [error(got, want) for got, want in zip(found["int8"], found["float32"], strict=True)]
    assert max(errors) < 0.1, errors


def test_training_of_large_batches_is_the_same_to_the_bit_on_every_set_and_for_any_number_of_threads(int8):
    found = set()
    x = Inputs(4).tensor(10, ROWS // 10, WIDTH, dtype=np.float32)
    for isa in SETS:
        for threads in (1,) if isa == "scalar" else (1, 3):
            with rbe.config.using(isa=isa, num_threads=threads):
                rbe.manual_seed(1)
                block = Block()
                optimizer = rbe.optim.HybridOptimizer(block.parameters())
                for _ in range(3):
                    optimizer.zero_grad()
                    loss = (block(x) ** 2).mean()
                    loss.backward()
                    optimizer.step()
                found.add(loss.item())
    assert len(found) == 1, found


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_a_change_in_place_of_what_is_kept_rounded_is_noticed(int8, norm):
    layer = rbe.RBELinear(WIDTH, 90)
    x = Inputs(1).leaf(ROWS, WIDTH, dtype=np.float32) * 1.0
    y = norm(WIDTH)(x)
    z = layer(y)
    x.add_(1.0)
    with pytest.raises(GraphError, match="input 0"):
        z.sum().backward()
    hidden = layer(Inputs(1).tensor(ROWS, WIDTH, dtype=np.float32)).squared_relu()
    out = rbe.RBELinear(90, 4)(hidden)
    hidden.mul_(2.0)
    with pytest.raises(GraphError, match="output"):
        out.sum().backward()


def test_the_graph_can_be_walked_twice(int8):
    layer, first = rbe.RBELinear(WIDTH, 90), rbe.RBELinear(WIDTH, WIDTH)
    x = Inputs(1).leaf(ROWS, WIDTH, dtype=np.float32)
    loss = layer(first(x).squared_relu()).sum()
    loss.backward(retain_graph=True)
    once = x.grad.numpy().copy()
    x.grad = None
    loss.backward()
    assert np.array_equal(x.grad.numpy(), once)


def test_squared_relu_is_the_square_of_relu():
    x = Inputs(1).leaf(5, 7)
    y = x.squared_relu()
    assert np.array_equal(y.detach().numpy(), np.maximum(x.detach().numpy(), 0) ** 2)
    y.backward(rbe.ones(5, 7, dtype=rbe.float64))
    assert np.allclose(x.grad.numpy(), 2 * np.maximum(x.detach().numpy(), 0), rtol=1e-12)
    assert np.isnan(rbe.tensor([np.nan]).squared_relu().numpy()).all()
