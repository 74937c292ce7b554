"""What every backend refuses, by typed errors that leave its operands as they were."""

import numpy as np
import pytest
import rbe
from backends import PARAMETERS, backend_or_skip


@pytest.fixture(params=PARAMETERS)
def backend(request):
    return backend_or_skip(request.param)


WRONG_SHAPES = [
    ("gemm", lambda b, m, v: b.gemm(m, m)),
    ("gemm", lambda b, m, v: b.gemm(m, v)),
    ("gemm", lambda b, m, v: b.gemm(m, m, tB=True, beta=1.0, C=m)),
    ("gemv", lambda b, m, v: b.gemv(m, v)),
    ("gemv", lambda b, m, v: b.gemv(v, v)),
    ("gemv", lambda b, m, v: b.gemv(m, v, tA=True, beta=1.0, y=v)),
    ("batched_gemm", lambda b, m, v: b.batched_gemm(m, m)),
    ("dot", lambda b, m, v: b.dot(v, v[:1])),
    ("axpy", lambda b, m, v: b.axpy(1.0, m, v)),
    ("add_bias", lambda b, m, v: b.add_bias(m, v)),
    ("multiply", lambda b, m, v: b.multiply(m, v)),
    ("amax", lambda b, m, v: b.amax(v[:0])),
    ("mean", lambda b, m, v: b.mean(v[:0])),
    ("argmin", lambda b, m, v: b.argmin(m[:, :0])),
    ("topk", lambda b, m, v: b.topk(m, 4)),
    ("histogram", lambda b, m, v: b.histogram(b.to_device([0, 1, 2]), m, 3)),
    ("pairwise_distance", lambda b, m, v: b.pairwise_distance(m, v)),
    ("cholesky", lambda b, m, v: b.cholesky(m)),
    ("cholesky_solve", lambda b, m, v: b.cholesky_solve(b.eye(3), v)),
    ("triangular_solve", lambda b, m, v: b.triangular_solve(b.eye(3), v)),
    ("qr", lambda b, m, v: b.qr(m)),
    ("qr_solve", lambda b, m, v: b.qr_solve(b.eye(3), v)),
    ("cg", lambda b, m, v: b.cg(b.eye(3), v)),
    ("cg", lambda b, m, v: b.cg(m, v)),
    ("concat", lambda b, m, v: b.concat([m, v])),
]


@pytest.mark.parametrize(("op", "call"), WRONG_SHAPES, ids=[f"{i}-{op}" for i, (op, _) in enumerate(WRONG_SHAPES)])
def test_wrong_shapes_are_refused_by_name_and_change_nothing(backend, op, call):
    m, v = np.arange(6.0).reshape(2, 3), np.arange(2.0)
    M, V = backend.to_device(m.copy()), backend.to_device(v.copy())
    with pytest.raises(rbe.ShapeError) as caught:
        call(backend, M, V)
    assert caught.value.op == op
    np.testing.assert_array_equal(backend.to_host(M), m)
    np.testing.assert_array_equal(backend.to_host(V), v)


def test_wrong_dtypes_are_refused(backend):
    x, i = backend.to_device([1.0, 2.0]), backend.to_device([1, 2])
    for call in (
        lambda: backend.dot(x, i),
        lambda: backend.dot(x, backend.to_device([1.0, 2.0], "float32")),
        lambda: backend.dot(x, [1.0, 2.0]),
        lambda: backend.exp(i),
        lambda: backend.sum(3.0),
        lambda: backend.take(x, x),
        lambda: backend.take(x, [0]),
        lambda: backend.histogram(x, x, 3),
        lambda: backend.scal("2", x),
        lambda: backend.scal(1j, x),
        lambda: backend.sum(x, axis=0.5),
        lambda: backend.topk(x, 1.0),
        lambda: backend.to_host([1.0]),
        lambda: backend.to_device([1.0], "float16"),
        lambda: backend.to_device([1.5], "int64"),
        lambda: backend.to_device([1j]),
        lambda: backend.to_device(["a"]),
        lambda: backend.zeros(3, "int32"),
    ):
        with pytest.raises(rbe.DTypeError):
            call()


def test_sparse_matrices_are_refused(backend):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(rbe.DTypeError):
        backend.to_device(sparse.eye_array(3))
    with pytest.raises(rbe.DTypeError):
        backend.sum(sparse.eye_array(3))


def test_values_outside_an_operations_domain_are_refused(backend):
    x, i = backend.to_device([1.0, 2.0]), backend.to_device([0, 5])
    singular = backend.to_device([[1.0, 1.0], [1.0, 1.0]])
    for error, call in (
        (rbe.OutOfRangeError, lambda: backend.sum(x, axis=1)),
        (rbe.OutOfRangeError, lambda: backend.take(x, i)),
        (rbe.OutOfRangeError, lambda: backend.take(x, backend.to_device([-1]))),
        (rbe.OutOfRangeError, lambda: backend.histogram(i, x, 5)),
        (rbe.TensorError, lambda: backend.topk(x, 0)),
        (rbe.TensorError, lambda: backend.prox_soft_threshold(x, -1.0)),
        (rbe.TensorError, lambda: backend.gemv(singular, x, beta=1.0)),
        (rbe.TensorError, lambda: backend.cholesky(backend.scal(-1.0, singular))),
        (rbe.TensorError, lambda: backend.qr_solve(singular, x)),
        (rbe.TensorError, lambda: backend.triangular_solve(backend.zeros((2, 2)), x)),
        (rbe.TensorError, lambda: backend.cg(singular, x, max_iter=-1)),
        (rbe.TensorError, lambda: backend.concat([])),
    ):
        with pytest.raises(error):
            call()


def test_operands_are_never_written_to(backend):
    x = np.random.default_rng(0).standard_normal((4, 4))
    X = backend.to_device(x.copy())
    backend.gemm(X, X, alpha=2.0, beta=1.0, C=X)
    backend.batched_gemm(X[None, ...], X[None, ...], beta=2.0, C=X[None, ...])
    backend.axpy(2.0, X, X)
    backend.clip(X, 0.0, 1.0)
    backend.pairwise_distance(X, X)
    backend.prox_soft_threshold(X, 0.1)
    backend.nrm2(X)
    np.testing.assert_array_equal(backend.to_host(X), x)
