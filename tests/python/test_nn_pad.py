"""Padding, and windows as columns and back, against NumPy; test_torch_pad.py compares with torch."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.autograd import gradcheck
from rbe.nn import functional as F

RNG = Inputs()
NUMPY = {"constant": {"constant_values": 2.5}, "reflect": {}, "replicate": {}, "circular": {}}
NAMES = {"replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize(
    ("shape", "pads"), [((2, 3, 5), (4, 1)), ((3, 5, 4), (0, 3, 2, 0)), ((1, 2, 4, 5, 3), (1, 2, 3, 0, 2, 2))]
)
def test_pad_against_numpy(mode, shape, pads):
    x = RNG.array(shape)
    around = [(0, 0)] * len(shape)
    for i in range(len(pads) // 2):
        around[-1 - i] = pads[2 * i : 2 * i + 2]
    want = np.pad(x, around, NAMES.get(mode, mode), **NUMPY[mode])
    got = F.pad(rbe.tensor(x), pads, mode, 2.5 if mode == "constant" else None)
    np.testing.assert_array_equal(got.numpy(), want)


def test_negative_numbers_take_away():
    x = rbe.arange(10.0).reshape(1, 2, 5)
    assert F.pad(x, (-1, -2)).tolist() == [[[1.0, 2.0], [6.0, 7.0]]]
    assert F.pad(x, (2, -3), "circular").tolist() == [[[0.0, 1.0, 0.0, 1.0], [5.0, 6.0, 5.0, 6.0]]]
    assert F.pad(rbe.tensor([1, 2]), (1, 0), value=7).tolist() == [7, 1, 2]


@pytest.mark.parametrize("mode", NUMPY)
def test_gradients_of_pad(mode):
    assert gradcheck(lambda x: F.pad(x, (2, 1, 0, 2), mode), [RNG.leaf(2, 3, 4)])
    assert gradcheck(lambda x: F.pad(x, (-1, 1), mode), [RNG.leaf(2, 4)])


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.RBEConv2d])
@pytest.mark.parametrize("padding", [(2, 1), "same"])
def test_padding_mode_is_padding_before(kind, mode, padding):
    layer, x = kind(4, 6, (3, 2), padding=padding, padding_mode=mode), rbe.randn(2, 4, 6, 5)
    around = (1, 1, 2, 2) if padding == (2, 1) else (0, 1, 1, 1)
    want = F.conv2d(F.pad(x, around, mode), layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(x).detach().numpy(), want.detach().numpy())
    assert f"padding_mode={mode}" in repr(layer)


@pytest.mark.parametrize("kwargs", [{}, {"stride": 2, "padding": (1, 0)}, {"dilation": (2, 1), "padding": 2, "stride": (1, 3)}])
def test_fold_is_the_transpose_of_unfold(kwargs):
    x = RNG.tensor(2, 3, 6, 7)
    columns = F.unfold(x, (3, 2), **kwargs)
    y = RNG.tensor(*columns.shape)
    folded = F.fold(y, (6, 7), (3, 2), **kwargs)
    assert folded.shape == x.shape
    np.testing.assert_allclose((columns * y).sum().item(), (x * folded).sum().item(), rtol=1e-12)
    np.testing.assert_array_equal(F.fold(y[0], (6, 7), (3, 2), **kwargs).numpy(), folded.numpy()[0])
    layers = nn.Unfold((3, 2), **kwargs), nn.Fold((6, 7), (3, 2), **kwargs)
    np.testing.assert_array_equal(layers[0](x).numpy(), columns.numpy())
    np.testing.assert_array_equal(layers[1](y).numpy(), folded.numpy())


def test_gradients_of_fold():
    assert gradcheck(lambda x: F.fold(x, (4, 5), (2, 3), (2, 1), 1, (1, 2)), [RNG.leaf(2, 12, 12)])


X, COLUMNS = rbe.zeros(2, 3, 4), rbe.zeros(1, 12, 12)
ERRORS = [
    (lambda: F.pad(X, (1,)), rbe.ShapeError, "pairs"),
    (lambda: F.pad(X, (1,) * 8), rbe.ShapeError, "pairs"),
    (lambda: F.pad(X, (1, 1) * 3, "reflect"), rbe.ShapeError, "pairs"),
    (lambda: F.pad(X, (), "circular"), rbe.ShapeError, "pairs"),
    (lambda: F.pad(X, (1, 1), "mirror"), rbe.TensorError, "mirror"),
    (lambda: F.pad(X, (1, 1), "reflect", 1.0), rbe.TensorError, "no value"),
    (lambda: F.pad(X, (4, 0), "reflect"), rbe.ShapeError, "at most 3"),
    (lambda: F.pad(X, (0, 5), "circular"), rbe.ShapeError, "at most 4"),
    (lambda: F.pad(rbe.zeros(2, 3, 0), (1, 1), "replicate"), rbe.ShapeError, "left"),
    (lambda: F.pad(X, (-3, -2)), rbe.ShapeError, "left"),
    (lambda: F.pad(X, (0, 2**60)), rbe.OutOfMemoryError, "memory"),
    (lambda: F.pad(X, (2**40, 0), "replicate"), rbe.OutOfMemoryError, "memory"),
    (lambda: nn.Conv1d(3, 2, 3, padding=2**40, padding_mode="replicate")(X), rbe.OutOfMemoryError, "memory"),
    (lambda: nn.Conv2d(4, 6, 3, padding_mode="mirror"), rbe.TensorError, "padding_mode"),
    (lambda: nn.Conv1d(3, 2, 3, padding=9, padding_mode="reflect")(X), rbe.ShapeError, "at most 3"),
    (lambda: nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect")(rbe.zeros(3)), rbe.ShapeError, "Conv2d"),
    (lambda: F.fold(COLUMNS, (4, 4), (2, 3)), rbe.ShapeError, "12 · |fold"),
    (lambda: F.fold(COLUMNS, (4, 5), (2, 5)), rbe.ShapeError, "fold"),
    (lambda: F.fold(COLUMNS, (4, 4), 5), rbe.ShapeError, "at least 5"),
    (lambda: F.fold(rbe.zeros(12), (4, 5), (2, 3)), rbe.ShapeError, "fold"),
    (lambda: F.fold(COLUMNS, (4, 5), (2, 3), stride=0), rbe.TensorError, "stride"),
    (lambda: F.fold(COLUMNS, (2**31, 2**20), (2, 3)), rbe.OutOfMemoryError, "memory"),
    (lambda: rbe.zeros(2**40), rbe.OutOfMemoryError, "memory"),
    (lambda: rbe.randn(2**30, 2**30), rbe.OutOfMemoryError, "memory"),
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_bad_input(case):
    call, error, words = ERRORS[case]
    with pytest.raises(error, match=words):
        call()
