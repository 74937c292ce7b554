"""Packed convolutions, tables and attention in torch: beside rbe's own layers, to the bit, and beside torch's dense ones."""

import copy

import numpy as np
import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from rbe.torch import (  # noqa: E402
    HybridOptimizer,
    PackedLayer,
    RBEConv1d,
    RBEConv2d,
    RBEEmbedding,
    RBELinear,
    RBEMultiheadAttention,
    pack_,
    unpack,
)

nn, F = torch.nn, torch.nn.functional


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)


CONVOLUTIONS = [
    (RBEConv2d, (4, 8, 3), {}, (2, 4, 9, 7)),
    (RBEConv2d, (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}, (3, 4, 9, 7)),
    (RBEConv2d, (3, 5, 3), {"padding": "same", "bias": False}, (2, 3, 6, 6)),
    (RBEConv2d, (3, 5, 3), {"padding": 2, "padding_mode": "reflect"}, (2, 3, 6, 6)),
    (RBEConv2d, (3, 5, 3), {}, (3, 6, 6)),
    (RBEConv1d, (4, 8, 5), {"stride": 2, "padding": 2}, (3, 4, 20)),
    (RBEConv1d, (4, 8, 4), {"padding": "same", "dilation": 2}, (3, 4, 20)),
]


@pytest.mark.usefixtures("float32_products")
@pytest.mark.parametrize(("kind", "sizes", "options", "shape"), CONVOLUTIONS)
def test_convolutions_compute_what_dense_ones_do(kind, sizes, options, shape):
    layer = kind(*sizes, **options)
    dense = layer.dense()
    x = torch.randn(shape)
    found, want = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = layer(found), dense(want)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)
    dy = torch.randn_like(y)
    y.backward(dy)
    expected.backward(dy)
    torch.testing.assert_close(found.grad, want.grad, rtol=1e-4, atol=1e-4)
    if layer.bias is not None:
        torch.testing.assert_close(layer.bias.grad, dense.bias.grad, rtol=1e-4, atol=1e-4)
    levels_of(layer, dense.weight.grad)


def levels_of(layer, g):
    """Compare the gradients of the levels with sums of the dense gradient over the bits."""
    rows, columns = layer.shape[0], g[0].numel()
    g, hi = g.reshape(rows, columns).numpy(), layer.packed.hi
    bit = np.stack([(hi[:, k // 64] >> np.uint64(k % 64)) & np.uint64(1) for k in range(columns)], axis=1)
    for b in (0, 1):
        sums = [(g * (bit == b))[:, 64 * j : 64 * j + 64].sum(1) for j in range(hi.shape[1])]
        np.testing.assert_allclose(layer.packed.grad.levels[..., b], np.stack(sums, axis=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_convolutions_give_the_bits_of_rbe(precision):
    with rbe.config.using(packed_matmul_precision=precision):
        layer = RBEConv2d(4, 8, 3, padding=1)
        x, dy = torch.randn(2, 4, 6, 6, requires_grad=True), torch.randn(2, 8, 6, 6)
        a, w = rbe.tensor(x.detach().numpy(), requires_grad=True), layer.packed.detach()
        w.requires_grad = True
        want = rbe.nn.functional.conv2d(a, w, rbe.tensor(layer.bias.detach().numpy()), padding=1)
        want.backward(rbe.tensor(dy.numpy()))
        y = layer(x)
        y.backward(dy)
        assert np.array_equal(y.detach().numpy(), want.detach().numpy())
        assert np.array_equal(x.grad.numpy(), a.grad.numpy())
        assert np.array_equal(layer.packed.grad.hi, w.grad.hi)


def test_convolutions_pass_gradcheck():
    layer = RBEConv2d(2, 3, 3, stride=2, padding=1).double()
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


@pytest.mark.parametrize("padding", [None, 3, -1])
def test_tables_give_rows_and_their_gradients(padding):
    layer = RBEEmbedding(20, 70, padding)
    dense = layer.dense()
    index = torch.tensor([[0, 3, 19], [3, 3, 5]])
    y, want = layer(index), dense(index)
    assert torch.equal(y, want)
    assert torch.equal(layer(index.int()), want)
    dy = torch.randn(2, 3, 70)
    y.backward(dy)
    want.backward(dy)
    levels_of(layer, dense.weight.grad)


@pytest.mark.usefixtures("float32_products")
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"kdim": 24, "vdim": 40}, {"bias": False}])
def test_attention_computes_what_torchs_does(batch_first, sizes):
    layer = RBEMultiheadAttention(32, 4, batch_first=batch_first, **sizes)
    dense = layer.dense()
    q = torch.randn(3, 5, 32)
    k, v = torch.randn(3, 7, sizes.get("kdim", 32)), torch.randn(3, 7, sizes.get("vdim", 32))
    if not batch_first:
        q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    hidden = torch.zeros(3, 7, dtype=torch.bool)
    hidden[1, 4:] = True
    upper = torch.ones(5, 7).triu(3).bool()
    each = torch.randn(12, 5, 7)
    for options in (
        {},
        {"key_padding_mask": hidden},
        {"attn_mask": upper, "need_weights": False},
        {"attn_mask": each, "average_attn_weights": False},
        {"attn_mask": upper, "key_padding_mask": hidden},
    ):
        if options.get("key_padding_mask") is not None and options.get("attn_mask") is not None:
            options["key_padding_mask"] = torch.zeros(3, 7).masked_fill(hidden, float("-inf"))
            options["attn_mask"] = torch.zeros(5, 7).masked_fill(upper, float("-inf"))
        found, want = layer(q, k, v, **options), dense(q, k, v, **options)
        torch.testing.assert_close(found[0], want[0], rtol=1e-4, atol=1e-5)
        assert (found[1] is None) == (want[1] is None)
        if found[1] is not None:
            torch.testing.assert_close(found[1], want[1], rtol=1e-4, atol=1e-5)
    one = [x[0] if batch_first else x[:, 0] for x in (q, k, v)]
    torch.testing.assert_close(layer(*one), dense(*one), rtol=1e-4, atol=1e-5)


class Conversation(nn.Module):
    """Every kind of layer that is replaced, and one that shares its weight."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 64, padding_idx=0)
        self.conv = nn.Conv1d(64, 64, 3, padding=1)
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(64)
        self.head = nn.Linear(64, 30, bias=False)
        self.head.weight = self.table.weight

    def forward(self, index):
        x = self.table(index)
        x = x + self.conv(x.transpose(1, 2)).transpose(1, 2)
        return self.head(self.norm(self.encoder(x)))


def learn(model, steps=40):
    optimizer = HybridOptimizer(model)
    index = torch.randint(1, 30, (8, 12), generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(index).flatten(0, 1), index.roll(-1, 1).flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.filterwarnings("ignore:.*nested tensors.*")
def test_pack_replaces_all_layers_and_the_model_learns():
    model = pack_(Conversation())
    kinds = [type(m) for m in model.modules() if isinstance(m, PackedLayer | RBEMultiheadAttention)]
    assert (kinds.count(RBEEmbedding), kinds.count(RBEConv1d), kinds.count(RBEMultiheadAttention)) == (1, 1, 2)
    assert kinds.count(RBELinear) == 2 * (4 + 2) + 1
    assert model.head.packed is model.table.packed
    losses = learn(model)
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    index = torch.randint(1, 30, (2, 12))
    with rbe.config.using(packed_matmul_precision="float32"), torch.no_grad():
        dense = unpack(copy.deepcopy(model))
        torch.testing.assert_close(dense(index), model(index), rtol=1e-3, atol=1e-3)
    assert not any(isinstance(m, PackedLayer | RBEMultiheadAttention) for m in dense.modules())


def test_layers_are_skipped_by_name_class_or_function():
    def packed(skip):
        model = pack_(Conversation(), skip=skip)
        return {name for name, m in model.named_modules() if isinstance(m, PackedLayer)}

    everything = packed(())
    assert packed("conv") == everything - {"conv"}
    assert packed(["linear?", nn.MultiheadAttention]) == {"table", "conv", "head"}
    assert packed(lambda name, module: name.startswith("encoder")) == {"table", "conv", "head"}
    assert packed("head") == everything - {"head", "table"}  # which share their weight
    layer = pack_(nn.Linear(64, 8))
    assert isinstance(layer, RBELinear)


def test_encoded_layers_are_near_the_dense_ones():
    dense = nn.Sequential(nn.Linear(128, 64), nn.Conv2d(3, 8, 3), nn.Embedding(20, 64))
    packed = pack_(copy.deepcopy(dense), init="encode")
    for a, b in zip(packed, dense, strict=True):
        error = (a.weight - b.weight).square().sum() / b.weight.square().sum()
        assert error < 0.4
        assert getattr(b, "bias", None) is None or torch.equal(a.bias, b.bias)
