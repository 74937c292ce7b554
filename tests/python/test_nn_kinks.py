"""Values and gradients where formulas have kinks, cancel or overflow: at zeros, far out, under masks, at ignored targets."""

import math

import numpy as np
import pytest
import rbe
from inputs import Inputs
from scipy import special

F = rbe.nn.functional
RNG = Inputs()


def leaf(values, dtype="float64"):
    return rbe.tensor(values, dtype=dtype, requires_grad=True)


def gradient(function, *inputs):
    """Gradient of the sum of `function` with respect to its first argument."""
    x = leaf(inputs[0])
    function(x, *inputs[1:]).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, 10, math.inf, -1])
def test_normalize_at_a_row_of_zeros(p):
    eps = 1e-6
    for zeros in ([[0.0, 0.0, 0.0]], [[0.0, -0.0, 0.0]]):
        assert gradient(lambda x: F.normalize(x, p=p, eps=eps), zeros).tolist() == [[1 / eps] * 3]
    mixed = gradient(lambda x: F.normalize(x, p=p, dim=1), [[0.0, 0.0], [3.0, -4.0]])
    assert np.isfinite(mixed).all()
    assert mixed[0].tolist() == [1e12, 1e12]


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, math.inf, 0])
def test_normalize_divides_by_the_norm(p):
    x = RNG.array(3, 4)
    norms = np.linalg.norm(x, p, axis=1, keepdims=True) if p else (x != 0).sum(1, keepdims=True)
    if p == 0.5:
        norms = (np.abs(x) ** p).sum(1, keepdims=True) ** (1 / p)
    np.testing.assert_allclose(F.normalize(rbe.tensor(x), p=p).numpy(), x / norms, rtol=1e-12)
    if p:
        assert rbe.autograd.gradcheck(lambda x: F.normalize(x, p=p), [leaf(x)])


FAR = [-math.inf, -1e300, -1e200, -30.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0, 1e200, math.inf]


@pytest.mark.parametrize("reduction", ["none", "sum"])
@pytest.mark.parametrize("knee", [0.3, 1.0, 5.0])
def test_huber_and_smooth_l1_far_out(knee, reduction):
    d = np.array(FAR)
    with np.errstate(over="ignore"):
        huber = np.where(np.abs(d) <= knee, 0.5 * d * d, knee * (np.abs(d) - 0.5 * knee))
    slope = np.clip(d, -knee, knee)
    zeros = rbe.zeros(len(d), dtype="float64")
    if reduction == "none":
        np.testing.assert_allclose(F.huber_loss(rbe.tensor(d), zeros, "none", knee).numpy(), huber, rtol=1e-14)
        np.testing.assert_allclose(F.smooth_l1_loss(rbe.tensor(d), zeros, "none", knee).numpy(), huber / knee, rtol=1e-14)
        np.testing.assert_allclose(special.huber(knee, d), huber)
    np.testing.assert_allclose(gradient(lambda x: F.huber_loss(x, zeros, reduction, knee), d), slope, rtol=1e-14)
    np.testing.assert_allclose(gradient(lambda x: F.smooth_l1_loss(x, zeros, reduction, knee), d), slope / knee, rtol=1e-14)
    of_target = gradient(lambda t: F.huber_loss(zeros, t, reduction, knee), d)
    np.testing.assert_allclose(of_target, slope, rtol=1e-14)


def attend(layer, x, need_weights, **masks):
    for p in layer.parameters():
        p.grad = None
    x = leaf(x, "float32")
    out, weights = layer(x, x, x, need_weights=need_weights, **masks)
    (out * rbe.tensor(np.cos(np.arange(out.numel())).reshape(out.shape), dtype="float32")).sum().backward()
    return out.detach().numpy(), weights, [x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())]


@pytest.mark.parametrize("kind", ["bool", "number"])
@pytest.mark.parametrize("mask", ["attn_mask", "key_padding_mask", "both"])
def test_a_query_that_sees_no_key_gets_zeros_with_and_without_weights(kind, mask):
    layer = rbe.nn.MultiheadAttention(8, 2, batch_first=True)
    x = RNG.array(2, 4, 8)
    hidden, padding = np.zeros((4, 4), dtype=bool), np.zeros((2, 4), dtype=bool)
    hidden[1] = True
    hidden[2, :2] = True
    padding[1] = True
    as_mask = rbe.tensor if kind == "bool" else lambda m: rbe.tensor(np.where(m, -np.inf, 0.0), dtype="float32")
    masks = {}
    if mask in ("attn_mask", "both"):
        masks["attn_mask"] = as_mask(hidden)
    if mask in ("key_padding_mask", "both"):
        masks["key_padding_mask"] = as_mask(padding)
    out, weights, grads = attend(layer, x, True, **masks)
    plain, none, others = attend(layer, x, False, **masks)
    assert none is None
    np.testing.assert_allclose(out, plain, rtol=1e-5, atol=1e-6)
    for a, b in zip(grads, others, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    sees = np.ones((2, 4), dtype=bool)
    if "attn_mask" in masks:
        sees[:, 1] = False
    if "key_padding_mask" in masks:
        sees[1] = False
    np.testing.assert_allclose(weights.detach().numpy().sum(-1), sees, rtol=1e-5)
    blind = layer.out_proj.bias.detach().numpy()
    np.testing.assert_allclose(out[~sees], np.broadcast_to(blind, out[~sees].shape), atol=1e-6)


def test_scaled_dot_product_attention_of_blind_queries_has_finite_gradients():
    q, k, v = (leaf(RNG.array(1, 3, 4)) for _ in range(3))
    mask = rbe.tensor([[False, False, False], [True, True, False], [False, True, True]])
    out = F.scaled_dot_product_attention(q, k, v, mask)
    assert out.detach().numpy()[0, 0].tolist() == [0.0] * 4
    out.sum().backward()
    assert all(np.isfinite(t.grad.numpy()).all() for t in (q, k, v))
    assert q.grad.numpy()[0, 0].tolist() == [0.0] * 4


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_targets_take_no_part_whatever_stands_there(loss, reduction):
    x = RNG.array(4, 3)
    x = x - special.logsumexp(x, axis=1, keepdims=True) if loss is F.nll_loss else x
    wild = x.copy()
    wild[1], wild[3] = [-math.inf, 0.0, 1e300], [math.inf, math.nan, -math.inf]
    target = rbe.tensor([2, -100, 0, -100])
    kept = rbe.tensor([2, 0])
    want = gradient(lambda x: loss(x, kept, reduction=reduction), x[[0, 2]])
    got = gradient(lambda x: loss(x, target, reduction=reduction), wild)
    np.testing.assert_allclose(got[[0, 2]], want, rtol=1e-12)
    assert not got[[1, 3]].any()
    value = loss(rbe.tensor(wild), target, reduction=reduction).numpy()
    expected = loss(rbe.tensor(x[[0, 2]]), kept, reduction=reduction).numpy()
    np.testing.assert_allclose(value[[0, 2]] if reduction == "none" else value, expected, rtol=1e-12)


def test_all_targets_ignored():
    x = leaf(RNG.array(2, 3))
    target = rbe.tensor([-100, -100])
    assert math.isnan(F.cross_entropy(x, target).item())
    assert math.isnan(F.nll_loss(x, target).item())
    assert F.cross_entropy(x, target, reduction="sum").item() == 0.0
    F.cross_entropy(x, target).backward()
    assert not x.grad.numpy().any()


def test_logits_far_out_have_finite_losses_and_gradients():
    x = [[1e4, -1e4, 0.0], [-1e30, -1e30, -1e30], [1e300, 0.0, 0.0]]
    grad = gradient(lambda x: F.cross_entropy(x, rbe.tensor([1, 2, 0]), reduction="sum"), x)
    np.testing.assert_allclose(grad, [[1.0, -1.0, 0.0], [1 / 3, 1 / 3, -2 / 3], [0.0, 0.0, 0.0]], atol=1e-12)
    grad = gradient(
        lambda x: F.binary_cross_entropy_with_logits(x, rbe.ones(3, dtype="float64"), reduction="sum"), [-1e300, 0.0, 1e300]
    )
    assert grad.tolist() == [-1.0, -0.5, 0.0]
    grad = gradient(lambda x: F.binary_cross_entropy(x, rbe.tensor([1.0, 0.0], dtype="float64"), reduction="sum"), [0.0, 1.0])
    assert np.isfinite(grad).all()


def test_cosine_similarity_of_zeros_and_of_shapes_that_broadcast():
    zeros = gradient(lambda x: F.cosine_similarity(x, rbe.ones(2, 3, dtype="float64")), np.zeros((2, 3)))
    np.testing.assert_allclose(zeros, np.full((2, 3), 1 / 1e-8 / math.sqrt(3.0)))
    a, b = RNG.array(1, 2, 3), RNG.array(2, 1, 3)
    for dim in (-3, -2, -1, 0, 1, 2):
        x, y = np.broadcast_arrays(a, b)
        want = (x * y).sum(dim) / np.sqrt((x * x).sum(dim) * (y * y).sum(dim))
        np.testing.assert_allclose(F.cosine_similarity(rbe.tensor(a), rbe.tensor(b), dim).numpy(), want, rtol=1e-12)
        assert rbe.autograd.gradcheck(lambda x, y, dim=dim: F.cosine_similarity(x, y, dim), [leaf(a), leaf(b)])
    huge = rbe.tensor([[1e200, 1e200]], dtype="float64")
    np.testing.assert_allclose(F.cosine_similarity(huge * 1e-60, huge * 1e-70).item(), 1.0)


def test_kl_divergence_outside_its_domain():
    x = rbe.tensor([-1.0, -1.0, -1.0, -1.0], dtype="float64")
    losses = F.kl_div(x, rbe.tensor([0.0, 0.5, -0.5, math.nan], dtype="float64"), reduction="none").numpy()
    np.testing.assert_allclose(losses, [0.0, 0.5 * math.log(0.5) + 0.5, math.nan, math.nan])
    grad = gradient(lambda t: F.kl_div(x[:2], t, reduction="sum"), [0.0, 0.5])
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss])
def test_weights_of_single_losses(loss):
    x, t, w = (np.abs(RNG.array(3, 2)) for _ in range(3))
    each = loss(rbe.tensor(x), rbe.tensor(t), "none").numpy() * w
    args = rbe.tensor(x), rbe.tensor(t)
    np.testing.assert_allclose(loss(*args, "none", weight=rbe.tensor(w)).numpy(), each)
    np.testing.assert_allclose(loss(*args, "sum", weight=rbe.tensor(w)).item(), each.sum())
    mean = each.mean() if loss is F.huber_loss else each.sum() / w.sum()
    np.testing.assert_allclose(loss(*args, weight=rbe.tensor(w)).item(), mean)
    with pytest.raises(rbe.ShapeError):
        loss(*args, weight=rbe.ones(2))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.cross_entropy(rbe.zeros(2, 3), rbe.zeros(2, 3), ignore_index=1), rbe.TensorError, "ignore_index"),
        (lambda: F.nll_loss(rbe.zeros(2, 3), rbe.tensor([0, 7])), rbe.OutOfRangeError, "got 7"),
        (lambda: F.binary_cross_entropy(rbe.tensor([0.5, 1.5]), rbe.ones(2)), rbe.TensorError, "1.5"),
        (lambda: F.batch_norm(rbe.randn(3, 2), None, None, training=True, eps=0.0), rbe.TensorError, "eps"),
        (lambda: F.batch_norm(rbe.randn(3, 2), None, None, training=True, eps=-1.0), rbe.TensorError, "eps"),
        (lambda: F.batch_norm(rbe.randn(3, 2), rbe.zeros(2), None, training=True), rbe.TensorError, "running"),
        (lambda: F.batch_norm(rbe.randn(3, 2), rbe.zeros(1).expand(2), rbe.ones(2), training=True), rbe.TensorError, "broadcast"),
        (lambda: rbe.nn.Softmax(dim=True), rbe.DTypeError, "dim"),
        (lambda: rbe.nn.LogSoftmax(dim=1.5), rbe.DTypeError, "dim"),
        (lambda: F.embedding(rbe.tensor([1]), rbe.tensor(1.0)), rbe.ShapeError, "rows, width"),
        (lambda: F.embedding(rbe.tensor([1]), rbe.ones(3)), rbe.ShapeError, "rows, width"),
        (lambda: F.embedding(rbe.tensor([1.0]), rbe.ones(3, 2)), rbe.DTypeError, "integer"),
        (lambda: F.embedding(rbe.tensor([1]), rbe.ones(3, 2), sparse=True), rbe.TensorError, "sparse"),
        (lambda: F.one_hot(rbe.tensor([1.0])), rbe.DTypeError, "int64"),
        (lambda: F.one_hot(rbe.tensor([-1])), rbe.OutOfRangeError, "-1"),
        (lambda: F.one_hot(rbe.tensor([2]), 2), rbe.OutOfRangeError, "2"),
        (lambda: F.cosine_similarity(rbe.ones(2, 3), rbe.ones(3, 2)), rbe.ShapeError, "broadcast"),
        (lambda: F.cosine_similarity(rbe.arange(3), rbe.arange(3), 0), rbe.DTypeError, "float"),
        (lambda: rbe.zeros(5).narrow(0, -6, 2), rbe.OutOfRangeError, "from -6"),
        (lambda: rbe.zeros(5).narrow(0, 4, 2), rbe.OutOfRangeError, "length 5"),
        (lambda: rbe.zeros(5).narrow(0, 2, -1), rbe.OutOfRangeError, "-1 from 2"),
        (lambda: rbe.zeros(2).broadcast_to((-1, 2)), rbe.ShapeError, "-1"),
        (lambda: rbe.zeros(2, 1).broadcast_to((2, -2)), rbe.ShapeError, "-2"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_narrow_and_broadcast_to_count_as_torch_does():
    x = rbe.arange(6.0).reshape(3, 2)
    assert x.narrow(0, -2, 2).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert x.narrow(1, 2, 0).shape == (3, 0)
    assert x.unsqueeze(0).broadcast_to((4, -1, 2)).shape == (4, 3, 2)
