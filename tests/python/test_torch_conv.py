"""Convolution and pooling against torch; `make test-torch` installs torch."""

import functools

import beside_torch
import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, load_torch, torch, torch_dtype
from inputs import Inputs
from rbe import nn
from reference import check_flips

# These are sums of many products, whose terms cancel.
assert_same_gradients = functools.partial(beside_torch.assert_same_gradients, least=1.0)
compare = functools.partial(beside_torch.compare, least=1.0)

pytestmark = pytest.mark.torch

F, TF = nn.functional, torch.nn.functional
RNG = Inputs()


CONV2D = [
    {},
    {"stride": 2},
    {"stride": (2, 3), "padding": (1, 2)},
    {"padding": 2, "dilation": 2},
    {"dilation": (1, 3), "padding": (0, 3)},
    {"padding": "same"},
    {"padding": "same", "dilation": (2, 1)},
    {"padding": "valid", "stride": (3, 1)},
    {"groups": 2, "padding": 1},
    {"groups": 4, "stride": 2, "dilation": 2, "padding": 2},
]
KERNELS = [(3, 3), (1, 1), (2, 5), (4, 3), (5, 5), (3, 7)]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kwargs", CONV2D)
def test_conv2d(kwargs, kernel, dtype):
    arrays = (
        RNG.array(3, 4, 11, 13),
        RNG.array(8, 4 // kwargs.get("groups", 1), *kernel),
        RNG.array(8),
    )
    compare(lambda *a: F.conv2d(*a, **kwargs), lambda *a: TF.conv2d(*a, **kwargs), *arrays, dtype=dtype)


CONV1D = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 3},
    {"padding": "same", "dilation": 2},
    {"groups": 6, "padding": 4, "stride": 3},
]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [1, 3, 4, 5])
@pytest.mark.parametrize("kwargs", CONV1D)
def test_conv1d(kwargs, kernel, dtype):
    arrays = (
        RNG.array(3, 6, 17),
        RNG.array(12, 6 // kwargs.get("groups", 1), kernel),
        RNG.array(12),
    )
    compare(lambda *a: F.conv1d(*a, **kwargs), lambda *a: TF.conv1d(*a, **kwargs), *arrays, dtype=dtype)


def test_without_samples_axis():
    arrays = RNG.array(4, 7, 6), RNG.array(5, 4, 3, 3)
    compare(lambda x, w: F.conv2d(x, w, padding=1), lambda x, w: TF.conv2d(x, w, padding=1), *arrays, dtype=np.float64)
    compare(
        lambda x, w: F.conv1d(x, w),
        lambda x, w: TF.conv1d(x, w),
        *(arrays[0][0], arrays[1][:, :, 0][:, :7].repeat(2, 1)[:, :7]),
        dtype=np.float64,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("args", [(3,), ((2, 3), 2, 1), ((4, 1), (2, 1), (1, 0), (1, 3)), (5, 1, 2, 3)])
def test_unfold(args, dtype):
    compare(lambda x: F.unfold(x, *args), lambda x: TF.unfold(x, *args), RNG.array(2, 3, 9, 8), dtype=dtype)


MAX = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "dilation": (2, 3), "stride": 1},
    {"kernel_size": 3, "dilation": 2, "padding": 1, "ceil_mode": True, "stride": 3},
    {"kernel_size": 2, "stride": 5, "padding": 1, "ceil_mode": True},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3, 10, 11), (3, 7, 8)])
@pytest.mark.parametrize("kwargs", MAX)
def test_max_pool2d(kwargs, shape, dtype):
    x = np.round(RNG.array(shape), 1)  # with equal elements
    compare(lambda x: F.max_pool2d(x, **kwargs), lambda x: TF.max_pool2d(x, **kwargs), x, dtype=dtype)
    ours = F.max_pool2d(rbe.tensor(x), **kwargs, return_indices=True)
    theirs = TF.max_pool2d(torch.tensor(x), **kwargs, return_indices=True)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


AVG = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kwargs", [*AVG, {"kernel_size": 3, "divisor_override": 4, "ceil_mode": True}])
def test_avg_pool2d(kwargs, dtype):
    x = [RNG.array(2, 3, 10, 11)]
    compare(lambda x: F.avg_pool2d(x, **kwargs), lambda x: TF.avg_pool2d(x, **kwargs), *x, dtype=dtype)


@pytest.mark.parametrize(
    "kwargs", [k for k in [*MAX, *AVG] if isinstance(k["kernel_size"], int) and k.get("dilation", 1) in (1, 2)]
)
def test_pools_of_one_axis(kwargs):
    name = "avg_pool1d" if kwargs in AVG else "max_pool1d"
    x = [RNG.array(2, 3, 12)]
    compare(lambda x: getattr(F, name)(x, **kwargs), lambda x: getattr(TF, name)(x, **kwargs), *x, dtype=np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, (2, 5), (None, 4), 13])
def test_adaptive_avg_pool2d(size, dtype):
    x = [RNG.array(2, 3, 10, 7)]
    compare(lambda x: F.adaptive_avg_pool2d(x, size), lambda x: TF.adaptive_avg_pool2d(x, size), *x, dtype=dtype)


LAYERS = [
    ("Conv1d", (4, 6, 3), {"padding": 1}, (2, 4, 9)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": 2, "groups": 2}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "bias": False}, (2, 4, 9, 8)),
    ("MaxPool1d", (2,), {}, (2, 4, 9)),
    ("MaxPool2d", (3, 2), {"padding": 1, "ceil_mode": True}, (2, 4, 9, 8)),
    ("AvgPool1d", (2,), {"padding": 1}, (2, 4, 9)),
    ("AvgPool2d", (3,), {"count_include_pad": False, "padding": 1, "divisor_override": 2}, (2, 4, 9, 8)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 4, 9)),
    ("AdaptiveAvgPool2d", ((3, None),), {}, (2, 4, 9, 8)),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS)
def test_layers_take_torchs_state_and_agree(name, args, kwargs, shape):
    theirs, ours = getattr(torch.nn, name)(*args, **kwargs).double(), getattr(nn, name)(*args, **kwargs).double()
    load_torch(ours, theirs)
    compare(ours, theirs, RNG.array(shape), dtype=np.float64)
    assert_same_gradients(ours, theirs)
    assert repr(ours).startswith(f"{name}(")


def test_initial_values_have_torchs_spread():
    ours, theirs = nn.Conv2d(32, 64, 5), torch.nn.Conv2d(32, 64, 5)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        a, b = p.detach().numpy(), q.detach().numpy()
        assert a.shape == b.shape
        assert a.std() == pytest.approx(b.std(), rel=0.3)
        assert abs(a).max() <= 1 / np.sqrt(32 * 25)
    assert ours.weight.detach().numpy().std() == pytest.approx(theirs.weight.detach().numpy().std(), rel=0.02)


PACKED = [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": "same"}, {"groups": 2, "padding": (2, 1)}]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kwargs", PACKED)
@pytest.mark.parametrize(("name", "shape"), [("Conv1d", (3, 16, 20)), ("Conv2d", (3, 16, 9, 10))])
@pytest.mark.usefixtures("float32_products")
def test_packed_filters_against_torch_on_the_decoded_ones(name, shape, kwargs, dtype):
    if len(shape) == 3 and isinstance(kwargs.get("padding"), tuple):
        kwargs = {**kwargs, "padding": 2}
    ours, theirs = getattr(nn, f"RBE{name}")(16, 32, 3, **kwargs), getattr(torch.nn, name)(16, 32, 3, **kwargs).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.to_dense(rbe.float64).numpy()))
        theirs.bias.copy_(torch.tensor(ours.bias.detach().numpy()))
    theirs = theirs.to(torch_dtype(dtype))
    compare(ours, theirs, RNG.array(shape), dtype=dtype)
    np.testing.assert_allclose(ours.bias.grad.numpy(), theirs.bias.grad.numpy(), rtol=1e-5, atol=1e-5)
    check_flips(ours.weight, theirs.weight.grad.numpy().reshape(32, -1))
