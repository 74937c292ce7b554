"""Attention against NumPy, packed attention against dense attention of the same weights, caches, errors."""

import math

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from reference import flip_gradient

F = nn.functional
RNG = Inputs()


def reference(q, k, v, mask=None, scale=None):
    """Attention by its definition, in float64."""
    scores = q @ np.swapaxes(k, -1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = scores if mask is None else scores + np.where(mask, 0.0, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True) @ v


def arrays(queries, s, e=8, f=6, lead=(2, 3)):
    return [RNG.array(*lead, *n) for n in ((queries, e), (s, e), (s, f))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(5, 7), (1, 1), (64, 64), (65, 129), (200, 3)])
def test_results_are_those_of_the_definition(sizes, dtype):
    q, k, v = arrays(*sizes)
    mask = RNG.random(sizes) < 0.6
    mask[:, 0] = True
    for options, seen in (
        ({}, None),
        ({"is_causal": True}, np.tri(*sizes, dtype=bool)),
        ({"attn_mask": rbe.tensor(mask)}, mask),
    ):
        out = F.scaled_dot_product_attention(*(rbe.tensor(x, dtype=dtype) for x in (q, k, v)), **options, scale=0.9)
        np.testing.assert_allclose(out.numpy(), reference(q, k, v, seen, 0.9), atol=2e-5 if dtype == "float32" else 1e-12)


def test_large_scores_do_not_overflow():
    q, k, v = (1e3 * x for x in arrays(70, 70))
    out = F.scaled_dot_product_attention(*(rbe.tensor(x, dtype="float32") for x in (q, k, v))).numpy()
    assert np.isfinite(out).all()


def test_a_query_that_sees_nothing_gives_zero_and_no_gradient():
    q, k, v = (rbe.tensor(x, requires_grad=True) for x in arrays(3, 4))
    mask = np.ones((3, 4), bool)
    mask[1] = False
    out = F.scaled_dot_product_attention(q, k, v, rbe.tensor(mask))
    out.sum().backward()
    assert (out.detach().numpy()[..., 1, :] == 0).all()
    assert (q.grad.numpy()[..., 1, :] == 0).all()
    assert all(np.isfinite(t.grad.numpy()).all() for t in (q, k, v))


def test_nan_is_not_lost():
    q, k, v = (rbe.tensor(x, dtype="float32") for x in arrays(3, 4))
    k[0, 0, 2, 0] = math.nan
    out = F.scaled_dot_product_attention(q, k, v).numpy()
    assert np.isnan(out[0, 0]).all()
    assert np.isfinite(out[1]).all()


def test_bits_do_not_depend_on_threads():
    x = RNG.array(4, 130, 3 * 4 * 16, dtype=np.float32)
    found = []
    before = rbe.get_num_threads()
    try:
        for threads in (1, 2, 4):
            rbe.set_num_threads(threads)
            t = rbe.tensor(x, requires_grad=True)
            q, k, v = (p.reshape(4, 130, 4, 16).transpose(1, 2) for p in t.split(64, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            (y * y).sum().backward()
            found.append((y.detach().numpy().copy(), t.grad.numpy().copy()))
    finally:
        rbe.set_num_threads(before)
    for other in found[1:]:
        assert all((a == b).all() for a, b in zip(found[0], other, strict=True))


def test_dropout_keeps_the_mean_and_repeats_with_the_seed():
    q, k, v = (rbe.tensor(x, dtype="float32") for x in arrays(64, 64, lead=(8,)))
    runs = []
    for seed in (1, 1, 2):
        rbe.manual_seed(seed)
        runs.append(F.scaled_dot_product_attention(q, k, rbe.ones_like(v), dropout_p=0.3).numpy())
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()
    assert abs(runs[0].mean() - 1) < 0.02  # 4096 weights a mean, each of variance 0.43 / 64
    assert (F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).numpy() == 0).all()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda q, k, v: F.scaled_dot_product_attention(q, k[..., :4], v), rbe.ShapeError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v[..., :2, :]), rbe.ShapeError),
        (lambda q, k, v: F.scaled_dot_product_attention(q[0], k, v[..., 0]), rbe.ShapeError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, rbe.ones(3, 5)), rbe.ShapeError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, rbe.ones(3, 4, dtype="int64")), rbe.DTypeError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, rbe.ones(3, 4), is_causal=True), rbe.TensorError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=1.5), rbe.TensorError),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True), rbe.ShapeError),
        (lambda q, k, v: nn.MultiheadAttention(10, 3), rbe.ShapeError),
        (lambda q, k, v: nn.TransformerEncoderLayer(8, 2, activation="sine"), rbe.TensorError),
    ],
)
def test_bad_input_is_a_typed_error(call, error):
    q, k, v = (rbe.tensor(x) for x in arrays(3, 4))
    with pytest.raises(error):
        call(q, k, v)


def decoded(packed):
    """The dense layer of a packed one's weights."""
    options = {"batch_first": True, "kdim": packed.kdim, "vdim": packed.vdim}
    dense = nn.MultiheadAttention(packed.embed_dim, packed.num_heads, **options)
    state = {k: v.to_dense() if v.is_packed else v for k, v in packed.state_dict().items()}
    dense.load_state_dict(state)
    return dense


CALLS = [
    {"need_weights": False, "is_causal": True},
    {"need_weights": True},
    {"need_weights": False, "key_padding_mask": rbe.tensor([[False] * 4 + [True], [False] * 5])},
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("sizes", [(64, 4, None), (96, 2, None), (64, 2, 80)])
@pytest.mark.usefixtures("float32_products")
def test_packed_attention_is_dense_attention_of_its_weights(sizes, call):
    width, heads, kdim = sizes
    packed = nn.RBEMultiheadAttention(width, heads, kdim=kdim, batch_first=True)
    dense = decoded(packed)
    x = rbe.randn(2, 5, width)
    keys = x if kdim is None else rbe.randn(2, 5, kdim)
    inputs = [[t.detach().clone().requires_grad_() for t in ((x,) if kdim is None else (x, keys, x))] for _ in range(2)]
    outs = []
    for layer, own in zip((packed, dense), inputs, strict=True):
        q, k, v = own * 3 if kdim is None else own
        out, _ = layer(q, k, v, **call)
        (out * out).sum().backward()
        outs.append(out.detach().numpy())
    np.testing.assert_allclose(outs[0], outs[1], atol=1e-5)
    for a, b in zip(*inputs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=2e-4, rtol=1e-4)
    for (name, p), q in zip(packed.named_parameters(), dense.parameters(), strict=True):
        if p.is_packed:
            want = flip_gradient(p, q.grad.numpy())
            np.testing.assert_allclose(p.grad.hi, want, atol=1e-4 * np.abs(want).max(), err_msg=name)
        else:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=2e-4, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", [nn.MultiheadAttention, nn.RBEMultiheadAttention])
@pytest.mark.parametrize("parts", [[1] * 9, [4, 5], [6, 1, 2]])
def test_a_cache_gives_what_the_whole_sequence_gives(kind, parts):
    layer = kind(64, 4, batch_first=True)
    x, cache = rbe.randn(3, 9, 64), nn.KeyValueCache()
    with rbe.no_grad():
        whole, _ = layer(x, x, x, need_weights=False, is_causal=True)
        found = [layer(p, p, p, need_weights=False, is_causal=True, cache=cache)[0] for p in x.split(parts, 1)]
    np.testing.assert_allclose(rbe.cat(found, 1).numpy(), whole.numpy(), atol=1e-5)
    assert cache.length == 9


def test_a_cache_is_for_generation():
    layer, x = nn.RBEMultiheadAttention(64, 4, batch_first=True), rbe.randn(1, 2, 64)
    with pytest.raises(rbe.GraphError):
        layer(x, x, x, need_weights=False, cache=nn.KeyValueCache())
    with rbe.no_grad():
        cache = nn.KeyValueCache()
        layer(x, x, x, need_weights=False, cache=cache)
        with pytest.raises(rbe.ShapeError):
            layer(rbe.randn(2, 2, 64), rbe.randn(2, 2, 64), rbe.randn(2, 2, 64), need_weights=False, cache=cache)
        with pytest.raises(rbe.TensorError):
            layer(x, x, x, need_weights=False, attn_mask=rbe.zeros(2, 2), cache=cache)
        assert cache.length == 2


def test_a_packed_encoder_learns_to_copy():
    rbe.manual_seed(0)
    layer, table, out = nn.RBETransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True), nn.Embedding(8, 64), nn.Linear(64, 8)
    place = nn.Embedding(6, 64)
    model = nn.ModuleList([layer, table, out, place])
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    rng = Inputs()
    losses = []
    for _ in range(150):
        x = rng.integers(0, 8, (32, 6))
        y = x[:, ::-1].reshape(-1).copy()  # the sequence backwards: every place has to look at another
        hidden = layer(table(rbe.tensor(x)) + place(rbe.arange(6)))
        loss = F.cross_entropy(out(hidden).reshape(-1, 8), rbe.tensor(y))
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.3 < 1.5 < losses[0]


@pytest.mark.parametrize("layer", [nn.MultiheadAttention, nn.RBEMultiheadAttention])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_positions_in_pieces_with_a_cache_give_what_the_whole_gives(layer, causal, batch_first):
    attention, cache = layer(64, 4, batch_first=batch_first), nn.KeyValueCache()
    x = rbe.randn(2, 90, 64) if batch_first else rbe.randn(90, 2, 64)
    axis = 1 if batch_first else 0
    with rbe.no_grad(), rbe.config.using(packed_matmul_precision="float32"):
        whole, _ = attention(x, x, x, need_weights=False, is_causal=causal)
        pieces = x.split([70, 1, 3, 1, 15], axis)
        parts = [attention(p, p, p, need_weights=False, is_causal=causal, cache=cache)[0] for p in pieces]
    assert cache.length == 90
    if not causal:  # only the last piece has seen all keys
        whole, parts = whole.narrow(axis, 75, 15), parts[-1:]
    np.testing.assert_allclose(rbe.cat(parts, axis).numpy(), whole.numpy(), atol=2e-5)


def test_a_cache_gives_the_same_whether_weights_are_returned_or_not():
    attention = nn.RBEMultiheadAttention(64, 4, batch_first=True)
    one, other = nn.KeyValueCache(), nn.KeyValueCache()
    with rbe.no_grad():
        for x in rbe.randn(2, 12, 64).split([5, 1, 6], 1):
            out, _ = attention(x, x, x, need_weights=False, is_causal=True, cache=one)
            weighed, weights = attention(x, x, x, is_causal=True, cache=other)
            np.testing.assert_allclose(out.numpy(), weighed.numpy(), atol=2e-5)
            assert weights.shape == (2, x.shape[1], one.length)


def test_a_call_that_fails_leaves_the_cache_as_it_was():
    attention, cache = nn.RBEMultiheadAttention(64, 4, batch_first=True), nn.KeyValueCache()
    x = rbe.randn(2, 3, 64)

    def attend(x, layer=attention, **options):
        return layer(x, x, x, need_weights=False, is_causal=True, cache=cache, **options)[0]

    with pytest.raises(rbe.GraphError):
        attend(x)
    with rbe.no_grad():
        with pytest.raises(rbe.ShapeError):
            cache.attend(x, 4, True)  # 64 is no width of queries, keys and values
        first = attend(x)
        for wrong in (rbe.randn(1, 3, 64), rbe.randn(3, 64)):
            with pytest.raises(rbe.ShapeError):
                attend(wrong)
        with pytest.raises(rbe.DTypeError):
            cache.attend(rbe.randn(2, 3, 192).double(), 4, True)
        with pytest.raises(rbe.TensorError):
            attend(x, attn_mask=rbe.zeros(3, 3))
        assert cache.length == 3
        again = attention(rbe.cat([x, x], 1), rbe.cat([x, x], 1), rbe.cat([x, x], 1), need_weights=False, is_causal=True)[0]
        np.testing.assert_allclose(rbe.cat([first, attend(x)], 1).numpy(), again.numpy(), atol=2e-2)
