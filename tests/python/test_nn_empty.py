"""Empty batches: whatever takes a batch takes one of no samples, forward and backward, and answers in the right shape."""

import math

import numpy as np
import pytest
import rbe
from rbe import nn

F = nn.functional


def check(function, inputs, shape, value=None):
    """Result's shape, and a gradient of the right shape, all zeros, for every float input."""
    leaves = [x.requires_grad_() if x.dtype.is_floating_point else x for x in inputs]
    out = function(*leaves)
    assert out.shape == shape
    if value is not None:
        np.testing.assert_array_equal(out.detach().numpy(), value)
    out.sum().backward()
    for x in leaves:
        if x.dtype.is_floating_point:
            assert x.grad.shape == x.shape
            assert not np.nan_to_num(x.grad.numpy()).any()


def ints(*shape):
    return rbe.zeros(*shape, dtype="int64")


LAYERS = {
    "Linear": (lambda: nn.Linear(3, 2), (0, 3), (0, 2)),
    "RBELinear": (lambda: nn.RBELinear(64, 2), (0, 64), (0, 2)),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3), (0, 4, 5), (0, 6, 3)),
    "Conv2d": (lambda: nn.Conv2d(4, 6, 3, padding=1), (0, 4, 5, 5), (0, 6, 5, 5)),
    "Conv2d, groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), (0, 4, 5, 5), (0, 6, 3, 3)),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), (0, 4, 6), (0, 4, 3)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (0, 4, 6, 6), (0, 4, 3, 3)),
    "AvgPool1d": (lambda: nn.AvgPool1d(2), (0, 4, 6), (0, 4, 3)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), (0, 4, 6, 6), (0, 4, 3, 3)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(2), (0, 4, 6, 6), (0, 4, 2, 2)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (0, 4), (0, 4)),
    "BatchNorm1d, sequences": (lambda: nn.BatchNorm1d(4), (2, 4, 0), (2, 4, 0)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), (0, 4, 3, 3), (0, 4, 3, 3)),
    "BatchNorm2d, no statistics": (lambda: nn.BatchNorm2d(4, track_running_stats=False), (0, 4, 3, 3), (0, 4, 3, 3)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (0, 4), (0, 4)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (0, 4), (0, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (0, 4, 3), (0, 4, 3)),
    "GroupNorm, no positions": (lambda: nn.GroupNorm(2, 4), (2, 4, 0), (2, 4, 0)),
    "Softmax": (lambda: nn.Softmax(1), (0, 4), (0, 4)),
    "ReLU": (lambda: nn.ReLU(), (0, 4), (0, 4)),
    "Dropout": (lambda: nn.Dropout(), (0, 4), (0, 4)),
    "Flatten": (lambda: nn.Flatten(), (0, 4, 2), (0, 8)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_layers(name, training):
    make, given, wanted = LAYERS[name]
    layer = make().train(training)
    buffers = {k: v.tolist() for k, v in layer.named_buffers() if "tracked" not in k}
    check(layer, [rbe.zeros(*given)], wanted)
    assert {k: v.tolist() for k, v in layer.named_buffers() if "tracked" not in k} == buffers
    for p in layer.parameters():
        grad = p.grad.lo if p.is_packed and p.grad is not None else p.grad
        assert grad is None or not np.asarray(grad).any()


@pytest.mark.parametrize("name", ["LayerNorm", "RMSNorm"])
def test_norms_of_rows_without_elements(name):
    function = {"LayerNorm": F.layer_norm, "RMSNorm": F.rms_norm}[name]
    check(lambda x: function(x, 0), [rbe.zeros(3, 0)], (3, 0))
    check(lambda x, w: function(x, 0, w), [rbe.zeros(3, 0), rbe.zeros(0)], (3, 0))


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention(need_weights):
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    check(lambda x: layer(x, x, x, need_weights=need_weights)[0], [rbe.zeros(0, 3, 8)], (0, 3, 8))
    check(lambda x: layer(x, x, x, need_weights=need_weights)[0], [rbe.zeros(2, 0, 8)], (2, 0, 8))
    check(F.scaled_dot_product_attention, [rbe.zeros(0, 2, 3), rbe.zeros(0, 4, 3), rbe.zeros(0, 4, 5)], (0, 2, 5))
    check(
        F.scaled_dot_product_attention,
        [rbe.zeros(2, 3, 3), rbe.zeros(2, 0, 3), rbe.zeros(2, 0, 5)],
        (2, 3, 5),
        np.zeros((2, 3, 5)),
    )


SAME = [
    F.mse_loss,
    F.l1_loss,
    F.huber_loss,
    F.smooth_l1_loss,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
    F.kl_div,
]


@pytest.mark.parametrize("loss", SAME)
def test_losses_of_two_tensors(loss):
    check(lambda x, t: loss(x, t, reduction="mean"), [rbe.zeros(0, 3), rbe.zeros(0, 3)], (), math.nan)
    check(lambda x, t: loss(x, t, reduction="sum"), [rbe.zeros(0, 3), rbe.zeros(0, 3)], (), 0.0)
    check(lambda x, t: loss(x, t, reduction="none"), [rbe.zeros(0, 3), rbe.zeros(0, 3)], (0, 3))


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize(("logits", "target"), [((0, 3), (0,)), ((0, 3, 2), (0, 2)), ((2, 3, 0), (2, 0))])
def test_losses_of_classes(loss, logits, target):
    for reduction, shape, value in (("mean", (), math.nan), ("sum", (), 0.0), ("none", target, None)):
        check(lambda x, t, r=reduction: loss(x, t, reduction=r), [rbe.zeros(*logits), ints(*target)], shape, value)
        if loss is F.cross_entropy:
            check(lambda x, t, r=reduction: loss(x, t, reduction=r), [rbe.zeros(*logits), rbe.zeros(*logits)], shape, value)


def test_joining():
    for shape, axis, wanted in [
        ((0, 3), 1, (0, 6)),
        ((2, 0), 0, (4, 0)),
        ((0, 1, 0), -1, (0, 1, 0)),
        ((3, 0, 2), 2, (3, 0, 4)),
    ]:
        check(lambda a, b, axis=axis: rbe.cat([a, b], axis), [rbe.zeros(*shape), rbe.zeros(*shape)], wanted)
    for shape, axis in [((0, 1, 0), -1), ((0,), 0), ((0,), 1), ((2, 0), 1)]:
        wanted = list(shape)
        wanted.insert(axis % (len(shape) + 1), 2)
        check(lambda a, b, axis=axis: rbe.stack([a, b], axis), [rbe.zeros(*shape), rbe.zeros(*shape)], tuple(wanted))


def test_a_tensor_of_nothing_joins_any():
    x = rbe.ones(2, 3, requires_grad=True)
    nothing = rbe.zeros(0, requires_grad=True)
    for axis in (0, 1, -1):
        assert rbe.cat([nothing, x, nothing], axis).tolist() == x.tolist()
    rbe.cat([nothing, x], 1).sum().backward()
    assert x.grad.tolist() == [[1.0] * 3] * 2
    assert nothing.grad.shape == (0,)
    assert rbe.cat([rbe.tensor([]), rbe.arange(3)]).tolist() == [0.0, 1.0, 2.0]
    assert rbe.cat([rbe.tensor([]), rbe.tensor([])]).shape == (0,)
    with pytest.raises(rbe.ShapeError):
        rbe.cat([rbe.zeros(0, 2), x], 0)
    with pytest.raises(rbe.ShapeError, match="one shape"):
        rbe.stack([rbe.tensor([]), rbe.ones(2)])


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding(mode):
    check(lambda x: F.pad(x, (1, 2), mode), [rbe.zeros(0, 3, 3)], (0, 3, 6))
    if mode == "constant":
        check(lambda x: F.pad(x, (1, 2)), [rbe.zeros(2, 3, 0)], (2, 3, 3), np.zeros((2, 3, 3)))
        check(lambda x: F.pad(x, (1, 1), value=4.0), [rbe.zeros(0, 3)], (0, 5))


def test_other_functions():
    check(F.normalize, [rbe.zeros(0, 3)], (0, 3))
    check(F.cosine_similarity, [rbe.zeros(0, 3), rbe.zeros(0, 3)], (0,))
    check(lambda x: F.unfold(x, 2), [rbe.zeros(0, 2, 4, 4)], (0, 8, 9))
    check(lambda x: F.fold(x, (4, 4), 2), [rbe.zeros(0, 8, 9)], (0, 2, 4, 4))
    check(lambda w: F.embedding(ints(0), w), [rbe.zeros(3, 2)], (0, 2))
    check(lambda w: F.embedding(ints(2, 0), w), [rbe.zeros(3, 2)], (2, 0, 2))
    check(lambda x: x[:, [0, 1]], [rbe.zeros(0, 3)], (0, 2))
    check(lambda x: x[rbe.zeros(0, dtype="bool")], [rbe.zeros(0, 3)], (0, 3))
    check(lambda x: x.flip(1).repeat(2, 1), [rbe.zeros(0, 3)], (0, 3))
    assert F.one_hot(ints(0), 3).shape == (0, 3)
    with pytest.raises(rbe.TensorError, match="classes"):
        F.one_hot(ints(0))


def test_running_statistics_may_lie_in_strides():
    x = rbe.randn(5, 3)
    plain, strided = (rbe.zeros(3), rbe.ones(3)), (rbe.zeros(6)[::2], rbe.ones(3, 2)[:, 0])
    a = F.batch_norm(x, *plain, training=True)
    b = F.batch_norm(x, *strided, training=True)
    assert a.tolist() == b.tolist()
    assert [t.tolist() for t in plain] == [t.tolist() for t in strided]


def test_a_batch_that_is_refused_is_not_counted():
    layer = nn.BatchNorm1d(2)
    with pytest.raises(rbe.TensorError, match="more than one value"):
        layer(rbe.ones(1, 2))
    assert layer.num_batches_tracked.item() == 0
    layer(rbe.randn(4, 2))
    assert layer.num_batches_tracked.item() == 1


@pytest.mark.parametrize("layer", [nn.BatchNorm1d, nn.BatchNorm2d, lambda n, **k: nn.GroupNorm(2, n, **k)])
def test_norms_without_bias(layer):
    made = layer(4, bias=False)
    assert made.bias is None
    assert made.weight is not None
    x = rbe.randn(3, 4, 2, 2) if isinstance(made, nn.BatchNorm2d) else rbe.randn(3, 4)
    assert made(x).tolist() == layer(4)(x).tolist()


def test_norms_with_a_bias_alone():
    x, bias = rbe.randn(5, 4), rbe.randn(4).requires_grad_()
    ones = rbe.ones(4)
    for alone, both in [
        (F.layer_norm(x, 4, None, bias), F.layer_norm(x, 4, ones, bias)),
        (F.batch_norm(x, None, None, None, bias, True), F.batch_norm(x, None, None, ones, bias, True)),
        (F.group_norm(x, 2, None, bias), F.group_norm(x, 2, ones, bias)),
    ]:
        assert alone.tolist() == both.tolist()
        bias.grad = None
        alone.sum().backward()
        assert bias.grad.tolist() == [5.0] * 4


def test_embeddings_with_bounded_rows_and_shared_gradients():
    w = rbe.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    index = rbe.tensor([0, 1, 0, 0])
    out = F.embedding(index, w, max_norm=1.0, scale_grad_by_freq=True)
    np.testing.assert_allclose(out.detach().numpy()[:2], [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    assert w.detach().numpy()[2].tolist() == [6.0, 8.0]
    out.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]], rtol=1e-6)
    layer = nn.Embedding(3, 2, max_norm=0.5, norm_type=1.0)
    assert (layer(rbe.tensor([0, 1, 2])).abs().sum(1) <= 0.5 + 1e-6).all()
    assert F.embedding(index, rbe.arange(6).reshape(3, 2)).tolist() == [[0, 1], [2, 3], [0, 1], [0, 1]]
