"""The same conformance tests for every backend, against formulas in NumPy."""

import sys

import numpy as np
import pytest
import rbe
from backends import PARAMETERS, backend_or_skip
from rbe.backend import Backend, CPUBackend, CUDABackend, get

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(params=PARAMETERS)
def backend(request):
    return backend_or_skip(request.param)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def numbers(backend, dtype):
    """A function that makes an array of normal numbers, as NumPy has it in float64 and as the backend has it."""
    rng = np.random.default_rng(7)

    def make(*shape):
        x = rng.standard_normal(shape).astype(dtype)
        return x.astype(np.float64), backend.to_device(x)

    return make


def close(backend, got, want, dtype, factor=1.0):
    assert backend.owns(got)
    assert backend.dtype_of(got) == dtype
    host = backend.to_host(got)
    assert host.shape == np.shape(want)
    scale = max(1.0, float(np.abs(want).max())) if np.size(want) else 1.0
    np.testing.assert_allclose(host, want, rtol=0, atol=factor * scale * TOLERANCE[dtype])


def positive_definite(n, dtype):
    a = np.random.default_rng(3).standard_normal((n + 3, n))
    return (a.T @ a + np.eye(n)).astype(dtype)


def test_a_backend_has_every_operation_of_the_protocol(backend):
    assert isinstance(backend, Backend)
    assert get(backend) is backend


def test_arrays_go_to_the_device_and_back_unchanged(backend, dtype):
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    there = backend.to_device(x)
    assert backend.owns(there)
    assert backend.dtype_of(there) == dtype
    back = backend.to_host(there)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)
    assert backend.dtype_of(backend.to_device(there, "float64")) == "float64"


def test_lists_and_other_numbers_become_float64_and_int64(backend):
    assert backend.dtype_of(backend.to_device([1.5, 2.0])) == "float64"
    assert backend.dtype_of(backend.to_device([1, 2])) == "int64"
    assert backend.dtype_of(backend.to_device(np.array([1, 2], np.int32))) == "int64"
    assert backend.dtype_of(backend.to_device(np.array([1.0], np.float16))) == "float64"
    assert backend.dtype_of(backend.to_device([1, 2], "float32")) == "float32"


def test_gemm_multiplies_scales_and_adds(backend, dtype, numbers):
    (a, A), (b, B), (c, C) = numbers(5, 7), numbers(7, 4), numbers(5, 4)
    close(backend, backend.gemm(A, B), a @ b, dtype)
    close(backend, backend.gemm(A, B, alpha=0.5, beta=-2.0, C=C), 0.5 * a @ b - 2 * c, dtype)
    close(backend, backend.gemm(A, A, tA=True), a.T @ a, dtype)
    close(backend, backend.gemm(B, B, tB=True), b @ b.T, dtype)
    close(backend, backend.gemm(B, A, tA=True, tB=True), b.T @ a.T, dtype)


def test_gemm_takes_views(backend, dtype, numbers):
    (a, A), (b, B) = numbers(6, 8), numbers(8, 6)
    close(backend, backend.gemm(A[::2, 1:5], B[1:5, ::3]), a[::2, 1:5] @ b[1:5, ::3], dtype)
    close(backend, backend.gemm(A.T, B.T), a.T @ b.T, dtype)


def test_gemv_multiplies_scales_and_adds(backend, dtype, numbers):
    (a, A), (x, X), (z, Z), (y, Y) = numbers(5, 7), numbers(7), numbers(5), numbers(7)
    close(backend, backend.gemv(A, X), a @ x, dtype)
    close(backend, backend.gemv(A, Z, tA=True, alpha=2.0, beta=3.0, y=Y), 2 * a.T @ z + 3 * y, dtype)


def test_batched_gemm_multiplies_every_pair_of_matrices(backend, dtype, numbers):
    (a, A), (b, B), (c, C) = numbers(2, 3, 4, 5), numbers(2, 3, 5, 6), numbers(2, 3, 4, 6)
    close(backend, backend.batched_gemm(A, B, alpha=2.0, beta=1.0, C=C), 2 * a @ b + c, dtype)
    close(backend, backend.batched_gemm(A, A, tA=True), a.swapaxes(-1, -2) @ a, dtype)
    close(backend, backend.batched_gemm(B[:, ::2, ...], B[:, ::2, ...], tB=True), b[:, ::2] @ b[:, ::2].swapaxes(-1, -2), dtype)


def test_vector_operations(backend, dtype, numbers):
    (x, X), (y, Y) = numbers(1000), numbers(1000)
    close(backend, backend.dot(X, Y), x @ y, dtype, 10)
    close(backend, backend.axpy(-1.5, X, Y), y - 1.5 * x, dtype)
    close(backend, backend.scal(3.0, X), 3 * x, dtype)
    close(backend, backend.nrm2(X), np.linalg.norm(x), dtype)
    close(backend, backend.asum(X), np.abs(x).sum(), dtype)
    close(backend, backend.amax(X), np.abs(x).max(), dtype)


def test_scalars_may_be_arrays_without_axes(backend, dtype, numbers):
    x, X = numbers(4)
    close(backend, backend.scal(backend.nrm2(X), X), np.linalg.norm(x) * x, dtype)


def test_elementwise_operations(backend, dtype, numbers):
    (x, X), (b, B), (c, C) = numbers(6, 5), numbers(5), numbers(6, 1)
    close(backend, backend.add_bias(X, B), x + b, dtype)
    close(backend, backend.multiply(X, C), x * c, dtype)
    close(backend, backend.clip(X, -0.5, 0.25), np.clip(x, -0.5, 0.25), dtype)
    close(backend, backend.clip(X, low=0.0), np.maximum(x, 0), dtype)
    close(backend, backend.exp(X), np.exp(x), dtype)
    close(backend, backend.log(backend.exp(X)), x, dtype)
    close(backend, backend.sigmoid(X), 1 / (1 + np.exp(-x)), dtype)
    close(backend, backend.prox_soft_threshold(X, 0.7), np.sign(x) * np.maximum(np.abs(x) - 0.7, 0), dtype)


def test_reductions(backend, dtype, numbers):
    x, X = numbers(6, 5)
    for axis in (None, 0, 1, -1):
        close(backend, backend.sum(X, axis), x.sum(axis), dtype)
        close(backend, backend.mean(X, axis=axis), x.mean(axis), dtype)
    for axis in (0, 1, -1):
        e = np.exp(x)
        close(backend, backend.softmax(X, axis), e / e.sum(axis, keepdims=True), dtype)
        close(backend, backend.logsumexp(X, axis), np.log(e.sum(axis)), dtype)
        np.testing.assert_array_equal(backend.to_host(backend.argmin(X, axis)), x.argmin(axis))


def test_exponentials_do_not_overflow(backend, dtype):
    z = backend.to_device(np.array([[1e4, 1e4], [-1e4, 0.0]], dtype))
    close(backend, backend.softmax(z), np.array([[0.5, 0.5], [0, 1]]), dtype)
    close(backend, backend.logsumexp(z), np.array([1e4 + np.log(2), 0]), dtype)
    close(backend, backend.sigmoid(z), np.array([[1, 1], [0, 0.5]]), dtype)
    empty = backend.to_device(np.full((1, 2), -np.inf, dtype))
    assert backend.to_host(backend.logsumexp(empty))[0] == -np.inf


def test_softmax_and_logsumexp_run_along_any_axis(backend, dtype, numbers):
    for shape, axis in (((5, 40), 0), ((70, 3), 0), ((2, 3, 4), 1), ((2, 3, 4), -1)):
        z, Z = numbers(*shape)
        e = np.exp(np.asarray(z, np.float64))
        close(backend, backend.softmax(Z, axis=axis), e / e.sum(axis, keepdims=True), dtype)
        close(backend, backend.logsumexp(Z, axis=axis), np.log(e.sum(axis)), dtype)


def test_one_row_times_a_transposed_matrix(backend, dtype, numbers):
    for n, d in ((1, 1), (300, 7), (7, 300)):
        (x, X), (a, A) = numbers(1, d), numbers(n, d)
        close(backend, backend.gemm(X, A, tB=True), x.astype(np.float64) @ a.T.astype(np.float64), dtype)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(("width", "k"), [(5, 5), (300, 1), (1000, 3), (1037, 2), (4096, 7)])
def test_topk_finds_the_extreme_elements_in_order(backend, dtype, numbers, largest, width, k):
    x, X = numbers(3, width)
    values, places = backend.topk(X, k, largest=largest)
    want = np.sort(x, axis=1)[:, ::-1][:, :k] if largest else np.sort(x, axis=1)[:, :k]
    close(backend, values, want, dtype)
    assert backend.dtype_of(places) == "int64"
    np.testing.assert_array_equal(np.take_along_axis(x, backend.to_host(places), 1), want)


def test_topk_of_equal_elements_gives_different_positions(backend):
    values, places = backend.topk(backend.to_device(np.ones((2, 1000))), 3)
    assert backend.to_host(values).tolist() == [[1.0] * 3] * 2
    assert all(len(set(row)) == 3 for row in backend.to_host(places).tolist())


def test_histogram_adds_weights_up_by_bin(backend, dtype, numbers):
    (v, V), (w, W) = numbers(50), numbers(50, 3)
    index = np.random.default_rng(0).integers(0, 5, 50)
    member = (index == np.arange(6)[:, None]).astype(float)
    close(backend, backend.histogram(backend.to_device(index), V, 6), member @ v, dtype)
    close(backend, backend.histogram(backend.to_device(index), W, 6), member @ w, dtype)


def test_pairwise_distances_are_those_of_the_differences(backend, dtype, numbers):
    (x, X), (y, Y) = numbers(6, 4), numbers(9, 4)
    squares = ((x[:, None] - y[None]) ** 2).sum(-1)
    close(backend, backend.pairwise_distance(X, Y, squared=True), squares, dtype)
    close(backend, backend.pairwise_distance(X, Y), np.sqrt(squares), dtype)
    assert backend.to_host(backend.pairwise_distance(X, X, squared=True)).min() >= 0


def test_rows_are_taken_and_joined(backend, dtype, numbers):
    x, X = numbers(6, 4)
    index = np.array([[5, 0], [2, 2]])
    close(backend, backend.take(X, backend.to_device(index)), x[index], dtype)
    close(backend, backend.concat([X, X[:2, :]]), np.concatenate([x, x[:2]]), dtype)
    close(backend, backend.concat([X, X[:, :1]], axis=1), np.concatenate([x, x[:, :1]], axis=1), dtype)
    close(backend, backend.eye(3, dtype), np.eye(3), dtype)
    close(backend, backend.zeros((2, 3), dtype), np.zeros((2, 3)), dtype)


def test_factorisations(backend, dtype, numbers):
    a = positive_definite(7, dtype)
    lower = backend.to_host(backend.cholesky(backend.to_device(a)))
    np.testing.assert_allclose(lower @ lower.T, a, atol=1e3 * TOLERANCE[dtype])
    assert np.array_equal(np.tril(lower), lower)
    m, M = numbers(9, 5)
    q, r = (backend.to_host(f) for f in backend.qr(M))
    assert (q.shape, r.shape) == ((9, 5), (5, 5))
    np.testing.assert_allclose(q @ r, m, atol=10 * TOLERANCE[dtype])
    np.testing.assert_allclose(q.T @ q, np.eye(5), atol=10 * TOLERANCE[dtype])


def test_linear_systems_are_solved(backend, dtype, numbers):
    a = positive_definite(7, dtype)
    A = backend.to_device(a)
    for b, B in (numbers(7), numbers(7, 2)):
        want = np.linalg.solve(a.astype(np.float64), b)
        close(backend, backend.cholesky_solve(A, B), want, dtype, 10)
        lower = backend.cholesky(A)
        for transpose in (False, True):
            x = backend.to_host(backend.triangular_solve(lower, B, transpose=transpose))
            t = backend.to_host(lower)
            np.testing.assert_allclose((t.T if transpose else t) @ x, b, atol=100 * TOLERANCE[dtype])
    m, M = numbers(9, 5)
    for b, B in (numbers(9), numbers(9, 2)):
        close(backend, backend.qr_solve(M, B), np.linalg.lstsq(m, b, rcond=None)[0], dtype, 10)


def test_conjugate_gradients_solve_and_report(backend, dtype, numbers):
    a = positive_definite(7, dtype)
    A, (b, B) = backend.to_device(a), numbers(7)
    want = np.linalg.solve(a.astype(np.float64), b)
    tol = 1e-5 if dtype == "float32" else 1e-12
    found = backend.cg(A, B, tol=tol)
    close(backend, found.x, want, dtype, 100)
    assert 0 < found.iterations <= 70
    assert found.residual <= tol * np.linalg.norm(b)
    assert backend.cg(A, B, x0=found.x, tol=10 * tol).iterations == 0
    by_function = backend.cg(lambda v: backend.gemv(A, v), B, tol=tol)
    np.testing.assert_array_equal(backend.to_host(by_function.x), backend.to_host(found.x))
    assert backend.cg(A, B, tol=0.0, max_iter=3).iterations == 3


def test_conjugate_gradients_find_the_shortest_solution_of_a_singular_system(backend, dtype):
    a = np.array([[2.0, 0.0], [0.0, 0.0]], dtype)
    found = backend.cg(backend.to_device(a), backend.to_device(np.array([4.0, 0.0], dtype)))
    close(backend, found.x, np.array([2.0, 0.0]), dtype)


# Single backends


def test_the_engine_works_on_the_memory_of_numpy_arrays(monkeypatch):
    shared = []
    from_numpy = rbe.backend._engine.from_numpy
    monkeypatch.setattr(rbe.backend._engine, "from_numpy", lambda x: shared.append((x, from_numpy(x))) or shared[-1][1])
    a, b = np.ones((64, 64)), np.ones((64, 64))
    get("cpu").gemm(a, b, tA=True, alpha=2.0)
    assert len(shared) == 2
    assert all(np.shares_memory(x, t.numpy()) for x, t in shared)
    assert np.shares_memory(shared[0][0], a)
    assert np.shares_memory(shared[1][0], b)
    assert get("cpu").to_device(a) is a
    assert get("cpu").to_host(a) is a


def test_columns_of_the_engine_may_be_infinite():
    columns = np.array([[1e4, -np.inf, -np.inf, np.inf, np.nan], [1e4, -np.inf, 0.0, 0.0, 0.0]])
    found = get("cpu").logsumexp(columns, axis=0)
    np.testing.assert_allclose(found, [1e4 + np.log(2), -np.inf, 0.0, np.inf, np.nan])
    found = get("cpu").softmax(columns, axis=0)
    np.testing.assert_allclose(found, [[0.5, np.nan, 0.0, np.nan, np.nan], [0.5, np.nan, 1.0, np.nan, np.nan]])


def test_results_of_the_engine_do_not_depend_on_the_number_of_threads():
    x = np.random.default_rng(0).standard_normal((3000, 17))
    index = np.random.default_rng(1).integers(0, 9, 3000)
    cpu, before = get("cpu"), rbe.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            rbe.set_num_threads(threads)
            found.append(
                [cpu.gemm(x, x, tA=True), cpu.histogram(index, x, 9), cpu.pairwise_distance(x[:50], x), cpu.logsumexp(x)]
            )
    finally:
        rbe.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_backends_are_chosen_by_name_or_namespace():
    assert isinstance(get(), CPUBackend)
    pytest.importorskip("array_api_compat")
    assert get("numpy") is get("numpy")
    assert get(np).owns(np.ones(1))
    for wrong in ("nympy", 3, None):
        with pytest.raises(rbe.ConfigError):
            get(wrong)
    with pytest.raises(rbe.DTypeError):
        get(sys)


def test_cuda_without_a_device_says_what_was_tried():
    if CUDABackend.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(rbe.DeviceError, match=r"cupy: .*; torch: "):
        get("cuda")
    with pytest.raises(rbe.DeviceError, match="one of cupy, torch"):
        CUDABackend("numpy")


def test_array_backends_without_their_package_say_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match="array_api_compat"):
        rbe.backend.ArrayBackend(np)
