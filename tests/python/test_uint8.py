"""Tensors of uint8: bytes that are shared, moved, compared, saved, converted and computed modulo 256."""

import copy
import pickle

import numpy as np
import pytest
import rbe

BYTES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 11


def fresh():
    return rbe.from_numpy(BYTES.copy())


def same(t, array):
    assert t.dtype is rbe.uint8
    np.testing.assert_array_equal(t.numpy(), array, strict=True)


def test_memory_is_shared_with_numpy_both_ways():
    a = BYTES.copy()
    t = rbe.from_numpy(a)
    assert (t.dtype, t.nbytes, t.dtype.itemsize, rbe.uint8.numpy) == (rbe.uint8, 24, 1, np.uint8)
    a[0, 0, 0] = 200
    assert t[0, 0, 0].item() == 200
    back = t.numpy()
    assert back.ctypes.data == a.ctypes.data
    same(rbe.from_dlpack(a), a)
    same(rbe.from_numpy(a[::-1, :, ::2]), a[::-1, :, ::2])


def test_memory_is_shared_with_torch_both_ways():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6, dtype=torch.uint8)
    ours = rbe.from_torch(theirs)
    theirs[0] = 255
    same(ours, np.array([255, 1, 2, 3, 4, 5], np.uint8))
    assert rbe.to_torch(ours).dtype is torch.uint8


@pytest.mark.parametrize(
    "move",
    [
        lambda t: t.transpose(0, 2),
        lambda t: t.permute(2, 0, 1).contiguous(),
        lambda t: t.reshape(6, 4),
        lambda t: t[:, 1],
        lambda t: t[..., ::2],
        lambda t: t[[1, 0, 1]],
        lambda t: t[t > 100],
        lambda t: t.flip(0),
        lambda t: t.clone(),
        lambda t: t.unsqueeze(1).expand(2, 5, 3, 4),
        lambda t: rbe.cat([t, t], 1),
        lambda t: rbe.stack([t, t]),
        lambda t: rbe.where(t > 100, t, t),
        lambda t: t.max(),
        lambda t: t.sort(0)[0],
        lambda t: t.masked_fill(t > 100, 7),
        copy.deepcopy,
        lambda t: pickle.loads(pickle.dumps(t)),
    ],
)
def test_elements_keep_their_type_when_moved(move):
    t, wide = fresh(), fresh().to(rbe.int64)
    found = move(t)
    same(found, move(wide).numpy().astype(np.uint8))


def test_elements_are_replaced_in_place():
    t = fresh()
    t[0] = 5
    t[1, 0] = rbe.tensor([1, 2, 3, 4])
    expected = BYTES.copy()
    expected[0], expected[1, 0] = 5, [1, 2, 3, 4]
    same(t, expected)


def test_conversions():
    numbers = [0.0, 1.9, 255.0]
    same(rbe.tensor(numbers).to(rbe.uint8), np.array([0, 1, 255], np.uint8))
    same(rbe.tensor(numbers, dtype=rbe.float64).to("uint8"), np.array([0, 1, 255], np.uint8))
    same(rbe.tensor([0, 256, -1]).to(np.uint8), np.array([0, 0, 255], np.uint8))
    same(rbe.tensor([True, False]).to(rbe.uint8), np.array([1, 0], np.uint8))
    for dtype in (rbe.float32, rbe.float64, rbe.int64, rbe.bool):
        found = fresh().to(dtype)
        assert found.dtype is dtype
        np.testing.assert_array_equal(found.numpy(), BYTES.astype(dtype.numpy))


def test_tensors_are_made_by_every_way():
    same(rbe.tensor([0, 255], dtype=rbe.uint8), np.array([0, 255], np.uint8))
    same(rbe.tensor(np.array([1, 2]), dtype=rbe.uint8), np.array([1, 2], np.uint8))
    same(rbe.zeros(2, dtype=rbe.uint8), np.zeros(2, np.uint8))
    same(rbe.full((2,), 200, dtype=rbe.uint8), np.full(2, 200, np.uint8))
    same(rbe.arange(3, dtype=rbe.uint8), np.arange(3, dtype=np.uint8))
    same(rbe.eye(2, dtype=rbe.uint8), np.eye(2, dtype=np.uint8))
    same(rbe.tensor(BYTES), BYTES)
    assert rbe.tensor([np.uint8(3)]).dtype is rbe.int64
    for bad in (256, -1, float("nan")):
        with pytest.raises(rbe.TensorError, match="0 to 255"):
            rbe.tensor([bad], dtype=rbe.uint8)
        with pytest.raises(rbe.TensorError):
            rbe.full((2,), bad, dtype=rbe.uint8)


def test_comparisons_and_reductions():
    t, wide = fresh(), fresh().to(rbe.int64)
    assert rbe.equal(t, fresh())
    assert not rbe.equal(t, t.flip(0))
    assert (t == 300).any().item() is False
    np.testing.assert_array_equal((t < t.flip(0)).numpy(), BYTES[::-1] > BYTES)
    assert (t.sum().dtype, t.sum().item()) == (rbe.int64, wide.sum().item())
    assert (t.prod(0).dtype, t.cumsum(0).dtype) == (rbe.int64, rbe.int64)
    assert t.any().item() is True
    assert t.argmax().item() == wide.argmax().item()
    assert t.nonzero().tolist() == wide.nonzero().tolist()
    assert type(t[0, 0, 1].item()) is int
    assert int(t[0, 0, 1]) == [*range(20)][t[0, 0, 1]] == 11


def test_arithmetic_is_modulo_256_and_wider_types_widen_it():
    t, wide = fresh(), fresh().to(rbe.int64)
    for result, dtype in ((t + wide, rbe.int64), (t * 2, rbe.uint8), (t + 1.0, rbe.float32), (t / 255, rbe.float32)):
        assert result.dtype is dtype
    assert rbe.equal(t.exp(), wide.exp())
    for f in (
        lambda t: t + t,
        lambda t: t * 3,
        lambda t: -t,
        lambda t: t.pow(2),
        lambda t: t + rbe.ones(2, 3, 4, dtype=rbe.bool),
        lambda t: t & t,
        lambda t: ~t,
        lambda t: t.reshape(6, 4) @ t.reshape(4, 6),
        lambda t: t.clone().add_(t),
        lambda t: t.scatter_add(0, rbe.zeros(2, 3, 4, dtype=rbe.int64), t),
    ):
        same(f(t), (f(wide).numpy() % 256).astype(np.uint8))
    for refused in (
        lambda: t.masked_fill(t > 1, 256),
        lambda: rbe.zeros(24)[t],
        lambda: rbe.tensor([1, 2], dtype=rbe.uint8).requires_grad_(),
    ):
        with pytest.raises(rbe.RBEError):
            refused()


def test_files_keep_them(tmp_path):
    t = fresh()
    rbe.save(tmp_path / "x", {"bytes": t, "columns": t.transpose(0, 2)})
    found = rbe.load(tmp_path / "x")
    same(found["bytes"], BYTES)
    same(found["columns"], BYTES.transpose(2, 1, 0))
    numpy_files = pytest.importorskip("safetensors.numpy")
    np.testing.assert_array_equal(numpy_files.load_file(tmp_path / "x")["bytes"], BYTES, strict=True)


def test_they_are_printed_and_listed():
    t = rbe.tensor([1, 200], dtype=rbe.uint8)
    assert repr(t) == "tensor([  1, 200], dtype=rbe.uint8)"
    assert t.tolist() == [1, 200]
    assert pickle.loads(pickle.dumps(rbe.uint8)) is rbe.uint8
