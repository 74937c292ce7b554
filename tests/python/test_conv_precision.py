"""Convolutions with packed filters whose products are computed in int8."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from memory_in_use import bytes_saved
from rbe import nn

F = nn.functional


def decoded(layer):
    """Return the filters (out, columns) of a packed layer in float64 (of levels in float32)."""
    return layer.weight.to_dense().numpy().astype(np.float64)


# Options of a convolution, its channels and filters for one group, and the size of its images.
CONVOLUTIONS = {
    "padded": ({"kernel_size": 3, "padding": 1}, 5, 9, (7, 6)),
    "one window": ({"kernel_size": (4, 3)}, 3, 20, (4, 3)),
    "strided": ({"kernel_size": (3, 2), "stride": (2, 3), "padding": (0, 1)}, 4, 17, (11, 13)),
    "dilated": ({"kernel_size": 3, "dilation": (2, 1), "stride": (3, 1), "padding": 2}, 3, 8, (9, 15)),
    "groups": ({"kernel_size": 3, "padding": "same", "groups": 2}, 3, 10, (5, 5)),
    "wide": ({"kernel_size": (1, 5), "padding": (0, 4)}, 20, 33, (3, 40)),
    "far padding": ({"kernel_size": 1, "padding": 2}, 70, 3, (1, 2)),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_that_of_rounded_images(name, bias, int8):
    options, channels, filters, size = CONVOLUTIONS[name]
    draw, samples, groups = Inputs(6), 7, options.get("groups", 1)
    layer = rbe.RBEConv2d(channels * groups, filters * groups, bias=bias, **options)
    image = draw.array(samples, channels * groups, *size, dtype=np.float32)
    image *= np.array([1, 1e-3, 50, 1, 7, 1e5, 1], np.float32).reshape(-1, 1, 1, 1)
    x = rbe.tensor(image, requires_grad=True)
    y = layer(x)
    # The same in float64, with images rounded by hand and the filters decoded.
    scale = np.abs(image).max(axis=(1, 2, 3), keepdims=True) / np.float32(127)
    rounded = rbe.tensor((np.rint(image / scale) * scale).astype(np.float64), requires_grad=True)
    w = rbe.tensor(decoded(layer).reshape(layer.weight.shape), requires_grad=True)
    added = rbe.tensor(layer.bias.detach().numpy().astype(np.float64), requires_grad=True) if bias else None
    exact = F.conv2d(rounded, w, added, layer.stride, layer.padding, layer.dilation, groups)
    off = np.abs(y.detach().numpy() - exact.detach().numpy()).max(axis=(1, 2, 3))
    assert (off <= 1e-5 * np.abs(exact.detach().numpy()).max(axis=(1, 2, 3))).all()
    dy = draw.array(*y.shape, dtype=np.float32)
    y.backward(rbe.tensor(dy))
    exact.backward(rbe.tensor(dy.astype(np.float64)))

    def error(got, want):
        return np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2))

    # Roundings of dy, which are random.
    assert 1e-5 < error(x.grad.numpy(), rounded.grad.numpy()) < 4e-2
    g, rows = w.grad.numpy().reshape(filters * groups, -1), filters * groups
    values = decoded(layer).reshape(rows, -1)
    flips = np.zeros_like(g)
    for first in range(0, g.shape[1], 64):
        block = values[:, first : first + 64]
        low, high = block.min(axis=1, keepdims=True), block.max(axis=1, keepdims=True)
        flips[:, first : first + 64] = g[:, first : first + 64] * np.where(block == low, high - low, low - high)
    assert 1e-5 < error(layer.weight.grad.hi.reshape(rows, -1)[:, : g.shape[1]], flips) < 4e-2
    if bias:
        assert np.abs(layer.bias.grad.numpy() - added.grad.numpy()).max() <= 1e-5 * np.abs(dy).sum()


def test_a_convolution_in_one_dimension_is_that_of_rounded_samples(int8):
    draw = Inputs(16)
    layer, x = rbe.RBEConv1d(6, 12, 5, stride=2, padding=3), draw.array(3, 6, 50, dtype=np.float32)
    scale = np.abs(x).max(axis=(1, 2), keepdims=True) / np.float32(127)
    rounded = rbe.tensor((np.rint(x / scale) * scale).astype(np.float64))
    want = F.conv1d(rounded, rbe.tensor(decoded(layer).reshape(12, 6, 5)), None, 2, 3).numpy()
    want += layer.bias.detach().numpy()[:, None]
    assert np.abs(layer(rbe.tensor(x)).detach().numpy() - want).max() <= 1e-5 * np.abs(want).max()


def test_samples_of_a_convolution_do_not_depend_on_one_another(int8):
    layer, x = rbe.RBEConv2d(3, 20, 3), Inputs(17).array(9, 3, 6, 6, dtype=np.float32)
    y = layer(rbe.tensor(x)).detach().numpy()
    for n in (1, 2, 8):
        assert np.array_equal(layer(rbe.tensor(x[:n])).detach().numpy(), y[:n])
    x[4, 1, 2, 3] = np.nan
    changed = layer(rbe.tensor(x)).detach().numpy()
    assert np.isnan(changed[4]).all()
    assert np.array_equal(np.delete(changed, 4, axis=0), np.delete(y, 4, axis=0))


def test_empty_batches_of_a_convolution(int8):
    layer, x = rbe.RBEConv2d(3, 8, 3), rbe.zeros(0, 3, 5, 5, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.shape == (0, 3, 5, 5)


def test_convolutions_save_a_quarter_of_their_input(int8):
    layer, x = rbe.RBEConv2d(64, 4, 3, padding=1), rbe.randn(50, 64, 16, 16)

    result = 50 * 4 * 16 * 16 * 4
    assert bytes_saved(layer, x, "float32") >= x.numel() * 4 + result
    assert bytes_saved(layer, x, "int8") <= x.numel() * 1.3 + result


# Options of a transposed convolution, its channels and results for one group, and the size of its input.
TRANSPOSED = {
    "strided": ({"kernel_size": 4, "stride": 2, "padding": 1}, 9, 5, (7, 6)),
    "one input": ({"kernel_size": (4, 3)}, 20, 3, (1, 1)),
    "longer": ({"kernel_size": (3, 2), "stride": (2, 3), "padding": (0, 1), "output_padding": (1, 2)}, 17, 4, (5, 6)),
    "dilated": ({"kernel_size": 3, "dilation": (2, 1), "stride": (3, 1), "padding": 2}, 8, 3, (4, 9)),
    "groups": ({"kernel_size": 3, "padding": 1, "groups": 2}, 10, 3, (5, 5)),
    "many channels": ({"kernel_size": (1, 5), "padding": (0, 4)}, 150, 20, (3, 40)),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposed_convolution_is_near_that_of_rounded_inputs(name, bias, int8):
    options, channels, results, size = TRANSPOSED[name]
    draw, samples, groups = Inputs(6), 7, options.get("groups", 1)
    layer = nn.RBEConvTranspose2d(channels * groups, results * groups, bias=bias, **options)
    image = draw.array(samples, channels * groups, *size, dtype=np.float32)
    image *= np.array([1, 1e-3, 50, 1, 7, 1e5, 1], np.float32).reshape(-1, 1, 1, 1)
    x = rbe.tensor(image, requires_grad=True)
    y = layer(x)
    scale = np.abs(image).max(axis=(1, 2, 3), keepdims=True) / np.float32(127)
    rounded = rbe.tensor((np.rint(image / scale) * scale).astype(np.float64), requires_grad=True)
    w = rbe.tensor(decoded(layer).reshape(layer.weight.shape), requires_grad=True)
    added = rbe.tensor(layer.bias.detach().numpy().astype(np.float64), requires_grad=True) if bias else None
    exact = F.conv_transpose2d(rounded, w, added, layer.stride, layer.padding, layer.output_padding, groups, layer.dilation)

    def error(got, want):
        return np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2))

    # Products with the levels are rounded, at random and without bias, sample by sample.
    for found, wanted in zip(y.detach().numpy(), exact.detach().numpy(), strict=True):
        assert error(found, wanted) < 4e-2
    with rbe.config.using(packed_matmul_precision="float32"):
        assert not rbe.equal(layer(x), y)
    dy = draw.array(*y.shape, dtype=np.float32)
    y.backward(rbe.tensor(dy))
    exact.backward(rbe.tensor(dy.astype(np.float64)))
    assert 1e-5 < error(x.grad.numpy(), rounded.grad.numpy()) < 4e-2
    rows = channels * groups
    g, values = w.grad.numpy().reshape(rows, -1), decoded(layer).reshape(rows, -1)
    flips = np.zeros_like(g)
    for first in range(0, g.shape[1], 64):
        block = values[:, first : first + 64]
        low, high = block.min(axis=1, keepdims=True), block.max(axis=1, keepdims=True)
        flips[:, first : first + 64] = g[:, first : first + 64] * np.where(block == low, high - low, low - high)
    assert 1e-5 < error(layer.weight.grad.hi.reshape(rows, -1)[:, : g.shape[1]], flips) < 4e-2
    if bias:
        assert np.abs(layer.bias.grad.numpy() - added.grad.numpy()).max() <= 1e-5 * np.abs(dy).sum()


def test_gradients_of_transposed_convolutions_are_rounded_without_bias(int8):
    layer, x = nn.RBEConvTranspose1d(24, 5, 3, bias=False), Inputs(7).leaf(1, 24, 9).detach().float()
    # One large number: to the nearest, all others would be rounded to zero.
    dy = Inputs(8).array(1, 5, 11, dtype=np.float32) * 1e-3
    dy[0, 2, 4] = 1
    mean = np.zeros((24, 9))
    for shift in range(400):
        leaf = rbe.tensor(np.repeat(x.numpy(), 2, axis=0), requires_grad=True)
        moved = dy * np.float32(1 + shift * 1e-4)  # other numbers, another noise
        layer(leaf).backward(rbe.tensor(np.concatenate([moved, moved])))
        mean += leaf.grad.numpy().mean(axis=0) / 400
    exact = rbe.tensor(x.numpy().astype(np.float64), requires_grad=True)
    w = rbe.tensor(decoded(layer).reshape(layer.weight.shape))
    F.conv_transpose1d(exact, w).backward(rbe.tensor(dy.astype(np.float64) * (1 + 399 * 0.5e-4)))
    off = np.abs(mean - exact.grad.numpy()[0])
    far = exact.grad.numpy()[0][:, :2]  # of no window that reads the large number
    assert np.abs(far).max() > 0
    assert off[:, :2].max() < 0.35 * np.abs(far).max()


def test_samples_of_a_transposed_convolution_do_not_depend_on_one_another(int8):
    layer, x = nn.RBEConvTranspose2d(6, 20, 3, stride=2), Inputs(17).array(9, 6, 6, 6, dtype=np.float32)
    y = layer(rbe.tensor(x)).detach().numpy()
    for n in (1, 2, 8):
        assert np.array_equal(layer(rbe.tensor(x[:n])).detach().numpy(), y[:n])
    assert np.array_equal(layer(rbe.tensor(x[::-1].copy())).detach().numpy(), y[::-1])
    x[4, 1, 2, 3] = np.nan
    changed = layer(rbe.tensor(x)).detach().numpy()
    assert np.isnan(changed[4]).all()
    assert np.array_equal(np.delete(changed, 4, axis=0), np.delete(y, 4, axis=0))


def test_empty_batches_of_a_transposed_convolution(int8):
    layer, x = nn.RBEConvTranspose2d(3, 8, 3), rbe.zeros(0, 3, 5, 5, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.shape == (0, 3, 5, 5)
    assert layer.weight.grad.hi.shape == (3, 2, 64)
    assert not np.any(layer.weight.grad.hi)


def test_float64_inputs_of_transposed_convolutions_stay_exact(int8):
    layer = nn.RBEConvTranspose2d(3, 4, 3, stride=2).double()
    assert rbe.autograd.gradcheck(lambda x: layer(x), (Inputs(4).leaf(2, 3, 3, 4),))


def test_transposed_convolutions_save_a_quarter_of_their_input(int8):
    layer, x = nn.RBEConvTranspose2d(64, 4, 3, padding=1), rbe.randn(50, 64, 16, 16)
    result = 50 * 4 * 16 * 16 * 4
    assert bytes_saved(layer, x, "float32") >= x.numel() * 4 + result
    assert bytes_saved(layer, x, "int8") <= x.numel() * 1.3 + result
