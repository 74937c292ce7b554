"""Layers along three axes, sampling at places of a grid, and bags of rows beside torch's."""

import itertools

import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, assert_same, assert_same_gradients, backward, compare, load_torch, pair, torch
from inputs import Inputs

pytestmark = pytest.mark.torch
F, TF = rbe.nn.functional, torch.nn.functional

CONVOLUTIONS = [
    {},
    {"padding": 1},
    {"stride": (1, 2, 1), "padding": (2, 0, 1)},
    {"dilation": (2, 1, 1), "padding": "same"},
    {"groups": 2, "stride": 2},
    {"padding": "valid"},
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("options", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolutions_are_torchs(options, dtype):
    random = Inputs(1)
    x, w, b = random.array(2, 4, 5, 6, 4), random.array(6, 4 // options.get("groups", 1), 3, 2, 3), random.array(6)
    compare(lambda *t: F.conv3d(*t, **options), lambda *t: TF.conv3d(*t, **options), x, w, b, dtype=dtype, scale=3.0, least=1.0)


def test_a_volume_without_samples_is_taken_too():
    random = Inputs(2)
    compare(F.conv3d, TF.conv3d, random.array(2, 3, 4, 4), random.array(5, 2, 2, 2, 2), least=1.0)


POOLS = [
    ("max_pool3d", {"kernel_size": 2}),
    ("max_pool3d", {"kernel_size": (3, 2, 2), "stride": (1, 2, 1), "padding": (1, 1, 0)}),
    ("max_pool3d", {"kernel_size": 2, "dilation": (2, 1, 2), "stride": 1}),
    ("max_pool3d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ("avg_pool3d", {"kernel_size": 2}),
    ("avg_pool3d", {"kernel_size": (3, 2, 3), "stride": 1, "padding": 1}),
    ("avg_pool3d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("avg_pool3d", {"kernel_size": 2, "divisor_override": 3}),
    ("avg_pool3d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("adaptive_avg_pool3d", {"output_size": (2, None, 3)}),
    ("adaptive_avg_pool3d", {"output_size": 1}),
]


@pytest.mark.parametrize(("name", "options"), POOLS)
@pytest.mark.parametrize("shape", [(2, 3, 5, 6, 5), (3, 6, 5, 5)])
def test_pools_are_torchs(name, options, shape):
    compare(
        lambda x: getattr(F, name)(x, **options), lambda x: getattr(TF, name)(x, **options), Inputs(3).array(*shape), least=1.0
    )


def test_positions_of_the_largest_elements_are_torchs():
    x, y = pair(Inputs(4).array(2, 3, 5, 6, 4))
    ours = F.max_pool3d(x, (2, 3, 2), (2, 1, 2), (1, 1, 0), return_indices=True)
    theirs = TF.max_pool3d(y, (2, 3, 2), (2, 1, 2), (1, 1, 0), return_indices=True)
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b)
    backward(ours[0], theirs[0])
    assert_same(x.grad, y.grad)


LAYERS = {
    "Conv3d": ((4, 6, 3), {"padding": 1, "padding_mode": "circular"}),
    "MaxPool3d": ((2,), {}),
    "AvgPool3d": ((2,), {"padding": 1}),
    "AdaptiveAvgPool3d": ((2,), {}),
    "BatchNorm3d": ((4,), {}),
    "InstanceNorm3d": ((4,), {"affine": True}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_torchs(name):
    args, options = LAYERS[name]
    ours, theirs = getattr(rbe.nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    load_torch(ours, theirs)
    x, y = pair(Inputs(5).array(2, 4, 4, 5, 4), np.float32)
    a, b = ours(x), theirs(y)
    assert_same(a, b, 10, least=1.0)
    backward(a, b)
    assert_same(x.grad, y.grad, 10, least=1.0)
    assert_same_gradients(ours, theirs, least=10.0)


SAMPLES = [
    (axes, mode, padding, align)
    for axes, mode, padding, align in itertools.product(
        (2, 3), ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (True, False)
    )
    if not (axes == 3 and mode == "bicubic")
]


@pytest.mark.parametrize(("axes", "mode", "padding", "align"), SAMPLES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_at_places_are_torchs(axes, mode, padding, align, dtype):
    random = Inputs(6)
    x = random.array(2, 3, *(4, 5, 3)[:axes])
    grid = random.array(2, *(3, 4, 2)[:axes], axes) * 0.9
    options = {"mode": mode, "padding_mode": padding, "align_corners": align}
    compare(
        lambda *t: F.grid_sample(*t, **options) + 0.0 * t[1].sum(),
        lambda *t: TF.grid_sample(*t, **options) + 0.0 * t[1].sum(),
        x, grid, dtype=dtype, scale=20.0, least=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_places_have_the_gradients_of_finite_differences(mode, padding):
    random = Inputs(8)
    inputs = [random.leaf(1, 2, 3, 4), random.leaf(1, 2, 3, 2)]
    assert rbe.autograd.gradcheck(lambda x, g: F.grid_sample(x, g, mode, padding), inputs, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 3, 4, 5), (2, 1, 1, 1)])
@pytest.mark.parametrize("align", [True, False])
def test_affine_grids_are_torchs(size, align):
    n = len(size) - 2
    theta = Inputs(9).array(2, n, n + 1)
    compare(lambda t: F.affine_grid(t, size, align), lambda t: TF.affine_grid(t, list(size), align), theta, least=1.0)


BAGS = [
    ({"mode": "sum"}, None),
    ({"mode": "mean"}, None),
    ({"mode": "max"}, None),
    ({"mode": "mean"}, [0, 2, 2, 5]),
    ({"mode": "max"}, [0, 2, 2, 5]),
    ({"mode": "sum", "include_last_offset": True}, [0, 3, 8]),
    ({"mode": "mean", "padding_idx": 2}, [0, 2, 5]),
    ({"mode": "max", "padding_idx": -1}, [0, 2, 5]),
]


@pytest.mark.parametrize(("options", "offsets"), BAGS)
def test_bags_of_rows_are_torchs(options, offsets):
    indices = np.array([1, 2, 4, 0, 2, 2, 3, 1])
    table = Inputs(10).array(5, 3)
    shaped = indices if offsets is not None else indices.reshape(2, 4)
    found = []
    for m, f in ((rbe, F), (torch, TF)):
        where = None if offsets is None else m.tensor(np.array(offsets))
        w = m.tensor(table, requires_grad=True)
        found.append((f.embedding_bag(m.tensor(shaped), w, where, **options), w))
    (a, w), (b, tw) = found
    assert_same(a, b, least=1.0)
    backward(a, b)
    assert_same(w.grad, tw.grad, least=1.0)


def test_factors_of_rows_are_torchs():
    random = Inputs(11)
    indices, factors, table = np.array([[1, 2, 0], [3, 3, 1]]), random.array(2, 3), random.array(4, 2)
    compare(
        lambda w, p: F.embedding_bag(rbe.tensor(indices), w, mode="sum", per_sample_weights=p),
        lambda w, p: TF.embedding_bag(torch.tensor(indices), w, mode="sum", per_sample_weights=p),
        table, factors, least=1.0,
    )  # fmt: skip
    ours, theirs = rbe.nn.EmbeddingBag(4, 2, mode="max"), torch.nn.EmbeddingBag(4, 2, mode="max")
    load_torch(ours, theirs)
    assert_same(ours(rbe.tensor(indices)), theirs(torch.tensor(indices)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.conv3d(rbe.ones(1, 2, 3, 3, 3), rbe.ones(1, 3, 2, 2, 2)),
        lambda: F.conv3d(rbe.ones(1, 2, 3, 3, 3), rbe.ones(1, 2, 4, 2, 2)),
        lambda: F.conv3d(rbe.ones(1, 2, 3, 3), rbe.ones(1, 2, 2, 2)),
        lambda: F.max_pool3d(rbe.ones(1, 2, 3), 2),
        lambda: F.max_pool3d(rbe.ones(1, 1, 2, 2, 2), 3),
        lambda: F.adaptive_avg_pool3d(rbe.ones(1, 1, 2, 2, 2), (1, 1)),
        lambda: F.grid_sample(rbe.ones(1, 1, 2, 2), rbe.ones(1, 2, 2, 3)),
        lambda: F.grid_sample(rbe.ones(1, 1, 2, 2), rbe.ones(1, 2, 2, 2), "cubic"),
        lambda: F.grid_sample(rbe.ones(1, 1, 2, 2), rbe.ones(1, 2, 2, 2), padding_mode="wrap"),
        lambda: F.grid_sample(rbe.ones(1, 1, 2, 2), rbe.ones(1, 2, 2, 2, dtype=rbe.float64)),
        lambda: F.affine_grid(rbe.ones(1, 2, 3), (2, 1, 2, 2)),
        lambda: F.embedding_bag(rbe.tensor([0, 1]), rbe.ones(2, 2)),
        lambda: F.embedding_bag(rbe.tensor([0, 1]), rbe.ones(2, 2), rbe.tensor([1])),
        lambda: F.embedding_bag(rbe.tensor([0, 5]), rbe.ones(2, 2), rbe.tensor([0])),
        lambda: F.embedding_bag(rbe.tensor([[0, 1]]), rbe.ones(2, 2), mode="prod"),
        lambda: rbe.nn.EmbeddingBag(2, 2, sparse=True),
    ],
)
def test_unusable_arguments_are_refused(call):
    with pytest.raises(rbe.RBEError):
        call()


def test_classes_have_the_paths_of_torchs_modules():
    for name in torch.nn.modules.__all__:
        if hasattr(rbe.nn, name):
            path = getattr(torch.nn, name).__module__.rpartition(".")[2]
            module = getattr(rbe.nn.modules, path, None)
            if module is not None:
                assert getattr(module, name) is getattr(rbe.nn, name), name
    assert isinstance(rbe.nn.BatchNorm2d(2), rbe.nn.modules.batchnorm._BatchNorm)
    assert rbe.utils.data.dataloader.DataLoader is rbe.data.DataLoader


def test_checkpoints_take_torchs_arguments():
    x, y = pair(Inputs(1).array(3))
    a = rbe.utils.checkpoint.checkpoint(lambda x, scale: x.exp() * scale, x, scale=2.0, use_reentrant=False)
    b = torch.utils.checkpoint.checkpoint(lambda x, scale: x.exp() * scale, y, scale=2.0, use_reentrant=False)
    backward(a, b)
    assert_same(x.grad, y.grad)
