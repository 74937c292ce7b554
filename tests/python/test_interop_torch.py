"""Memory shared with torch through DLPack and NumPy."""

import gc

import numpy as np
import pytest
import rbe
from inputs import Inputs

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
    a = Inputs().array(3, 4, 5)
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


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_torch_and_to_torch_share_memory(dtype):
    theirs = torch.arange(12).reshape(3, 4).to(getattr(torch, dtype))
    ours = rbe.from_torch(theirs)
    back = rbe.to_torch(ours)
    theirs[1, 2] = 0
    assert (ours[1, 2].item(), back[1, 2].item()) == (0, 0)
    assert back.data_ptr() == theirs.data_ptr()
    assert str(back.dtype) == f"torch.{dtype}"
    recorded = rbe.from_torch(torch.ones(3, requires_grad=True))
    assert not recorded.requires_grad
    assert not rbe.to_torch(rbe.ones(3, requires_grad=True)).requires_grad


def test_what_torch_has_and_we_have_not():
    with pytest.raises(rbe.DTypeError, match="complex64"):
        rbe.from_torch(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(rbe.DeviceError, match="meta"):
        rbe.from_torch(torch.zeros(2, device="meta"))
    with pytest.raises(rbe.DTypeError, match="list"):
        rbe.from_torch([1.0])
    with pytest.raises(rbe.DTypeError, match="to_dense"):
        rbe.to_torch(rbe.RBELinear(64, 2).weight)


def models():
    theirs = torch.nn.Sequential(torch.nn.Linear(100, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU(), torch.nn.Linear(32, 5))
    theirs(torch.randn(50, 100))
    ours = rbe.nn.Sequential(rbe.nn.Linear(100, 32), rbe.nn.BatchNorm1d(32), rbe.nn.ReLU(), rbe.nn.Linear(32, 5))
    packed = rbe.nn.Sequential(rbe.RBELinear(100, 32), rbe.nn.BatchNorm1d(32), rbe.nn.ReLU(), rbe.nn.Linear(32, 5))
    return theirs.eval(), ours.eval(), packed.eval()


def test_state_dicts_of_torch_load():
    theirs, ours, packed = models()
    x = torch.randn(7, 100)
    for state in (
        theirs.state_dict(),
        {k: v.double() if v.is_floating_point() else v.int() for k, v in theirs.state_dict().items()},
    ):
        rbe.load_torch_state_dict(ours, state)
        np.testing.assert_allclose(ours(rbe.from_torch(x)).detach().numpy(), theirs(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    half = {k: v.bfloat16() if v.is_floating_point() else v for k, v in theirs.state_dict().items()}
    rbe.load_torch_state_dict(ours, half)
    np.testing.assert_array_equal(ours[0].weight.detach().numpy(), half["0.weight"].float().numpy())

    before = packed[0].weight.hi
    with pytest.raises(rbe.ShapeError, match=r"0\.weight packed"):
        rbe.load_torch_state_dict(packed, theirs.state_dict())
    large = dict(theirs.state_dict())
    large["0.weight"] = large["0.weight"] * 1000
    with pytest.raises(rbe.TensorError, match=r"0\.weight within reach"):
        rbe.load_torch_state_dict(packed, large, encode=True)
    np.testing.assert_array_equal(packed[0].weight.hi, before)
    assert rbe.load_torch_state_dict(packed, theirs.state_dict(), encode=True) == ([], [])
    near = rbe.RBETensor.encode(theirs[0].weight.detach().numpy()).to_dense().numpy()
    np.testing.assert_allclose(packed[0].weight.to_dense().detach().numpy(), near, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(packed[3].weight.detach().numpy(), theirs[3].weight.detach().numpy())

    with pytest.raises(rbe.TensorError, match=r"unexpected"):
        rbe.load_torch_state_dict(ours, {**theirs.state_dict(), "9.weight": torch.zeros(1)})
    assert rbe.load_torch_state_dict(ours, {"0.bias": torch.zeros(32)}, strict=False).missing_keys[0] == "0.weight"


def test_safetensors_files_of_torch(tmp_path):
    files = pytest.importorskip("safetensors.torch")
    theirs, ours, packed = models()
    files.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    rbe.load_torch_state_dict(ours, rbe.load(tmp_path / "theirs.safetensors"))
    rbe.save(tmp_path / "ours.safetensors", ours.state_dict())
    back = files.load_file(tmp_path / "ours.safetensors")
    for name, value in theirs.state_dict().items():
        assert torch.equal(back[name], value)
    rbe.save(tmp_path / "packed.safetensors", packed.state_dict())
    hi = files.load_file(tmp_path / "packed.safetensors")["0.weight.hi"]
    assert hi.dtype == torch.uint64
    np.testing.assert_array_equal(hi.numpy(), packed[0].weight.hi)


@pytest.mark.parametrize(
    "name", ["float16", "bfloat16", "int8", "uint8", "int16", "int32", "float32", "float64", "int64", "bool"]
)
def test_elements_of_torchs_files_have_torchs_values(tmp_path, name):
    files = pytest.importorskip("safetensors.torch")
    values = torch.tensor([0, 1, 100, -3.0, 0.1, 6e-8]) if "float" in name else torch.tensor([0, 1, 100])
    theirs = values.to(getattr(torch, name))
    files.save_file({"a": theirs}, tmp_path / "x")
    ours = rbe.load(tmp_path / "x")["a"]
    assert ours.dtype.name == name
    np.testing.assert_array_equal(ours.double().numpy(), theirs.double().numpy())
