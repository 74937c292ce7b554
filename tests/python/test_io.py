import gzip

import numpy as np
import pytest
import rbe
import safetensors.numpy
from rbe import nn


@pytest.fixture
def saved(tmp_path):
    state = {
        "w": rbe.RBELinear(70, 3).weight,
        "a": rbe.randn(4, 5),
        "b": rbe.randn(3, dtype=rbe.float64),
        "i": rbe.arange(4),
        "m": rbe.tensor([True, False]),
        "view": rbe.arange(12).reshape(3, 4).T,
    }
    path = tmp_path / "x.safetensors"
    rbe.save(path, state, {"note": "hello"})
    return path, state


def test_round_trip(saved):
    path, state = saved
    back = rbe.load(path)
    assert set(back) == set(state)
    for name, t in state.items():
        other = back[name]
        assert (other.shape, other.dtype, other.is_packed) == (t.shape, t.dtype, t.is_packed)
        if t.is_packed:
            assert (other.hi == t.hi).all()
            assert (other.lo == t.lo).all()
            assert other.scale == t.scale
        else:
            assert rbe.equal(other, t.detach())
    assert rbe.io.load_with_metadata(path)[1] == {"note": "hello"}


def test_the_reference_package_reads_it(saved):
    path, state = saved
    arrays = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(arrays["w.hi"], state["w"].hi)
    assert arrays["w.hi"].dtype == np.uint64
    np.testing.assert_array_equal(arrays["w.lo"], state["w"].lo)
    np.testing.assert_array_equal(arrays["a"], state["a"].numpy())


def test_foreign_safetensors_files_are_read(tmp_path):
    path = tmp_path / "f.safetensors"
    safetensors.numpy.save_file({"x.hi": np.arange(3.0)}, path)
    assert rbe.load(path)["x.hi"].tolist() == [0, 1, 2]


def test_foreign_and_missing_files(tmp_path):
    path = tmp_path / "x"
    for content in (b"", b"hello", b"\0" * 100, gzip.compress(b"x" * 100)):
        path.write_bytes(content)
        with pytest.raises(rbe.FormatError):
            rbe.load(path)
    with pytest.raises(OSError, match="none"):
        rbe.load(tmp_path / "none")


def test_models_travel(tmp_path):
    model = nn.Sequential(nn.RBELinear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).eval()
    rbe.save(tmp_path / "m", model.state_dict())
    other = nn.Sequential(nn.RBELinear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).eval()
    other.load_state_dict(rbe.load(tmp_path / "m"))
    x = rbe.randn(4, 10)
    assert rbe.equal(model(x), other(x))


def test_batches_cover_the_data_once_and_repeat():
    data = rbe.data.TensorDataset(rbe.arange(10), rbe.randn(10, 3))
    for drop_last, sizes in ((False, [4, 4, 2]), (True, [4, 4])):
        loader = rbe.data.DataLoader(data, 4, shuffle=True, drop_last=drop_last, seed=1)
        assert len(loader) == len(sizes)
        batches = list(loader)
        assert [len(x) for x, _ in batches] == sizes
        again = list(rbe.data.DataLoader(data, 4, shuffle=True, drop_last=drop_last, seed=1))
        assert [x.tolist() for x, _ in batches] == [x.tolist() for x, _ in again]
        assert [x.tolist() for x, _ in loader] != [x.tolist() for x, _ in batches]
    seen = sorted(v for x, _ in rbe.data.DataLoader(data, 3, shuffle=True) for v in x.tolist())
    assert seen == list(range(10))
    listed = list(rbe.data.DataLoader([(1.0, {"k": np.zeros(2)}), (2.0, {"k": np.ones(2)})], 2))
    assert listed[0][0].tolist() == [1, 2]
    assert listed[0][1]["k"].shape == (2, 2)


def test_nested_state(tmp_path):
    model = nn.Sequential(nn.RBELinear(70, 8), nn.Linear(8, 2))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    optimizer.step_with_autodiff(model(rbe.randn(4, 70)).square().mean())
    extra = {"epoch": 3, "loss": 0.1 + 0.2, "best": None, "done": False, "betas": (0.9, [1, "x"]), "of": {7: rbe.arange(3)}}
    path = tmp_path / "run"
    rbe.save(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "extra": extra}, {"note": "n"})
    run, notes = rbe.io.load_with_metadata(path)
    assert notes == {"note": "n"}
    assert list(run) == ["extra", "model", "optimizer"]  # sorted
    assert rbe.equal(run["extra"].pop("of")[7], extra.pop("of")[7])
    assert run["extra"] == extra
    other = nn.Sequential(nn.RBELinear(70, 8), nn.Linear(8, 2))
    other.load_state_dict(run["model"])
    assert np.array_equal(other[0].weight.hi, model[0].weight.hi)
    again = rbe.optim.HybridOptimizer(other.parameters())
    again.load_state_dict(run["optimizer"])
    assert again.state_dict()["steps"] == 1
    arrays = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(arrays["model.0.weight.hi"], model[0].weight.hi)


def test_torchs_arguments_mean_the_same(tmp_path):
    rbe.save({"a": rbe.ones(2)}, tmp_path / "x")
    assert rbe.load(tmp_path / "x", map_location="cpu", weights_only=False)["a"].tolist() == [1, 1]
    with pytest.raises(rbe.DeviceError, match="cuda"):
        rbe.load(tmp_path / "x", map_location="cuda")
