import copy
import gc
import pickle

import numpy as np
import pytest
import rbe
from inputs import Inputs

RNG = Inputs()


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, rbe.float32),
        (3, rbe.int64),
        (True, rbe.bool),
        ([[1, 2], [3, 4]], rbe.int64),
        ([1, 2.5], rbe.float32),
        ([], rbe.float32),
    ],
)
def test_dtypes_of_python_data(data, dtype):
    t = rbe.tensor(data)
    assert t.dtype is dtype
    assert t.tolist() == np.asarray(data, dtype=dtype.numpy).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_numpy_round_trip_shares_memory_both_ways(dtype):
    a = (RNG.array(3, 4) > 0).astype(dtype)
    t = rbe.from_numpy(a)
    back = t.numpy()
    assert np.shares_memory(a, back)
    a[0, 0] = 1
    assert t[0, 0].item() == 1
    back[1, 1] = 1
    assert a[1, 1] == 1
    assert t.dtype.name == dtype


@pytest.mark.parametrize("view", [np.s_[::2], np.s_[::-1, 1:], np.s_[:, ::-2], np.s_[1:1]])
def test_strided_arrays_are_shared_too(view):
    a = RNG.array(6, 5)
    t = rbe.from_numpy(a[view])
    np.testing.assert_array_equal(t.numpy(), a[view])
    np.testing.assert_array_equal((t * 2.0).numpy(), a[view] * 2)


def test_memory_outlives_its_owners():
    a = np.arange(1000.0)
    t = rbe.from_numpy(a)
    del a
    gc.collect()
    assert t.sum().item() == 499500
    n = rbe.arange(1000).numpy()
    gc.collect()
    junk = [rbe.zeros(1000, dtype=rbe.int64) for _ in range(10)]
    assert n.sum() == 499500
    del junk


def test_read_only_and_foreign_arrays_are_copied():
    a = np.arange(4.0)
    a.flags.writeable = False
    t = rbe.from_numpy(a)
    t.add_(1.0)
    assert a[0] == 0
    assert rbe.from_numpy(np.arange(3, dtype=">f4")).tolist() == [0, 1, 2]
    with pytest.raises(rbe.DTypeError, match="complex"):
        rbe.from_numpy(np.zeros(2, complex))


def test_dlpack_both_ways():
    a = rbe.randn(3, 4)
    n = np.from_dlpack(a)
    assert np.shares_memory(n, a.numpy())
    b = rbe.from_dlpack(np.arange(6.0).reshape(2, 3))
    assert b.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_gradients_forbid_numpy():
    t = rbe.ones(2, requires_grad=True)
    with pytest.raises(rbe.GraphError, match="detach"):
        t.numpy()
    assert np.asarray(t.detach()).sum() == 2


UNARY = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "abs": np.abs, "floor": np.floor,
    "ceil": np.ceil, "round": np.round, "sign": np.sign, "expm1": np.expm1, "log1p": np.log1p, "square": np.square,
    "reciprocal": np.reciprocal, "isnan": np.isnan, "isfinite": np.isfinite,
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unary_agrees_with_numpy(name, dtype):
    a = np.abs(RNG.array(40, 33, dtype=dtype)) + np.asarray(0.1, dtype)
    got = getattr(rbe.tensor(a), name)().numpy()
    np.testing.assert_allclose(got, UNARY[name](a), rtol=2e-6 if dtype == "float32" else 1e-14)


BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide, "maximum": np.maximum, "minimum": np.minimum,
    "pow": np.power, "floor_divide": np.floor_divide, "remainder": np.remainder, "lt": np.less, "eq": np.equal, "ge": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((5, 1, 3), (2, 1)), ((0, 3), (3,)), ((2, 3), (1, 1))]
)
def test_binary_broadcasts_as_numpy(name, shapes):
    a, b = (np.abs(RNG.array(s)) + 0.5 for s in shapes)
    got = getattr(rbe.tensor(a), name)(rbe.tensor(b))
    want = BINARY[name](a, b)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-12)


def test_scalars_do_not_widen():
    t = rbe.ones(3)
    assert (t * 2.5).dtype is rbe.float32
    assert (2 - t).dtype is rbe.float32
    assert (rbe.arange(3) * 2).dtype is rbe.int64
    assert (rbe.arange(3) / 2).dtype is rbe.float32
    assert (rbe.arange(3) * 0.5).tolist() == [0, 0.5, 1]
    assert (t * rbe.ones(3, dtype=rbe.float64)).dtype is rbe.float64
    assert (7 // rbe.arange(1, 4)).tolist() == [7, 3, 2]
    assert (-7 % rbe.arange(1, 4)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_agree_with_numpy(axis, keepdims):
    a = RNG.array(3, 40, 5)
    t = rbe.tensor(a)
    for name in ("sum", "mean", "amax", "amin"):
        got, want = getattr(t, name)(axis=axis, keepdims=keepdims).numpy(), getattr(np, name)(a, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    np.testing.assert_allclose(t.var(axis, 1, keepdims).numpy(), a.var(axis, ddof=1, keepdims=keepdims), rtol=1e-12)
    shifted = a.max() + np.log(np.exp(a - a.max()).sum(axis, keepdims=keepdims))
    np.testing.assert_allclose(t.logsumexp(axis, keepdims).numpy(), shifted, rtol=1e-12)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[0], np.s_[-1], np.s_[1:3], np.s_[::-1], np.s_[:, 1], np.s_[..., 2], np.s_[None, 1], np.s_[1, ..., None, 2], np.s_[4:1:-2, 1:],
        [0, 2, 2], ([0, 1], [2, -1]), np.s_[:, [1, 0]], np.s_[[1, 0], :, [3, 4]], np.s_[:, [[0, 1], [2, 3]], 1:3],
        np.s_[[0], None, [1]], np.s_[..., [0, 1], [1, 2]], np.s_[1:1], np.s_[[], 0], np.s_[:, np.array([True, False, True, False])],
        np.arange(5 * 4 * 6).reshape(5, 4, 6) % 3 == 0, np.s_[2, np.array([False, True, True, False]), 0],
    ],
)  # fmt: skip
def test_indexing_is_numpys(index):
    a = np.arange(5 * 4 * 6.0).reshape(5, 4, 6)
    got, want = rbe.tensor(a)[index], a[index]
    assert got.shape == want.shape
    np.testing.assert_array_equal(got.numpy(), want)
    t, b = rbe.tensor(a), a.copy()
    t[index] = -1
    b[index] = -1
    np.testing.assert_array_equal(t.numpy(), b)


@pytest.mark.parametrize("index", [5, -6, (0, 4), [7], (0, 0, 0, 0), ([0], [9])])
def test_positions_outside_are_refused(index):
    t = rbe.zeros(5, 4, 6)
    with pytest.raises(rbe.OutOfRangeError):
        t[index]
    with pytest.raises(IndexError):
        t[index] = 1


def test_views_share_and_in_place_is_seen():
    t = rbe.zeros(3, 4)
    t.T[1, 2] = 5.0
    t[0][1:].fill_(2.0)
    assert t.tolist() == [[0, 2, 2, 2], [0, 0, 0, 0], [0, 5, 0, 0]]
    assert t.T.reshape(2, 6).shape == (2, 6)
    assert t.permute(1, 0).reshape(-1).tolist() == t.numpy().T.ravel().tolist()


def test_shapes_split_stack_cat():
    t = rbe.arange(12).reshape(3, 4)
    assert [p.shape for p in t.split(2)] == [(2, 4), (1, 4)]
    assert [p.shape for p in t.chunk(2, 1)] == [(3, 2), (3, 2)]
    assert rbe.cat([t, t], 1).shape == (3, 8)
    assert rbe.stack([t, t], 1).shape == (3, 2, 4)
    assert t.flatten().shape == (12,)
    assert t.expand(2, -1, -1).shape == (2, 3, 4)
    assert t.unsqueeze(-1).squeeze().shape == (3, 4)
    with pytest.raises(rbe.ShapeError):
        t.reshape(5, -1)
    with pytest.raises(rbe.ShapeError):
        rbe.cat([t, rbe.zeros(2)], 0)


def test_matmul_agrees_with_numpy():
    for a, b in [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 1, 3, 4), (3, 4, 2)),
        ((4,), (4,)),
        ((4,), (4, 3)),
        ((2, 3, 4), (4,)),
        ((0, 4), (4, 2)),
    ]:
        x, y = RNG.array(a), RNG.array(b)
        np.testing.assert_allclose((rbe.tensor(x) @ rbe.tensor(y)).numpy(), x @ y, rtol=1e-12, atol=1e-12)
    x = RNG.integers(-5, 5, (3, 4))
    assert (rbe.tensor(x) @ rbe.tensor(x.T.copy())).tolist() == (x @ x.T).tolist()


def test_softmax_is_stable():
    t = rbe.tensor([[1000.0, 1000.0, -1000.0]])
    assert t.softmax().tolist() == [[0.5, 0.5, 0.0]]
    assert rbe.isfinite(t.log_softmax()).all()


@pytest.mark.usefixtures("float32_products")
def test_packed_tensor_round_trip():
    hi = RNG.integers(0, 2**63, (5, 2), dtype=np.uint64)
    hi[:, 1] &= np.uint64(63)
    lo = (RNG.array(5, 2, 2) * 0.3).astype(np.float32)
    w = rbe.RBETensor.packed(hi, lo, (5, 70))
    np.testing.assert_array_equal(w.hi, hi)
    np.testing.assert_array_equal(w.lo, lo)
    assert (w.hi.dtype, w.lo.dtype, w.shape, w.nbytes, w.is_packed) == (np.uint64, np.float32, (5, 70), 160, True)
    assert w.scale == pytest.approx(70**-0.5)
    r = np.linalg.norm(lo.astype(float), axis=-1, keepdims=True)
    levels = w.scale * 2 * np.arctanh(r) / r * lo
    bits = (hi[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    want = np.take_along_axis(levels, bits.astype(int), 2).reshape(5, 128)[:, :70]
    np.testing.assert_allclose(w.to_dense().numpy(), want, rtol=1e-6)
    np.testing.assert_allclose(w.to_dense(rbe.float64).numpy(), want, rtol=1e-7)
    assert "160 bytes" in repr(w)
    x = RNG.array(4, 70, dtype=np.float32)
    np.testing.assert_allclose(rbe.tensor(x).packed_matmul(w).numpy(), x @ want.T, rtol=1e-4, atol=1e-5)


def test_encode_keeps_two_level_matrices_and_most_of_a_gaussian():
    a = RNG.array(64, 256, dtype=np.float32)
    w = rbe.RBETensor.encode(a)
    error = ((w.to_dense().numpy() - a) ** 2).sum() / (a**2).sum()
    assert 0.32 < error < 0.36
    again = rbe.RBETensor.encode(w.to_dense(), scale=w.scale)
    np.testing.assert_allclose(again.to_dense().numpy(), w.to_dense().numpy(), rtol=2e-4)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"lo": np.full((2, 1, 2), 0.9, np.float32)}, rbe.TensorError),
        ({"lo": np.full((2, 1, 2), np.nan, np.float32)}, rbe.NonFiniteError),
        ({"lo": np.zeros((2, 2, 2), np.float32)}, rbe.ShapeError),
        ({"hi": np.full((2, 1), 1 << 40, np.uint64)}, rbe.TensorError),
        ({"hi": np.zeros((2, 1), np.float32)}, rbe.DTypeError),
        ({"shape": (2,)}, rbe.ShapeError),
        ({"scale": -1.0}, rbe.TensorError),
    ],
)
def test_bad_blocks_are_refused(change, error):
    good = {"hi": np.zeros((2, 1), np.uint64), "lo": np.zeros((2, 1, 2), np.float32), "shape": (2, 40)}
    with pytest.raises(error, match="packed: expected"):
        rbe.RBETensor.packed(**{**good, **change})


@pytest.mark.parametrize("make", [lambda: rbe.randn(3, 4), lambda: rbe.arange(5), lambda: rbe.RBELinear(70, 3).weight.detach()])
def test_pickle_copy_and_deepcopy(make):
    t = make()
    for other in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t), t.clone()):
        assert other.shape == t.shape
        assert other.is_packed == t.is_packed
        a, b = (x.to_dense() if x.is_packed else x for x in (t, other))
        assert rbe.equal(a, b)
        assert not np.shares_memory(a.numpy(), b.numpy())
    assert copy.copy(t) is t
    with pytest.raises(rbe.GraphError):
        copy.deepcopy(rbe.ones(2, requires_grad=True) * 2)


def test_repr_shows_what_matters():
    assert repr(rbe.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert "float64" in repr(rbe.zeros(2, dtype=rbe.float64))
    assert "requires_grad=True" in repr(rbe.ones(2, requires_grad=True))
    assert "mul" in repr(rbe.ones(2, requires_grad=True) * 2)
    assert f"{rbe.tensor(0.123456):.2f}" == "0.12"


def test_devices_and_scalars():
    t = rbe.tensor(3.0)
    assert t.to("cpu") is t
    assert t.device == "cpu"
    with pytest.raises(rbe.DeviceError, match="cuda"):
        t.to("cuda")
    assert (float(t), int(t), bool(t)) == (3.0, 3, True)
    with pytest.raises(rbe.ShapeError):
        bool(rbe.zeros(2))
    with pytest.raises(TypeError):
        len(t)
    assert [int(x) for x in rbe.arange(3)] == [0, 1, 2]
    assert 2 in rbe.arange(3)


def test_random_numbers_repeat():
    rbe.manual_seed(3)
    a, state, b = rbe.randn(40_000), rbe.get_rng_state(), rbe.rand(10)
    rbe.set_rng_state(state)
    assert rbe.equal(b, rbe.rand(10))
    rbe.manual_seed(3)
    rbe.set_num_threads(1)
    assert rbe.equal(a, rbe.randn(40_000))
    assert sorted(rbe.randperm(20).tolist()) == list(range(20))
    assert abs(a.mean().item()) < 0.02


def test_integer_products_are_exact_and_wrap_around():
    a = np.array([[2**53 + 1, 3], [2**62, 5]], dtype=np.int64)
    b = np.array([[1, 2], [7, 4]], dtype=np.int64)
    np.testing.assert_array_equal((rbe.from_numpy(a) @ rbe.from_numpy(b)).numpy(), a @ b)
    stacked = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    np.testing.assert_array_equal(
        (rbe.from_numpy(stacked) @ rbe.from_numpy(b[:, :1].repeat(2, 0))).numpy(), stacked @ b[:, :1].repeat(2, 0)
    )
