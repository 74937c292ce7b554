"""Layers and functions of images, channels, distances and weights against torch; the databases of torch test the modules, too."""

import functools

import beside_torch
import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, array, assert_same, load_torch, pair, torch
from inputs import Inputs
from rbe import nn
from reference import check_flips

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")]

F, TF, TN = nn.functional, torch.nn.functional, torch.nn
RNG = Inputs()
compare = functools.partial(beside_torch.compare, least=1.0)

TRANSPOSE2D = [
    {},
    {"stride": 2},
    {"stride": (3, 2), "padding": (1, 2), "output_padding": (2, 1)},
    {"padding": 1, "dilation": 2},
    {"dilation": (1, 3), "output_padding": (0, 2), "stride": 1},
    {"stride": 2, "dilation": 4, "output_padding": 3},
    {"groups": 2, "padding": 1},
    {"groups": 4, "stride": 2, "padding": 1},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 1), (2, 5), (4, 4)])
@pytest.mark.parametrize("kwargs", TRANSPOSE2D)
def test_conv_transpose2d(kwargs, kernel, dtype):
    arrays = (RNG.array(3, 4, 5, 6), RNG.array(4, 2, *kernel), RNG.array(2 * kwargs.get("groups", 1)))
    compare(lambda *a: F.conv_transpose2d(*a, **kwargs), lambda *a: TF.conv_transpose2d(*a, **kwargs), *arrays, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kwargs", [{}, {"stride": 3, "output_padding": 2}, {"dilation": 3, "padding": 2}, {"groups": 6, "stride": 2}]
)
@pytest.mark.parametrize("shape", [(2, 6, 7), (6, 7)])
def test_conv_transpose1d(shape, kwargs, dtype):
    arrays = (RNG.array(*shape), RNG.array(6, 3, 4))
    compare(lambda *a: F.conv_transpose1d(*a, **kwargs), lambda *a: TF.conv_transpose1d(*a, **kwargs), *arrays, dtype=dtype)


def test_an_output_size_chooses_the_output_padding():
    theirs = TN.ConvTranspose2d(4, 6, 3, stride=3, padding=1)
    ours = nn.ConvTranspose2d(4, 6, 3, stride=3, padding=1)
    load_torch(ours, theirs)
    x = RNG.array(2, 4, 5, 5, dtype=np.float32)
    for size in ((13, 13), (15, 14), (2, 6, 14, 15)):
        y, z = ours(rbe.tensor(x), output_size=size), theirs(torch.tensor(x), output_size=list(size))
        assert_same(y, z, least=1.0)
    with pytest.raises(rbe.ShapeError, match=r"from \[13, 13\] to \[15, 15\]"):
        ours(rbe.tensor(x), output_size=(16, 13))


@pytest.mark.usefixtures("float32_products")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kwargs", [{}, {"stride": 2, "padding": 1}, {"stride": 3, "padding": 2, "groups": 2, "output_padding": 1}]
)
@pytest.mark.parametrize(("name", "shape"), [("ConvTranspose1d", (4, 16, 9)), ("ConvTranspose2d", (4, 16, 5, 6))])
def test_packed_filters(name, shape, kwargs, dtype):
    ours, theirs = getattr(nn, f"RBE{name}")(16, 12, 4, **kwargs), getattr(TN, name)(16, 12, 4, **kwargs).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.to_dense(rbe.float64).numpy()))
        theirs.bias.copy_(torch.tensor(ours.bias.detach().numpy()))
    theirs = theirs.to(beside_torch.torch_dtype(dtype))
    compare(ours, theirs, RNG.array(shape), dtype=dtype)
    np.testing.assert_allclose(ours.bias.grad.numpy(), theirs.bias.grad.numpy(), rtol=1e-5, atol=1e-5)
    check_flips(ours.weight, theirs.weight.grad.numpy().reshape(16, -1))


INTERPOLATE = [
    ((2, 3, 7), {"scale_factor": 2}),
    ((2, 3, 7), {"size": 4, "mode": "nearest"}),
    ((2, 3, 7), {"scale_factor": 1.7, "mode": "nearest-exact"}),
    ((2, 3, 7), {"size": 11, "mode": "linear"}),
    ((2, 3, 7), {"scale_factor": 0.6, "mode": "linear", "align_corners": True}),
    ((2, 3, 7), {"size": 3, "mode": "area"}),
    ((2, 3, 5, 6), {"scale_factor": (2, 3)}),
    ((2, 3, 5, 6), {"size": (3, 9), "mode": "nearest-exact"}),
    ((2, 3, 5, 6), {"scale_factor": 2, "mode": "bilinear"}),
    ((2, 3, 5, 6), {"scale_factor": 2.3, "mode": "bilinear", "align_corners": True}),
    ((2, 3, 5, 6), {"scale_factor": 2.3, "mode": "bilinear", "recompute_scale_factor": True}),
    ((2, 3, 5, 6), {"size": (3, 4), "mode": "bilinear", "antialias": True}),
    ((2, 3, 9, 16), {"size": (2, 5), "mode": "bicubic", "antialias": True}),
    ((2, 3, 5, 6), {"size": (8, 3), "mode": "bicubic"}),
    ((2, 3, 5, 6), {"scale_factor": 1.5, "mode": "bicubic", "align_corners": True}),
    ((2, 3, 5, 6), {"size": 1, "mode": "bilinear", "align_corners": True}),
    ((2, 3, 5, 6), {"size": (3, 7), "mode": "area"}),
    ((2, 3, 3, 4, 5), {"scale_factor": 2}),
    ((2, 3, 3, 4, 5), {"size": (5, 2, 6), "mode": "trilinear"}),
    ((2, 3, 3, 4, 5), {"scale_factor": 1.4, "mode": "trilinear", "align_corners": True}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "kwargs"), INTERPOLATE)
def test_interpolate(shape, kwargs, dtype):
    compare(
        lambda x: F.interpolate(x, **kwargs), lambda x: TF.interpolate(x, **kwargs), RNG.array(*shape), dtype=dtype, scale=4.0
    )


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_elements_are_torchs_for_every_pair_of_lengths(mode):
    for before in range(1, 34):
        x = np.arange(before, dtype=np.float32).reshape(1, 1, before)
        for after in range(1, 50):
            y = F.interpolate(rbe.tensor(x), after, mode=mode)
            np.testing.assert_array_equal(
                array(y), array(TF.interpolate(torch.tensor(x), after, mode=mode)), f"{before} {after}"
            )


FUNCTIONS = {
    "bilinear": ((RNG.array(5, 4), RNG.array(5, 3), RNG.array(2, 4, 3), RNG.array(2)), {}),
    "pairwise_distance": ((RNG.array(5, 4), RNG.array(4)), {"p": 3.0, "keepdim": True}),
    "prelu": ((RNG.array(5, 4, 3), RNG.array(4)), {}),
    "instance_norm": ((RNG.array(3, 4, 5),), {}),
    "pixel_shuffle": ((RNG.array(2, 12, 3, 4),), {"upscale_factor": 2}),
    "pixel_unshuffle": ((RNG.array(2, 3, 6, 9),), {"downscale_factor": 3}),
    "glu": ((RNG.array(3, 6, 2),), {"dim": 1}),
    "mish": ((RNG.array(30) * 9,), {}),
    "logsigmoid": ((RNG.array(30) * 30,), {}),
    "softshrink": ((RNG.array(30),), {"lambd": 0.3}),
    "celu": ((RNG.array(30),), {"alpha": 0.5}),
    "adaptive_max_pool1d": ((RNG.array(2, 3, 11),), {"output_size": 4}),
    "adaptive_max_pool2d": ((RNG.array(2, 3, 7, 11),), {"output_size": (3, None)}),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, dtype):
    arrays, kwargs = FUNCTIONS[name]
    ours, theirs = getattr(F, name), getattr(TF, name)
    compare(lambda *a: ours(*a, **kwargs), lambda *a: theirs(*a, **kwargs), *arrays, dtype=dtype, scale=4.0)


def test_places_of_adaptive_maxima_are_torchs_with_ties():
    x = RNG.integers(0, 3, (2, 3, 7, 9)).astype(np.float32)
    for size in (1, 2, (3, 4), (7, 9)):
        ours = F.adaptive_max_pool2d(rbe.tensor(x), size, True)
        theirs = TF.adaptive_max_pool2d(torch.tensor(x), size, True)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_channels_are_dropped_whole(name):
    x = rbe.ones(50, 40, *[3] * int(name[-2]), requires_grad=True)
    y = getattr(F, name)(x, 0.25)
    channels = array(y).reshape(50, 40, -1)
    assert set(np.unique(channels)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (channels == channels[..., :1]).all()
    assert 0.7 < (channels[..., 0] > 0).mean() < 0.8
    y.sum().backward()
    np.testing.assert_array_equal(array(x.grad), array(y))
    assert getattr(F, name)(x, 0.25, training=False) is x


@pytest.mark.parametrize("dim", [0, 1, -1, None])
@pytest.mark.parametrize("make", [lambda n: n.Linear(4, 3), lambda n: n.Conv1d(4, 6, 3)])
def test_weight_norm_trains_as_torchs(make, dim):
    theirs, ours = make(TN), make(nn)
    load_torch(ours, theirs)
    with pytest.warns(FutureWarning):
        TN.utils.weight_norm(theirs, dim=dim)
    nn.utils.weight_norm(ours, dim=dim)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    ours.load_state_dict({name: rbe.from_torch(t) for name, t in theirs.state_dict().items()})
    x = RNG.array(5, 4, dtype=np.float32) if isinstance(ours, nn.Linear) else RNG.array(5, 4, 7, dtype=np.float32)
    optimizers = rbe.optim.SGD(ours.parameters(), lr=0.1), torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        losses = (ours(rbe.tensor(x)) ** 2).mean(), (theirs(torch.tensor(x)) ** 2).mean()
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        np.testing.assert_allclose(losses[0].item(), losses[1].item(), rtol=1e-5)
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(array(ours.get_parameter(name)), array(p), rtol=1e-4, atol=1e-6)
    nn.utils.remove_weight_norm(ours)
    TN.utils.remove_weight_norm(theirs)
    np.testing.assert_allclose(array(ours.weight), array(theirs.weight), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_transformer_with_masks_is_torchs(norm_first):
    options = {"batch_first": True, "norm_first": norm_first, "dropout": 0.0, "dtype": torch.float64}
    theirs = TN.Transformer(16, 4, 2, 2, 32, **options)
    ours = nn.Transformer(16, 4, 2, 2, 32, **{**options, "dtype": rbe.float64})
    load_torch(ours, theirs, Inputs(3), 0.3)
    source, target = pair(RNG.array(3, 7, 16)), pair(RNG.array(3, 5, 16))
    hidden = np.arange(7) > np.array([[6], [3], [4]])
    causal = [library.nn.Transformer.generate_square_subsequent_mask(5, dtype=library.float64) for library in (rbe, torch)]
    found = []
    for model, library, s, t, mask in zip((ours, theirs), (rbe, torch), source, target, causal, strict=True):
        padding = library.tensor(hidden)
        bias = library.zeros(3, 7, dtype=library.float64).masked_fill(padding, -np.inf)
        found.append(model(s, t, tgt_mask=mask, src_key_padding_mask=bias, memory_key_padding_mask=bias, tgt_is_causal=True))
    assert_same(*found, scale=10.0)
    beside_torch.backward(*found)
    assert_same(source[0].grad, source[1].grad, scale=10.0, least=1.0)
    assert_same(target[0].grad, target[1].grad, scale=10.0, least=1.0)
    beside_torch.assert_same_gradients(ours, theirs, least=1.0)
