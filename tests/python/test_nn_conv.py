"""Convolution, pooling and lazy layers against NumPy and SciPy; test_torch_conv.py compares with torch."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from numpy.lib.stride_tricks import sliding_window_view
from rbe import nn
from rbe.autograd import gradcheck
from rbe.nn import functional as F
from scipy import signal

RNG = Inputs()


def correlate(x, w):
    """SciPy's correlation of (N, C, H, W) with (out, C, kh, kw), one pair of planes at a time."""
    return np.array([[sum(signal.correlate2d(p, k, "valid") for p, k in zip(s, f, strict=True)) for f in w] for s in x])


def windows(x, kernel, stride, padding, value=0.0):
    """NumPy's windows of (…, H, W): (…, windows down, windows across, *kernel)."""
    around = [(0, 0)] * (x.ndim - 2) + [(p, p) for p in padding]
    view = sliding_window_view(np.pad(x, around, constant_values=value), kernel, axis=(-2, -1))
    return view[..., :: stride[0], :: stride[1], :, :]


@pytest.mark.parametrize("dtype", [rbe.float32, rbe.float64])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), ((2, 1), (1, 2), 1), (1, "same", (1, 2)), (3, 2, 2)])
def test_conv2d_against_scipy(stride, padding, dilation, dtype):
    x, w, b = RNG.array(2, 3, 9, 10), RNG.array(4, 3, 3, 2), RNG.array(4)
    steps, gaps = np.broadcast_to(stride, 2), np.broadcast_to(dilation, 2)
    if padding == "same":
        total = [g * (k - 1) for g, k in zip(gaps, (3, 2), strict=True)]
        around = [(n // 2, n - n // 2) for n in total]
    else:
        around = [(n, n) for n in np.broadcast_to(padding, 2)]
    wide = np.zeros((4, 3, *((k - 1) * g + 1 for k, g in zip((3, 2), gaps, strict=True))))
    wide[..., :: gaps[0], :: gaps[1]] = w
    want = correlate(np.pad(x, [(0, 0), (0, 0), *around]), wide)[..., :: steps[0], :: steps[1]] + b[:, None, None]
    got = F.conv2d(*(rbe.tensor(a, dtype=dtype) for a in (x, w, b)), stride, padding, dilation)
    assert got.dtype is dtype
    np.testing.assert_allclose(got.numpy(), want, **({"atol": 1e-12} if dtype is rbe.float64 else {"rtol": 1e-5, "atol": 1e-5}))


def test_conv1d_against_numpy():
    x, w = RNG.array(3, 11), RNG.array(3, 4)
    want = sum(np.correlate(p, k, "valid") for p, k in zip(x, w, strict=True))
    np.testing.assert_allclose(F.conv1d(rbe.tensor(x), rbe.tensor(w[None])).numpy(), want[None], atol=1e-12)
    np.testing.assert_allclose(F.conv1d(rbe.tensor(x[None]), rbe.tensor(w[None]), stride=3).numpy(), want[None, None, ::3])


def test_groups_are_convolutions_of_their_own():
    x, w = RNG.tensor(2, 6, 5, 5), RNG.tensor(9, 2, 3, 3)
    parts = [F.conv2d(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3]) for g in range(3)]
    np.testing.assert_allclose(F.conv2d(x, w, groups=3).numpy(), rbe.cat(parts, 1).numpy(), atol=1e-12)


def test_unfold_against_numpy():
    x = RNG.array(2, 3, 6, 7)
    view = windows(x, (3, 2), (2, 1), (1, 0))  # (N, C, down, across, 3, 2)
    want = view.transpose(0, 1, 4, 5, 2, 3).reshape(2, 18, -1)
    np.testing.assert_array_equal(F.unfold(rbe.tensor(x), (3, 2), padding=(1, 0), stride=(2, 1)).numpy(), want)
    np.testing.assert_array_equal(F.unfold(rbe.tensor(x[0]), (3, 2), padding=(1, 0), stride=(2, 1)).numpy(), want[0])
    line = sliding_window_view(x[0], 4, axis=-1)  # (C, H, windows, 4): H as channels
    np.testing.assert_array_equal(F.unfold(rbe.tensor(x[0]), (4,)).numpy(), line.transpose(0, 1, 3, 2).reshape(3, 24, -1))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 3), (1, 1)), ((5, 1), (2, 1), (2, 0))]
)
def test_pools_against_numpy(kernel, stride, padding):
    x = RNG.array(2, 3, 8, 9)
    args = rbe.tensor(x), kernel, stride, padding
    largest = windows(x, kernel, stride, padding, -np.inf).max((-2, -1))
    np.testing.assert_array_equal(F.max_pool2d(*args).numpy(), largest)
    np.testing.assert_allclose(F.avg_pool2d(*args).numpy(), windows(x, kernel, stride, padding).mean((-2, -1)))
    total = windows(x, kernel, stride, padding).sum((-2, -1))
    count = windows(np.ones_like(x), kernel, stride, padding).sum((-2, -1))
    np.testing.assert_allclose(F.avg_pool2d(*args, count_include_pad=False).numpy(), total / count)
    np.testing.assert_allclose(F.avg_pool2d(*args, divisor_override=7).numpy(), total / 7)
    values, places = F.max_pool2d(*args, return_indices=True)
    np.testing.assert_array_equal(
        np.take_along_axis(x.reshape(6, -1), places.numpy().reshape(6, -1), 1), values.numpy().reshape(6, -1)
    )


def test_one_axis_is_a_plane_of_one_row():
    x = RNG.tensor(2, 3, 10)
    row = x.unsqueeze(2)
    for one, two in [
        (F.max_pool1d(x, 3, 2, 1), F.max_pool2d(row, (1, 3), (1, 2), (0, 1))),
        (F.avg_pool1d(x, 3, 2, 1), F.avg_pool2d(row, (1, 3), (1, 2), (0, 1))),
        (F.adaptive_avg_pool1d(x, 4), F.adaptive_avg_pool2d(row, (1, 4))),
        (nn.MaxPool1d(2)(x), nn.MaxPool2d((1, 2))(row)),
        (nn.AvgPool1d(2)(x), nn.AvgPool2d((1, 2))(row)),
        (nn.AdaptiveAvgPool1d(3)(x), nn.AdaptiveAvgPool2d((None, 3))(row)),
    ]:
        np.testing.assert_array_equal(one.numpy(), two.numpy()[:, :, 0])


def test_adaptive_parts_against_numpy():
    x = RNG.array(2, 3, 7, 5)
    rows = [x[..., i * 7 // 3 : -(-(i + 1) * 7 // 3), :].mean(-2) for i in range(3)]
    np.testing.assert_allclose(F.adaptive_avg_pool2d(rbe.tensor(x), (3, None)).numpy(), np.stack(rows, -2))
    np.testing.assert_allclose(F.adaptive_avg_pool2d(rbe.tensor(x), 1).numpy()[..., 0, 0], x.mean((-2, -1)))


def test_the_largest_of_equals_and_nan():
    x = rbe.tensor([[[1.0, 3.0, 3.0], [3.0, 0.0, 1.0]]], requires_grad=True)
    F.max_pool2d(x, (2, 3)).backward(rbe.ones(1, 1, 1))
    assert x.grad.tolist() == [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    assert np.isnan(F.max_pool2d(rbe.tensor([[[1.0, float("nan")], [2.0, 3.0]]]), 2).item())


def twin(layer):
    """The dense layer with the decoded filters of a packed one."""
    dense = nn.Conv2d(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups
    ).double()
    dense.load_state_dict({"weight": layer.weight.to_dense(rbe.float64), "bias": layer.bias})
    return dense


PACKED = [{}, {"padding": 1, "stride": 2}, {"dilation": 2, "padding": "same"}, {"groups": 2}, {"groups": 8, "padding": 2}]


@pytest.mark.parametrize("kwargs", PACKED)
@pytest.mark.usefixtures("float32_products")
def test_packed_filters_are_the_decoded_ones(kwargs):
    layer = nn.RBEConv2d(8, 24, 3, **kwargs)
    dense, x = twin(layer), RNG.array(5, 8, 7, 6)
    for dtype, tolerance in ((rbe.float32, 1e-5), (rbe.float64, 1e-12)):
        a, b = rbe.tensor(x, dtype=dtype, requires_grad=True), rbe.tensor(x, requires_grad=True)
        y, z = layer(a), dense(b)
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=tolerance, atol=tolerance)
        up = RNG.array(z.shape)
        layer.zero_grad()
        y.backward(rbe.tensor(up, dtype=dtype))
        dense.zero_grad()
        z.backward(rbe.tensor(up))
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=tolerance * 10)
        np.testing.assert_allclose(layer.bias.grad.numpy(), dense.bias.grad.numpy(), rtol=1e-5, atol=1e-5)  # a float32 bias
        check_block_gradients(layer.weight, dense.weight.grad.numpy().reshape(24, -1))


def check_block_gradients(weight, g):
    """The gradients of blocks and points that the specification derives from the weight cotangent g (rows, cols)."""
    scale, z = weight.scale, weight.lo.astype(np.float64)
    blocks, cols = z.shape[1], g.shape[1]
    bits = np.unpackbits(weight.hi.view(np.uint8).reshape(len(g), blocks, 8), axis=-1, bitorder="little")
    wide = np.zeros((len(g), blocks * 64))
    wide[:, :cols] = g
    wide = wide.reshape(len(g), blocks, 64)
    r = np.linalg.norm(z, axis=-1)
    d = 2 * np.arctanh(r)
    v = scale * (d / r)[..., None] * z
    flips = wide * np.where(bits == 1, v[..., :1] - v[..., 1:], v[..., 1:] - v[..., :1])
    np.testing.assert_allclose(weight.grad.hi, flips, rtol=1e-4, atol=1e-5)
    gv = np.stack([(wide * (bits == b)).sum(-1) for b in (0, 1)], -1)
    radial = z / r[..., None]
    along = (gv * radial).sum(-1, keepdims=True) * radial
    lo = scale * ((2 / (1 - r**2))[..., None] * along + (d / r)[..., None] * (gv - along))
    np.testing.assert_allclose(weight.grad.lo, lo, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
def test_packed_convolution_is_unfold_and_a_packed_product(groups):
    layer = nn.RBEConv1d(4, 6, 3, padding=1, groups=groups)
    x = RNG.tensor(2, 4, 9)
    for g in range(groups):
        rows = slice(6 // groups * g, 6 // groups * (g + 1))
        columns = F.unfold(x[:, 4 // groups * g : 4 // groups * (g + 1)], (3,), padding=1)
        z = rbe.tensor(layer.weight.lo[rows].astype(np.float64))
        want = F.packed_linear(columns.transpose(1, 2), layer.weight.hi[rows], z, layer.weight.scale)
        got = F.conv1d(x, layer.weight, None, padding=1, groups=groups)
        np.testing.assert_allclose(got.detach().numpy()[:, rows], want.transpose(1, 2).numpy(), atol=1e-7)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.RBEConv2d])
def test_results_do_not_depend_on_the_threads(kind):
    rbe.manual_seed(0)
    layer, x = kind(16, 40, 3, padding=1, groups=2), rbe.randn(21, 16, 13, 13, requires_grad=True)
    found, before = [], rbe.get_num_threads()
    try:
        for threads in (1, 2, 4):
            rbe.set_num_threads(threads)
            layer.zero_grad()
            x.grad = None
            y = nn.MaxPool2d(3, 2, 1)(layer(x))
            y.square().sum().backward()
            weight = layer.weight.grad.hi if layer.weight.is_packed else layer.weight.grad.numpy()
            found.append((y.detach().numpy(), x.grad.numpy(), weight, layer.bias.grad.numpy()))
    finally:
        rbe.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_packed_filters_train():
    rbe.manual_seed(0)
    x = rbe.randn(64, 1, 8, 8)
    y = (x[:, 0, :, :4].mean((1, 2)) > x[:, 0, :, 4:].mean((1, 2))).to(rbe.int64)
    model = nn.Sequential(nn.RBEConv2d(1, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 2))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    losses = []
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_state_of_packed_filters(tmp_path):
    model = nn.Sequential(nn.RBEConv2d(3, 8, 3), nn.RBEConv1d(2, 4, 5, bias=False))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight"]
    assert model[0].weight.shape == (8, 3, 3, 3)
    assert model[0].weight.nbytes == 8 * 16
    rbe.save(tmp_path / "model.safetensors", model.state_dict())
    again = nn.Sequential(nn.RBEConv2d(3, 8, 3), nn.RBEConv1d(2, 4, 5, bias=False))
    again.load_state_dict(rbe.load(tmp_path / "model.safetensors"))
    x = rbe.randn(2, 3, 6, 6)
    np.testing.assert_array_equal(model[0](x).detach().numpy(), again[0](x).detach().numpy())
    assert "72 bytes" not in repr(model[1])
    assert "64 bytes" in repr(model[1])


def test_no_samples():
    layer = nn.RBEConv2d(3, 8, 3)
    y = nn.MaxPool2d(2)(layer(rbe.zeros(0, 3, 6, 6, requires_grad=True)))
    assert y.shape == (0, 8, 2, 2)
    y.sum().backward()
    assert not layer.weight.grad.hi.any()


X = rbe.zeros(2, 4, 6, 6)
W = rbe.zeros(8, 4, 3, 3)
ERRORS = [
    (lambda: F.conv2d(X, rbe.zeros(8, 3, 3, 3)), rbe.ShapeError, "conv"),
    (lambda: F.conv2d(X, rbe.zeros(8, 4, 3)), rbe.ShapeError, "conv2d"),
    (lambda: F.conv2d(X, W, rbe.zeros(7)), rbe.ShapeError, "bias"),
    (lambda: F.conv2d(X, W, groups=3), rbe.ShapeError, "groups|/ 3"),
    (lambda: F.conv2d(X, W, groups=0), rbe.TensorError, "group"),
    (lambda: F.conv2d(X, W, stride=0), rbe.TensorError, "stride"),
    (lambda: F.conv2d(X, W, stride=(1, 2, 3)), rbe.ShapeError, "stride"),
    (lambda: F.conv2d(X, W, padding=-1), rbe.TensorError, "padding"),
    (lambda: F.conv2d(X, W, padding="wide"), rbe.TensorError, "padding"),
    (lambda: F.conv2d(X, W, stride=2, padding="same"), rbe.TensorError, "same"),
    (lambda: F.conv2d(X, W, dilation=3), rbe.ShapeError, "at least 7"),
    (lambda: F.conv2d(X[0, 0], W), rbe.ShapeError, "conv2d"),
    (lambda: F.conv2d(X, W, padding=2**40), rbe.TensorError, "up to"),
    (lambda: F.conv2d(X, W, padding=2**30), rbe.OutOfMemoryError, "memory"),
    (lambda: F.unfold(X, 3, padding=2**30), rbe.OutOfMemoryError, "memory"),
    (lambda: F.conv2d(X, W, padding=2**22), rbe.OutOfMemoryError, "memory"),  # 2**46 elements can be counted
    (lambda: F.unfold(X, 3, padding=2**22), rbe.OutOfMemoryError, "memory"),
    (lambda: F.conv2d(rbe.zeros(2, 4, 6, 6, dtype=rbe.int64), rbe.zeros(8, 4, 3, 3, dtype=rbe.int64)), rbe.DTypeError, "conv"),
    (lambda: F.conv2d(nn.RBEConv2d(4, 4, 3).weight, W), rbe.DTypeError, "packed"),
    (lambda: F.unfold(X, 7), rbe.ShapeError, "unfold"),
    (lambda: F.max_pool2d(X, 2, padding=2), rbe.TensorError, "half"),
    (lambda: F.max_pool2d(X, 0), rbe.TensorError, "kernel_size"),
    (lambda: F.max_pool2d(X[0, 0], 2), rbe.ShapeError, "max_pool2d"),
    (lambda: F.max_pool2d(rbe.zeros(2, 4, 6, 6, dtype=rbe.int64), 2), rbe.DTypeError, "max_pool"),
    (lambda: F.avg_pool2d(X, 9), rbe.ShapeError, "avg_pool"),
    (lambda: F.avg_pool2d(X, 2, divisor_override=0), rbe.TensorError, "divisor"),
    (lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)), rbe.ShapeError, "output_size"),
    (lambda: F.adaptive_avg_pool2d(X, -1), rbe.TensorError, "output_size"),
    (lambda: nn.Conv2d(4, 6, 3, groups=4), rbe.ShapeError, "Conv2d"),
    (lambda: nn.RBEConv2d(0, 6, 3), rbe.ShapeError, "RBEConv2d"),
    (lambda: nn.Conv2d(4, 6, 3, stride=2, padding="same"), rbe.TensorError, "same"),
    (lambda: nn.Conv2d(4, 6, 3, device="cuda"), rbe.DeviceError, "Conv2d"),
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_bad_input(case):
    call, error, words = ERRORS[case]
    with pytest.raises(error, match=words):
        call()


def test_gradients_of_unfold():
    assert gradcheck(lambda x: F.unfold(x, (2, 3), (1, 2), 1, (2, 1)), [RNG.leaf(2, 2, 5, 6)])
