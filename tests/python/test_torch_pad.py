"""Padding, and windows as columns and back, against torch; `make test-torch` installs torch."""

import functools

import beside_torch
import numpy as np
import pytest
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
MODES = ["reflect", "replicate", "circular"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize(
    ("shape", "pads"), [((3, 6), (2, 3)), ((2, 3, 6), (0, 2)), ((2, 3, 5, 6), (1, 2, 3, 0)), ((3, 5, 6), (-1, 2, 1, 1))]
)
def test_pad(shape, pads, mode, dtype):
    compare(lambda x: F.pad(x, pads, mode), lambda x: TF.pad(x, pads, mode), RNG.array(shape), dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "kwargs", [{"padding": 2}, {"padding": "same", "dilation": 2}, {"padding": 1, "stride": 2, "groups": 2}]
)
@pytest.mark.parametrize(("name", "shape"), [("Conv1d", (3, 4, 9)), ("Conv2d", (3, 4, 8, 9))])
def test_padding_modes(name, shape, kwargs, mode, dtype):
    theirs = getattr(torch.nn, name)(4, 6, 3, padding_mode=mode, **kwargs)
    theirs = theirs.to(torch_dtype(dtype))
    ours = getattr(nn, name)(4, 6, 3, padding_mode=mode, **kwargs, dtype=np.dtype(dtype).name)
    load_torch(ours, theirs)
    compare(ours, theirs, RNG.array(shape), dtype=dtype)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("float32_products")
def test_packed_filters(mode):
    ours, theirs = (
        nn.RBEConv2d(16, 32, 3, padding=1, padding_mode=mode),
        torch.nn.Conv2d(16, 32, 3, padding=1, padding_mode=mode),
    )
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.to_dense().numpy()))
        theirs.bias.copy_(torch.tensor(ours.bias.detach().numpy()))
    compare(ours, theirs, RNG.array(3, 16, 7, 8), dtype=np.float32)
    check_flips(ours.weight, theirs.weight.grad.numpy().reshape(32, -1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("args", [(3,), ((2, 3), 2, 1), ((4, 1), (2, 1), (1, 0), (1, 3)), (5, 1, 2, 3)])
def test_fold(args, dtype):
    columns = TF.unfold(torch.zeros(2, 3, 9, 8), *args)
    x = [RNG.array(*columns.shape)]
    compare(lambda x: F.fold(x, (9, 8), *args), lambda x: TF.fold(x, (9, 8), *args), *x, dtype=dtype)
    compare(nn.Fold((9, 8), *args), torch.nn.Fold((9, 8), *args), *x, dtype=dtype)
    compare(nn.Unfold(*args), torch.nn.Unfold(*args), RNG.array(2, 3, 9, 8), dtype=dtype)
