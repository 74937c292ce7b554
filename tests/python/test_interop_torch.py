"""Memory shared with torch through DLPack and NumPy."""

import gc

import numpy as np
import pytest
import rbe

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

DTYPES = ["float32", "float64", "int64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_lends_its_memory(dtype):
    theirs = torch.arange(12).reshape(3, 4).to(getattr(torch, dtype))
    ours = rbe.from_dlpack(theirs)
    assert (ours.dtype.name, ours.shape) == (dtype, (3, 4))
    theirs[1, 2] = 0
    assert ours[1, 2].item() == 0
    ours[0, 1] = 0
    assert theirs[0, 1].item() == 0
    strided = rbe.from_dlpack(theirs.T[1:, ::2])
    assert strided.tolist() == theirs.T[1:, ::2].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_borrows_ours(dtype):
    ours = rbe.tensor(np.arange(12).reshape(3, 4).astype(dtype))
    theirs = torch.from_dlpack(ours)
    assert str(theirs.dtype) == "torch." + dtype
    ours[1, 2] = 0
    assert theirs[1, 2].item() == 0
    assert torch.from_dlpack(ours.T).stride() == ours.T.stride()
    assert torch.from_numpy(ours.numpy()).tolist() == ours.tolist()
    assert torch.tensor(ours.numpy()).tolist() == ours.tolist()


def test_memory_outlives_the_lender():
    ours = rbe.from_dlpack(torch.full((1000,), 3.0))
    theirs = torch.from_dlpack(rbe.full((1000,), 4.0))
    gc.collect()
    noise = [torch.zeros(1000) for _ in range(20)] + [rbe.zeros(1000) for _ in range(20)]
    assert (ours.sum().item(), theirs.sum().item()) == (3000, 4000)
    del noise


def test_names_mean_what_torchs_mean():
    a = np.random.default_rng(0).standard_normal((3, 4, 5))
    ours, theirs = rbe.tensor(a), torch.tensor(a)
    for call in (
        lambda t: t.max(1).values,
        lambda t: t.min(dim=-1, keepdim=True).indices,
        lambda t: t.amax((0, 2)),
        lambda t: t.sum(dim=(0, 1), keepdim=True),
        lambda t: t.std(dim=1),
        lambda t: t.argmax(dim=2),
        lambda t: t.softmax(dim=0),
        lambda t: t.flatten(1),
        lambda t: t.unbind(1)[2],
        lambda t: t.chunk(3, 2)[-1],
        lambda t: t.split([1, 3], 1)[1],
        lambda t: t.clamp(-0.5, 0.5),
        lambda t: t.view(12, 5).t(),
        lambda t: (t * 10).long().clamp(-3, 3),
        lambda t: ~(t * 10).long() & 5,
        lambda t: (t > 0) ^ (t < 0.5),
        lambda t: t[:, [0, 2], None, 1:],
        lambda t: t[t > 0],
        lambda t: t.transpose(0, 2).reshape(-1)[1:9],
    ):
        mine, reference = call(ours), call(theirs)
        assert mine.dtype.name == str(reference.dtype).removeprefix("torch.")
        assert mine.shape == tuple(reference.shape)
        np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=1e-12)
