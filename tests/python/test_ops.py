"""Plain operations against NumPy and finite differences, on arrays and on tensors."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import ops

RNG = Inputs()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, w, r, b=None, activation=np.tanh):
    h, out = np.zeros((*x.shape[1:-1], len(w))), []
    for step in x:
        h = activation(step @ w.T + h @ r.T + (0 if b is None else b))
        out.append(h)
    return np.stack(out)


def conv(x, w, b=None, stride=1, padding=0, activation=None):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("nchwij,ocij->nohw", windows, w) + (0 if b is None else b[:, None, None])
    return np.tanh(y) if activation else y


def pool(x, k, mode="max"):
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::k, ::k]
    return windows.max((4, 5)) if mode == "max" else windows.mean((4, 5))


def cross_entropy(x, t, reduction="mean"):
    rows = np.log(np.exp(x).sum(1)) - x[np.arange(len(t)), t]
    return rows.mean() if reduction == "mean" else rows


def states(*args, **options):
    outputs, nodes = ops.rnn_layer(*args, **options)
    assert len(nodes) == len(outputs)
    return outputs


A, B = RNG.array(4, 6), RNG.array(6, 5)
CASES = {
    "gemm": (ops.gemm, lambda a, b: a @ b, (A, B), {}),
    "gemm fused": (ops.gemm, lambda a, b, c, activation: sigmoid(a @ b + c), (A, B, RNG.array(5)), {"activation": "sigmoid"}),
    "gemm transposed": (
        ops.gemm,
        lambda a, b, transpose_a, transpose_b: a.T @ b.T,
        (A.T.copy(), B.T.copy()),
        {"transpose_a": True, "transpose_b": True},
    ),
    "gemv": (ops.gemv, lambda a, x: a @ x, (A, RNG.array(6)), {}),
    "gemv transposed": (ops.gemv, lambda a, x, transpose: a.T @ x, (A, RNG.array(4)), {"transpose": True}),
    "dot": (ops.dot, np.dot, (RNG.array(9), RNG.array(9)), {}),
    "axpy": (ops.axpy, lambda alpha, x, y: alpha * x + y, (0.3, A, RNG.array(4, 6)), {}),
    "scal": (ops.scal, lambda alpha, x: alpha * x, (0.3, A), {}),
    "batched_gemm": (ops.batched_gemm, np.matmul, (RNG.array(3, 1, 4, 6), RNG.array(2, 6, 5)), {}),
    "matrix_multiply": (ops.matrix_multiply, np.matmul, (A, B), {}),
    "matrix_add": (ops.matrix_add, np.add, (A, RNG.array(4, 6)), {}),
    "softmax": (ops.softmax, lambda x, axis: np.exp(x) / np.exp(x).sum(axis, keepdims=True), (A,), {"axis": 0}),
    "cross_entropy": (ops.cross_entropy, cross_entropy, (A, np.array([0, 5, 2, 2])), {}),
    "cross_entropy rows": (ops.cross_entropy, cross_entropy, (A, np.array([0, 5, 2, 2])), {"reduction": "none"}),
    "rnn_layer": (states, rnn, (RNG.array(5, 3, 4), RNG.array(6, 4), RNG.array(6, 6), RNG.array(6)), {}),
    "rnn_layer of one": (states, rnn, (RNG.array(5, 4), RNG.array(6, 4), RNG.array(6, 6)), {}),
    "conv2d": (ops.conv2d, conv, (RNG.array(2, 3, 6, 5), RNG.array(4, 3, 3, 2), RNG.array(4)), {"stride": 2, "padding": 1}),
    "conv2d fused": (ops.conv2d, conv, (RNG.array(2, 3, 6, 5), RNG.array(4, 3, 3, 2)), {"activation": "tanh"}),
    "pool2d": (ops.pool2d, pool, (RNG.array(2, 3, 6, 4), 2), {}),
    "pool2d mean": (ops.pool2d, pool, (RNG.array(2, 3, 6, 4), 2), {"mode": "mean"}),
}


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    op, reference, args, options = CASES[name]
    want = reference(*args, **options)
    got = op(*args, **options)
    assert isinstance(got, np.ndarray)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    tensors = [rbe.tensor(x) if isinstance(x, np.ndarray) else x for x in args]
    assert rbe.equal(op(*tensors, **options), rbe.tensor(got))
    single = [x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x for x in args]
    assert op(*single, **options).dtype == np.float32
    np.testing.assert_allclose(op(*single, **options), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    op, reference, args, options = CASES[name]
    up = RNG.array(np.shape(reference(*args, **options)))
    grads = ops.backward(op, up, *args, **options)
    assert len(grads) == len(args)
    for i, x in enumerate(args):
        if not isinstance(x, np.ndarray) or x.dtype != np.float64:
            assert grads[i] is None
            continue
        numeric = np.zeros_like(x)
        for at in np.ndindex(*x.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
                moved[i][at] += step
                ends.append((reference(*moved, **options) * up).sum())
            numeric[at] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(grads[i], numeric, rtol=1e-6, atol=1e-7)
    tensors = [rbe.tensor(x) if isinstance(x, np.ndarray) else x for x in args]
    for g, t in zip(grads, ops.backward(op, rbe.tensor(up), *tensors, **options), strict=True):
        assert (g is None and t is None) or np.array_equal(g, t.numpy())


def test_forward_is_recorded_on_tensors():
    a, b = rbe.tensor(A, requires_grad=True), rbe.tensor(B)
    ops.gemm(a, b, activation="tanh").sum().backward()
    (want,) = ops.backward(ops.gemm, np.ones((4, 5)), A, B, activation="tanh")[:1]
    np.testing.assert_array_equal(a.grad.numpy(), want)


def test_gradients_by_name():
    up = RNG.array(4, 5)
    y = ops.gemm(A, B)
    da, db = ops.calculate_gradient("gemm", A, B, y, up)
    np.testing.assert_allclose(da, up @ B.T, rtol=1e-12)
    np.testing.assert_allclose(db, A.T @ up, rtol=1e-12)
    again = ops.calculate_gradient(ops.matrix_multiply, rbe.tensor(A), rbe.tensor(B), None, rbe.tensor(up))
    np.testing.assert_allclose(again[1].numpy(), db, rtol=1e-12)
    dx, nothing = ops.calculate_gradient("softmax", A, None, None, RNG.array(4, 6))
    assert (dx.shape, nothing) == (A.shape, None)
    with pytest.raises(rbe.TensorError, match="gemm"):
        ops.calculate_gradient("convolve", A, B, y, up)
    with pytest.raises(rbe.ShapeError, match=r"\(4, 5\)"):
        ops.calculate_gradient("gemm", A, B, y, up.T)
    with pytest.raises(rbe.ShapeError, match=r"gemm.*\(4, 5\)"):
        ops.backward(ops.gemm, up.T, A, B)


def test_arrays_are_used_where_they_lie():
    a, x = np.ones((2000, 1000)), np.ones(1000)
    ops.gemv(a, x)
    rbe.memory.reset_stats()
    before = rbe.memory.pool_stats()["in_use_bytes"]
    y = ops.gemv(a, x)
    assert rbe.memory.pool_stats()["peak_bytes"] - before < a.nbytes // 8
    assert y.flags.c_contiguous
    assert (y == 1000).all()
    np.testing.assert_array_equal(a, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.gemm(A, A),
        lambda: ops.gemm(A, RNG.array(6)),
        lambda: ops.gemm(A, B, RNG.array(4)),
        lambda: ops.gemv(A, RNG.array(4)),
        lambda: ops.dot(A, A),
        lambda: ops.dot(RNG.array(2), RNG.array(3)),
        lambda: ops.axpy(1.0, A, B),
        lambda: ops.batched_gemm(A, B),
        lambda: ops.matrix_add(A, RNG.array(6)),
        lambda: ops.matrix_multiply(RNG.array(2, 3, 4), RNG.array(4, 2)),
        lambda: ops.rnn_layer(RNG.array(5, 4), RNG.array(6, 4), RNG.array(6, 4)),
        lambda: ops.conv2d(RNG.array(1, 2, 5, 5), RNG.array(3, 3, 2, 2)),
    ],
)
def test_shapes_that_do_not_fit(call):
    with pytest.raises(rbe.ShapeError):
        call()


def test_other_arguments_that_make_no_sense():
    with pytest.raises(rbe.TensorError, match="softplus"):
        ops.gemm(A, B, activation="softplus")
    with pytest.raises(rbe.TensorError, match="median"):
        ops.pool2d(RNG.array(1, 1, 4, 4), 2, mode="median")
    with pytest.raises(rbe.DTypeError, match=r"gemm.*packed"):
        ops.gemm(rbe.ones(2, 64), rbe.RBELinear(64, 2).weight, transpose_b=True)


def test_large_results_are_complete():
    # Results of 16 MB and more use non-temporal stores; the last piece is not a whole cache line.
    n = (16 << 20) // 4 + 1027
    a, b = (RNG.array(n, dtype=np.float32) for _ in range(2))
    x, y = rbe.tensor(a), rbe.tensor(b)
    np.testing.assert_array_equal((x * y).numpy(), a * b)
    np.testing.assert_array_equal((x - y).numpy(), a - b)
    np.testing.assert_array_equal(x.relu().numpy(), np.maximum(a, 0))
    rows = a[: n // 1027 * 1027].reshape(-1, 1027)  # rows that begin at any place
    np.testing.assert_array_equal((rbe.tensor(rows) + rbe.tensor(rows[0])).numpy(), rows + rows[0])
    grid = a[: n // 500 * 500].reshape(-1, 500)
    small = rbe.nn.functional.layer_norm(rbe.tensor(grid[:100]), (500,)).numpy()
    np.testing.assert_array_equal(rbe.nn.functional.layer_norm(rbe.tensor(grid), (500,)).numpy()[:100], small)
    for width in (2048, 2049):
        square = a[: n // width * width].reshape(-1, width)
        np.testing.assert_array_equal(rbe.tensor(square).transpose(0, 1).contiguous().numpy(), square.T)
        np.testing.assert_array_equal(rbe.tensor(np.ascontiguousarray(square.T)).transpose(0, 1).contiguous().numpy(), square)
    wide = rbe.tensor(a.astype(np.float64))
    np.testing.assert_array_equal((wide * 3.0).numpy(), a.astype(np.float64) * 3)


def test_masks_are_close_where_they_are_equal():
    a, b = np.array([True, False, True]), np.array([True, True, False])
    assert rbe.isclose(rbe.tensor(a), rbe.tensor(b)).tolist() == (a == b).tolist()
    assert rbe.isclose(rbe.tensor(a), rbe.tensor([1.0, 0.0, 1.1])).tolist() == [True, True, False]
    assert rbe.tensor(a).allclose(rbe.tensor(a))


def test_scatter_add_of_masks_is_whether_one_holds():
    rng = Inputs()
    whole, source, index = rng.random((5, 7)) < 0.3, rng.random((4, 7)) < 0.4, rng.integers(0, 5, (4, 7))
    expected = whole.copy()
    np.logical_or.at(expected, (index, np.arange(7)), source)
    result = rbe.tensor(whole).scatter_add(0, rbe.tensor(index), rbe.tensor(source))
    np.testing.assert_array_equal(result.numpy(), expected)


def test_linear_of_integers():
    rng = Inputs()
    x, w, b = (rng.integers(-9, 9, shape) for shape in ((4, 2, 3), (5, 3), (5,)))
    result = rbe.nn.functional.linear(*map(rbe.tensor, (x, w, b)))
    assert result.dtype is rbe.int64
    np.testing.assert_array_equal(result.numpy(), x @ w.T + b)


@pytest.mark.parametrize("pool", ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"])
def test_no_stride_is_that_of_the_window(pool):
    x = rbe.arange(64.0).reshape(1, 8, 8)
    function = getattr(rbe.nn.functional, pool)
    for none in ((), []):
        np.testing.assert_array_equal(function(x, 3, none).numpy(), function(x, 3, 3).numpy())
    with pytest.raises(rbe.TensorError, match="stride of at least 1"):
        function(x, 3, 0)


@pytest.mark.parametrize("name", ["conv1d", "max_pool1d", "avg_pool1d", "adaptive_avg_pool1d"])
def test_windows_of_integers_are_refused(name):
    x = rbe.arange(6).reshape(1, 1, 6)
    with pytest.raises(rbe.DTypeError, match="expected float32 or float64, got int64"):
        getattr(rbe.nn.functional, name)(x, x[:, :, :2] if name == "conv1d" else 2)
