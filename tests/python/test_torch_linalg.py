"""Linear algebra beside torch's: values and gradients."""

import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, assert_same, backward, compare, pair, torch
from inputs import Inputs

pytestmark = pytest.mark.torch


def positive(x):
    """Return positive-definite matrices, with gradients."""
    return x @ x.mT + _identity(x)


def _identity(x):
    like = rbe if isinstance(x, rbe.RBETensor) else torch
    return like.eye(x.shape[-1], dtype=x.dtype)


def unsigned(*parts):
    """Return parts side by side, squared: signs of vectors are not determined."""
    like = rbe if isinstance(parts[0], rbe.RBETensor) else torch
    return like.cat([(p * p).reshape(-1) for p in parts])


CASES = {
    "cholesky": (lambda m, x: m.linalg.cholesky(positive(x)), [(2, 4, 4)]),
    "cholesky upper": (lambda m, x: m.linalg.cholesky(positive(x), upper=True), [(4, 4)]),
    "cholesky_solve": (lambda m, b, x: m.cholesky_solve(b, m.linalg.cholesky(positive(x))), [(4, 2), (4, 4)]),
    "cholesky_inverse": (lambda m, x: m.cholesky_inverse(m.linalg.cholesky(positive(x))), [(4, 4)]),
    "inv": (lambda m, x: m.linalg.inv(positive(x)), [(2, 4, 4)]),
    "inverse": (lambda m, x: m.inverse(positive(x)), [(4, 4)]),
    "Tensor.inverse": (lambda m, x: positive(x).inverse(), [(4, 4)]),
    "det": (lambda m, x: m.linalg.det(x), [(2, 4, 4)]),
    "Tensor.det": (lambda m, x: x.det(), [(4, 4)]),
    "logdet": (lambda m, x: m.logdet(positive(x)), [(2, 4, 4)]),
    "slogdet": (lambda m, x: m.linalg.slogdet(x)[1], [(2, 4, 4)]),
    "Tensor.slogdet": (lambda m, x: x.slogdet().logabsdet, [(4, 4)]),
    "sign": (lambda m, x: x.sum() + m.linalg.slogdet(x).sign, [(2, 4, 4)]),
    "solve": (lambda m, a, b: m.linalg.solve(positive(a), b), [(2, 4, 4), (2, 4, 3)]),
    "solve vectors": (lambda m, a, b: m.linalg.solve(positive(a), b), [(2, 4, 4), (2, 4)]),
    "solve one": (lambda m, a, b: m.linalg.solve(positive(a), b), [(4, 4), (4,)]),
    "solve right": (lambda m, a, b: m.linalg.solve(positive(a), b, left=False), [(3, 1, 4, 4), (2, 5, 4)]),
    "triangle": (lambda m, a, b: m.linalg.solve_triangular(positive(a), b, upper=False), [(2, 4, 4), (2, 4, 3)]),
    "triangle right": (
        lambda m, a, b: m.linalg.solve_triangular(positive(a), b, upper=True, left=False),
        [(4, 4), (3, 5, 4)],
    ),
    "triangle unit": (
        lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True, unitriangular=True),
        [(4, 4), (4, 2)],
    ),
    "qr": (lambda m, x: unsigned(*m.linalg.qr(x)), [(2, 5, 3)]),
    "qr wide": (lambda m, x: unsigned(*m.linalg.qr(x)), [(3, 5)]),
    "qr complete": (lambda m, x: unsigned(*m.linalg.qr(x, "complete")), [(3, 3)]),
    "svd": (lambda m, x: unsigned(*m.linalg.svd(x, full_matrices=False)), [(2, 5, 3)]),
    "svd wide": (lambda m, x: unsigned(*m.linalg.svd(x, full_matrices=False)), [(3, 5)]),
    "svd full": (lambda m, x: unsigned(m.linalg.svd(x).S, m.linalg.svd(x).Vh), [(5, 3)]),
    "Tensor.svd": (lambda m, x: unsigned(*x.svd()), [(5, 3)]),
    "svdvals": (lambda m, x: m.linalg.svdvals(x), [(2, 3, 4)]),
    "eigh": (lambda m, x: unsigned(*m.linalg.eigh(x + x.mT)), [(2, 4, 4)]),
    "eigvalsh": (lambda m, x: m.linalg.eigvalsh(x + x.mT), [(4, 4)]),
    "pinv": (lambda m, x: m.linalg.pinv(x), [(2, 5, 3)]),
    "pinv of symmetric": (lambda m, x: m.linalg.pinv(x + x.mT, hermitian=True), [(2, 4, 4)]),
    "pinverse": (lambda m, x: x.pinverse(), [(3, 5)]),
    "lstsq": (lambda m, a, b: m.linalg.lstsq(a, b).solution, [(2, 5, 3), (2, 5, 2)]),
    "matrix_power": (lambda m, x: m.linalg.matrix_power(x, 3), [(2, 3, 3)]),
    "power 0": (lambda m, x: m.matrix_power(x, 0) + x, [(2, 3, 3)]),
    "power -2": (lambda m, x: positive(x).matrix_power(-2), [(3, 3)]),
    "multi_dot": (lambda m, *x: m.linalg.multi_dot(x), [(2, 5), (5, 3), (3,)]),
    "cond": (lambda m, x: m.linalg.cond(positive(x)), [(2, 3, 3)]),
    "cond 1": (lambda m, x: x.sum() + m.linalg.cond(positive(x).detach(), 1), [(2, 3, 3)]),
    "norm": (lambda m, x: m.linalg.norm(x), [(2, 3, 4)]),
    "norm of axes": (lambda m, x: m.linalg.norm(x, dim=(0, 2)), [(2, 3, 4)]),
    "norm of one axis": (lambda m, x: m.linalg.norm(x, 3, 1, keepdim=True), [(2, 3, 4)]),
    "vector_norm": (lambda m, x: m.linalg.vector_norm(x, 1, (0, 1)), [(2, 3, 4)]),
    "cross": (lambda m, a, b: m.linalg.cross(a, b), [(2, 3), (2, 3)]),
    "vecdot": (lambda m, a, b: m.linalg.vecdot(a, b, dim=0), [(2, 3), (2, 3)]),
    "diagonal": (lambda m, x: m.linalg.diagonal(x, offset=1), [(2, 3, 3)]),
    **{
        f"matrix_norm {o}": (lambda m, x, o=o: m.linalg.matrix_norm(x, o, (0, 2), keepdim=True), [(3, 2, 4)])
        for o in ("fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf"))
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_gradients_are_torchs(name, dtype):
    call, shapes = CASES[name]
    random = Inputs(11)
    arrays = [random.array(*shape) for shape in shapes]
    compare(lambda *x: call(rbe, *x), lambda *x: call(torch, *x), *arrays, dtype=dtype, scale=30.0, least=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("driver", [None, "gelsy", "gels", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 5, 3)])
def test_least_squares_give_what_torchs_give(dtype, driver, shape):
    random = Inputs(4)
    (a, ta), (b, tb) = (pair(random.array(*s), dtype, grad=False) for s in (shape, (*shape[:-1], 2)))
    for ours, theirs in zip(rbe.linalg.lstsq(a, b, driver=driver), torch.linalg.lstsq(ta, tb, driver=driver), strict=True):
        assert_same(ours, theirs, 30.0, least=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ranks_are_torchs(dtype):
    a = np.stack([np.ones((3, 4)), np.eye(3, 4), np.zeros((3, 4))])
    x, y = pair(a, dtype, grad=False)
    assert_same(rbe.linalg.matrix_rank(x), torch.linalg.matrix_rank(y))
    assert_same(rbe.linalg.matrix_rank(x, atol=1.5), torch.linalg.matrix_rank(y, atol=1.5))
    assert_same(rbe.linalg.pinv(x), torch.linalg.pinv(y), 10)


def test_a_gaussian_process_fits_as_with_torch():
    x = np.linspace(0.0, 1.0, 12)[:, None]
    y = np.sin(6 * x)
    found = []
    for m in (rbe, torch):
        scale = m.tensor([0.3], dtype=m.float64, requires_grad=True)
        grid, values = m.tensor(x), m.tensor(y)
        for _ in range(20):
            kernel = (-((grid - grid.mT) ** 2) / (2 * scale * scale)).exp() + 0.01 * m.eye(12, dtype=m.float64)
            low = m.linalg.cholesky(kernel)
            half = m.linalg.solve_triangular(low, values, upper=False)
            loss = 0.5 * (half * half).sum() + low.diagonal().log().sum()
            (slope,) = m.autograd.grad(loss, [scale])
            with m.no_grad():
                scale -= 1e-3 * slope
        found.append((loss, scale.detach()))
    assert_same(found[0][0], found[1][0], 100)
    assert_same(found[0][1], found[1][1], 100)


def test_inplace_results_go_backward_as_torchs():
    x, y = pair(Inputs(3).array(3, 3))
    backward((rbe.linalg.inv(x) * 2.0).add_(1.0), (torch.linalg.inv(y) * 2.0).add_(1.0))
    assert_same(x.grad, y.grad, 30)
