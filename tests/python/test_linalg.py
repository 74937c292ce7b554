"""Linear algebra: gradients by finite differences, NumPy's and SciPy's results, and errors that name the matrix."""

import numpy as np
import pytest
import rbe
import scipy.linalg
from inputs import Inputs

L = rbe.linalg


def positive(x):
    return x @ x.mT + rbe.tensor(np.eye(x.shape[-1]))


def symmetric(x):
    return x + x.mT


def even(*parts):
    """Return something of factors that does not depend on the signs of their vectors."""
    return sum((p * p * rbe.tensor(np.cos(np.arange(p.numel())).reshape(p.shape))).sum() for p in parts)


GRADIENTS = {
    "cholesky": (lambda x: L.cholesky(positive(x)), [(2, 3, 3)]),
    "cholesky upper": (lambda x: L.cholesky(positive(x), upper=True), [(3, 3)]),
    "inv": (L.inv, [(2, 3, 3)]),
    "det": (L.det, [(2, 2, 3, 3)]),
    "det of one": (L.det, [(4, 4)]),
    "slogdet": (lambda x: L.slogdet(x).logabsdet, [(2, 3, 3)]),
    "solve": (L.solve, [(2, 3, 3), (2, 3, 2)]),
    "solve vectors": (L.solve, [(2, 3, 3), (2, 3)]),
    "solve one vector": (L.solve, [(2, 3, 3), (3,)]),
    "solve right": (lambda a, b: L.solve(a, b, left=False), [(3, 3), (2, 4, 3)]),
    "triangle": (lambda a, b: L.solve_triangular(a, b, upper=False), [(2, 3, 3), (3, 2)]),
    "triangle upper": (lambda a, b: L.solve_triangular(a, b, upper=True), [(3, 3), (2, 3, 2)]),
    "triangle right": (lambda a, b: L.solve_triangular(a, b, upper=True, left=False), [(3, 3), (2, 3)]),
    "triangle unit": (lambda a, b: L.solve_triangular(a, b, upper=False, unitriangular=True), [(3, 3), (3, 2)]),
    "qr": (lambda x: even(*L.qr(x)), [(2, 4, 3)]),
    "qr wide": (lambda x: even(*L.qr(x)), [(3, 4)]),
    "qr complete": (lambda x: even(*L.qr(x, "complete")), [(3, 3)]),
    "qr r": (lambda x: even(L.qr(x, "r").R), [(2, 4, 3)]),
    "q alone": (lambda x: even(L.qr(x).Q), [(4, 3)]),
    "svd": (lambda x: even(*L.svd(x, full_matrices=False)), [(2, 4, 3)]),
    "svd wide": (lambda x: even(*L.svd(x, full_matrices=False)), [(3, 4)]),
    "svd u": (lambda x: even(L.svd(x, full_matrices=False).U), [(4, 3)]),
    "svd full": (lambda x: even(L.svd(x).U[:, :2], L.svd(x).S), [(4, 2)]),
    "svdvals": (L.svdvals, [(2, 3, 4)]),
    "eigh": (lambda x: even(*L.eigh(symmetric(x))), [(2, 3, 3)]),
    "eigvalsh": (lambda x: L.eigvalsh(symmetric(x), "U"), [(3, 3)]),
    "pinv": (L.pinv, [(2, 4, 3)]),
    "pinv wide": (L.pinv, [(3, 4)]),
    "pinv of lower rank": (lambda x, y: L.pinv(x @ y, rtol=1e-10), [(4, 2), (2, 3)]),
    "lstsq": (lambda a, b: L.lstsq(a, b).solution, [(2, 4, 3), (2, 4, 2)]),
    "lstsq vectors": (lambda a, b: L.lstsq(a, b).solution, [(2, 3, 4), (2, 3)]),
    "matrix_power": (lambda x: L.matrix_power(x, 5), [(2, 3, 3)]),
    "inverse power": (lambda x: L.matrix_power(x, -2), [(3, 3)]),
    "multi_dot": (lambda *x: L.multi_dot(x), [(2,), (2, 5), (5, 3), (3, 4)]),
    "nuclear": (lambda x: L.matrix_norm(x, "nuc"), [(2, 3, 4)]),
    "spectral": (lambda x: L.matrix_norm(x, 2, keepdim=True), [(2, 3, 4)]),
    "smallest": (lambda x: L.matrix_norm(x, -2, (0, 1)), [(3, 4, 2)]),
    "columns": (lambda x: L.matrix_norm(x, 1), [(2, 3, 4)]),
    "rows": (lambda x: L.norm(x, float("inf"), (0, 2)), [(2, 3, 4)]),
    "cond": (L.cond, [(3, 3)]),
    "cond of inverses": (lambda x: L.cond(x, "fro"), [(3, 3)]),
    "logdet": (lambda x: positive(x).logdet(), [(3, 3)]),
    "cholesky_solve": (lambda b, x: rbe.cholesky_solve(b, L.cholesky(positive(x))), [(3, 2), (3, 3)]),
    "cholesky_inverse": (lambda x: 1.0 * rbe.cholesky_inverse(L.cholesky(positive(x), upper=True), upper=True), [(2, 3, 3)]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_finite_differences(name):
    fn, shapes = GRADIENTS[name]
    random = Inputs(5)
    assert rbe.autograd.gradcheck(fn, [random.leaf(*shape) for shape in shapes], rtol=1e-5)


def test_the_determinant_of_singular_matrices_has_a_gradient():
    x = rbe.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=rbe.float64, requires_grad=True)
    L.det(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-14)
    assert rbe.autograd.gradcheck(L.det, [rbe.zeros(3, 3, dtype=rbe.float64, requires_grad=True)])


@pytest.mark.parametrize("n", [1, 7, 64, 65, 200])
@pytest.mark.parametrize("upper", [False, True])
def test_triangles_of_any_size_are_solved_as_by_scipy(n, upper):
    random = Inputs(n)
    t = random.array(2, n, n) * (0.5 / n**0.5) + 3 * np.eye(n)
    b = random.array(2, n, 3)
    found = L.solve_triangular(rbe.tensor(t), rbe.tensor(b), upper=upper).numpy()
    want = np.stack([scipy.linalg.solve_triangular(x, y, lower=not upper) for x, y in zip(t, b, strict=True)])
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-12)


def test_norms_are_numpys():
    a = Inputs(3).array(3, 4)
    for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        assert L.matrix_norm(rbe.tensor(a), order).item() == pytest.approx(np.linalg.norm(a, order), rel=1e-12)
    for order in (0, 1, 2, 3.5, np.inf, -np.inf):
        assert L.vector_norm(rbe.tensor(a), order).item() == pytest.approx(np.linalg.norm(a.ravel(), order), rel=1e-12)
    assert rbe.tensor(a).norm("nuc").item() == pytest.approx(np.linalg.norm(a, "nuc"), rel=1e-12)


BATCH = [np.eye(2), np.ones((2, 2)), -np.eye(2)]
REFUSED = {
    "cholesky": (lambda x: L.cholesky(x), "cholesky: .* at 1 of the batch that is not"),
    "inv": (L.inv, "inv: .* at 1 of the batch that is singular"),
    "solve": (lambda x: L.solve(x, rbe.ones(2, dtype=x.dtype)), "solve: .* at 1 of the batch that is singular"),
    "solve_triangular": (
        lambda x: L.solve_triangular(x - 1.0, rbe.ones(2, 1, dtype=x.dtype), upper=True),
        "solve_triangular: .* at 0 of the batch",
    ),
    "places": (lambda x: L.inv(x.reshape(3, 1, 2, 2)), r"at \(1, 0\) of the batch"),
    "one": (lambda x: L.inv(x[1]), "got one that is singular"),
    "power": (lambda x: x.matrix_power(-1), "at 1 of the batch"),
    "svd": (lambda x: L.svd(x * float("inf")), "svd: expected finite"),
    "eigh": (lambda x: L.eigh(x * float("nan")), "eigh: expected finite"),
    "pinv": (lambda x: L.pinv(x * float("nan")), "pinv: expected finite"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("dtype", [rbe.float32, rbe.float64])
def test_errors_say_which_matrix_it_is(name, dtype):
    call, text = REFUSED[name]
    x = rbe.tensor(np.array(BATCH), dtype=dtype)
    with pytest.raises(rbe.LinAlgError, match=text):
        call(x)
    assert issubclass(rbe.LinAlgError, RuntimeError)
    assert L.LinAlgError is rbe.LinAlgError


def test_gradients_that_do_not_exist_are_errors():
    for call in (
        lambda x: L.eigh(x).eigenvectors[0, 0],
        lambda x: L.svd(x).U[0, 0],
        lambda x: L.slogdet(x * 0.0).logabsdet,
    ):
        x = rbe.eye(2).requires_grad_()
        with pytest.raises(rbe.LinAlgError):
            call(x).backward()
        assert x.grad is None
    x = rbe.eye(2).requires_grad_()
    L.eigh(x).eigenvalues.sum().backward()  # values need no distance
    np.testing.assert_array_equal(x.grad.numpy(), np.eye(2))
    x = rbe.ones(3, 2).requires_grad_()
    with pytest.raises(rbe.GraphError, match="complete"):
        L.qr(x, "complete").Q.sum().backward()


@pytest.mark.parametrize(
    "call",
    [
        lambda: L.inv(rbe.ones(2, 3)),
        lambda: L.inv(rbe.ones(3)),
        lambda: L.solve(rbe.eye(2), rbe.ones(3)),
        lambda: L.solve(rbe.eye(2), rbe.ones(2), left=False),
        lambda: L.solve(rbe.eye(2), rbe.ones(2, dtype=rbe.float64)),
        lambda: L.inv(rbe.ones(2, 2, dtype=rbe.int64)),
        lambda: L.svd(rbe.RBELinear(64, 8).weight),
        lambda: L.qr(rbe.eye(2), "raw"),
        lambda: L.eigh(rbe.eye(2), "X"),
        lambda: L.matrix_norm(rbe.eye(2), 3),
        lambda: L.matrix_norm(rbe.eye(2), "fro", (0, 0)),
        lambda: L.norm(rbe.ones(2, 2, 2), 2),
        lambda: L.lstsq(rbe.ones(3, 2), rbe.ones(2, 1)),
        lambda: L.lstsq(rbe.ones(3, 2), rbe.ones(3, 1), driver="qr"),
        lambda: L.multi_dot([rbe.ones(2, 3), rbe.ones(2, 3)]),
        lambda: L.inv(3),
    ],
)
def test_unusable_arguments_are_refused(call):
    with pytest.raises(rbe.RBEError):
        call()


def test_values_that_gradients_read_are_watched():
    x = positive(Inputs(1).leaf(3, 3))
    y = L.inv(x)
    y.add_(1.0)
    with pytest.raises(rbe.GraphError, match="inv"):
        y.sum().backward()
    a = rbe.eye(3).requires_grad_()
    b = a * 2.0
    x = L.solve(b, rbe.ones(3))
    with rbe.no_grad():
        b.add_(1.0)
    with pytest.raises(rbe.GraphError, match="solve"):
        x.sum().backward()


def test_results_do_not_depend_on_the_number_of_threads():
    x = Inputs(2).array(3, 65, 65)
    before, found = rbe.get_num_threads(), []
    try:
        for threads in (1, 2):
            rbe.set_num_threads(threads)
            leaf = rbe.tensor(x, requires_grad=True)
            y = L.solve(leaf, rbe.tensor(x[:, :, :5])).sum() + L.svdvals(leaf).sum() + L.slogdet(leaf).logabsdet.sum()
            y.backward()
            found.append((y.item(), leaf.grad.numpy()))
    finally:
        rbe.set_num_threads(before)
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_empty_batches_and_matrices_have_results():
    for shape in ((0, 3, 3), (2, 0, 0)):
        x = rbe.zeros(*shape, requires_grad=True)
        for call in (L.inv, L.det, L.cholesky, L.svdvals, L.eigvalsh, lambda x: L.solve(x, x), L.pinv, lambda x: L.qr(x).R):
            call(x).sum().backward()
    assert L.det(rbe.zeros(0, 0)).item() == 1.0
