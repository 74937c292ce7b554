"""Sums of products, joining and distributions beside torch's: values, gradients and refusals."""

import numpy as np
import pytest
import rbe
from beside_torch import assert_same, backward, compare, pair, torch
from inputs import Inputs

pytestmark = pytest.mark.torch

EQUATIONS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "bhid,bhjd->bhij": [(2, 2, 3, 4), (2, 2, 5, 4)],
    "ij,kj": [(2, 3), (4, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "ij->": [(2, 3)],
    "ij->ji": [(2, 3)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(4,), (4,)],
    ",i->i": [(), (3,)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (5, 4, 2)],
    "b...,b...->b": [(2, 3, 4), (2, 3, 4)],
    "...,...": [(2, 3), (3,)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 2)],
    "abc,cd,be,ade->": [(2, 3, 4), (4, 5), (3, 6), (2, 5, 6)],
    "iij,jk->ik": [(3, 3, 2), (2, 4)],
    "ij,ij->ij": [(2, 3), (1, 3)],
    "ij,jk->": [(0, 3), (3, 2)],
    "ik , kj -> ij": [(2, 0), (0, 3)],
    "zab,zcb->zac": [(1, 2, 3), (4, 5, 3)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_of_products_are_torchs(equation, dtype):
    random = Inputs(3)
    arrays = [random.array(*shape) for shape in EQUATIONS[equation]]
    compare(
        lambda *x: rbe.einsum(equation, *x) * 1.0, lambda *x: torch.einsum(equation, *x) * 1.0, *arrays, dtype=dtype, least=1.0
    )


@pytest.mark.parametrize("equation", ["ij,jk->ik", "abc,cd,be,ade->", "...ij,...jk->...ik"])
def test_sums_of_products_have_the_gradients_of_finite_differences(equation):
    random = Inputs(4)
    inputs = [rbe.tensor(random.array(*shape), dtype=rbe.float64, requires_grad=True) for shape in EQUATIONS[equation]]
    assert rbe.autograd.gradcheck(lambda *x: rbe.einsum(equation, *x), inputs)


def test_sums_of_products_of_integers_stay_integers():
    a = rbe.arange(6).reshape(2, 3)
    assert_same(rbe.einsum("ij->i", a), torch.einsum("ij->i", torch.arange(6).reshape(2, 3)))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij->i", [(2,)]),
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij->ii", [(2, 2)]),
        ("ij->k", [(2, 2)]),
        ("ii->i", [(2, 3)]),
        ("i1->i", [(2, 3)]),
    ],
)
def test_equations_that_do_not_fit_are_refused(equation, shapes):
    with pytest.raises(rbe.RBEError, match="einsum"):
        rbe.einsum(equation, *(rbe.ones(*shape) for shape in shapes))


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_grids_are_torchs(indexing):
    vectors = [pair(np.arange(n) * 1.5) for n in (2, 3, 4)]
    ours = rbe.meshgrid(*(a for a, _ in vectors), indexing=indexing)
    theirs = torch.meshgrid(*(b for _, b in vectors), indexing=indexing)
    for x, y in zip(ours, theirs, strict=True):
        assert_same(x, y)
        backward(x * x, y * y)
    for a, b in vectors:
        assert_same(a.grad, b.grad)
    with pytest.raises(rbe.UnknownNameError):
        rbe.meshgrid(rbe.ones(2), indexing="yx")
    with pytest.raises(rbe.ShapeError):
        rbe.meshgrid(rbe.ones(2, 2))


def test_stacked_and_broadcast_tensors_are_torchs():
    a, b = np.arange(3.0), np.arange(3.0) + 5
    for name in ("hstack", "vstack"):
        (x, tx), (y, ty) = pair(a), pair(b)
        assert_same(getattr(rbe, name)([x, y]), getattr(torch, name)([tx, ty]))
    for x, y in zip(
        rbe.broadcast_tensors(rbe.ones(2, 1), rbe.zeros(3)),
        torch.broadcast_tensors(torch.ones(2, 1), torch.zeros(3)),
        strict=True,
    ):
        assert_same(x, y)
    with pytest.raises(rbe.ShapeError):
        rbe.broadcast_tensors(rbe.ones(2), rbe.ones(3))


POSITIVE = [0.3, 1.7, 0.9]
SIGNED = [-0.4, 0.8, 0.1]
CLASSES = [[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]
DISTRIBUTIONS = {
    "Normal": ({"loc": SIGNED, "scale": POSITIVE}, {"loc": [0.1, 0.2, 0.3], "scale": [1.0, 2.0, 0.5]}, [0.5, -1.0, 2.0]),
    "Categorical probs": ({"probs": CLASSES}, {"probs": [[0.1, 0.1, 0.8], [0.4, 0.4, 0.2]]}, [2, 0]),
    "Categorical logits": ({"logits": [SIGNED, POSITIVE]}, {"logits": [POSITIVE, SIGNED]}, [1, 1]),
    "Bernoulli probs": ({"probs": [0.2, 0.5, 0.9]}, {"probs": [0.3, 0.1, 0.6]}, [1.0, 0.0, 1.0]),
    "Bernoulli logits": ({"logits": SIGNED}, {"logits": POSITIVE}, [1.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_probabilities_entropies_and_divergences_are_torchs(name, dtype):
    kind = name.split()[0]
    first, second, values = DISTRIBUTIONS[name]
    made = []
    for parameters in (first, second):
        pairs = {key: pair(np.array(v), dtype) for key, v in parameters.items()}
        ours = getattr(rbe.distributions, kind)(**{key: a for key, (a, _) in pairs.items()})
        theirs = getattr(torch.distributions, kind)(**{key: b for key, (_, b) in pairs.items()})
        made.append((ours, theirs, pairs))
    x, y = pair(np.array(values), dtype, grad=False)
    (p, tp, pairs), (q, tq, more) = made
    results = [
        (p.log_prob(x), tp.log_prob(y)),
        (p.entropy(), tp.entropy()),
        (rbe.distributions.kl_divergence(p, q), torch.distributions.kl_divergence(tp, tq)),
    ]
    for ours, theirs in results:
        assert_same(ours, theirs, 10)
    backward(rbe.stack([ours for ours, _ in results]), torch.stack([theirs for _, theirs in results]))
    for a, b in [*pairs.values(), *more.values()]:
        assert_same(a.grad, b.grad, 10, least=1.0)


def test_samples_have_the_moments_of_their_distribution():
    rbe.manual_seed(1)
    d = rbe.distributions
    normal = d.Normal(rbe.tensor([1.0, -2.0]), rbe.tensor([0.5, 2.0])).sample((20_000,))
    np.testing.assert_allclose(normal.mean(0).numpy(), [1.0, -2.0], atol=0.06)
    np.testing.assert_allclose(normal.std(0).numpy(), [0.5, 2.0], rtol=0.03)
    classes = d.Categorical(rbe.tensor(CLASSES)).sample((20_000,))
    assert classes.shape == (20_000, 2)
    assert classes.dtype is rbe.int64
    for k in range(3):
        np.testing.assert_allclose((classes == k).float().mean(0).numpy(), [row[k] for row in CLASSES], atol=0.02)
    flips = d.Bernoulli(rbe.tensor([0.2, 0.9])).sample((20_000,))
    np.testing.assert_allclose(flips.mean(0).numpy(), [0.2, 0.9], atol=0.02)


def test_gradients_flow_through_samples_of_a_normal_distribution():
    loc, scale = rbe.zeros(3, requires_grad=True), rbe.ones(3, requires_grad=True)
    normal = rbe.distributions.Normal(loc, scale)
    assert not normal.sample().requires_grad
    sample = normal.rsample()
    sample.sum().backward()
    assert_same(loc.grad, torch.ones(3))
    np.testing.assert_allclose(scale.grad.numpy(), sample.detach().numpy())


def test_parameters_that_make_no_distribution_are_refused():
    d = rbe.distributions
    for call in (
        lambda: d.Normal(rbe.zeros(2), rbe.zeros(2)),
        lambda: d.Normal(rbe.zeros(2), rbe.ones(3)),
        lambda: d.Normal(0, 1),
        lambda: d.Categorical(),
        lambda: d.Categorical(rbe.ones(2), rbe.ones(2)),
        lambda: d.Categorical(rbe.tensor([-1.0, 2.0])),
        lambda: d.Bernoulli(rbe.tensor([1.5])),
        lambda: d.Bernoulli(rbe.tensor([0.5])).rsample(),
        lambda: d.kl_divergence(d.Bernoulli(rbe.tensor([0.5])), d.Normal(0.0, 1.0)),
    ):
        with pytest.raises(rbe.RBEError):
            call()


def test_normal_vectors_are_torchs():
    random = Inputs(6)
    (loc, tloc), (a, ta), (x, y) = (pair(random.array(*shape)) for shape in ((2, 3), (3, 3), (4, 2, 3)))
    results = []
    for m, mean, root, value in ((rbe, loc, a, x), (torch, tloc, ta, y)):
        covariances = root @ root.mT + m.eye(3, dtype=m.float64)
        d = m.distributions.MultivariateNormal(mean, covariances)
        by_factor = m.distributions.MultivariateNormal(mean, scale_tril=m.linalg.cholesky(covariances))
        by_inverse = m.distributions.MultivariateNormal(mean, precision_matrix=covariances)
        parts = [d.log_prob(value), by_factor.log_prob(value), by_inverse.log_prob(value), d.entropy().expand(4, 2)]
        results.append((m.stack(parts), d.variance))
    assert_same(results[0][0], results[1][0], 10)
    assert_same(results[0][1], results[1][1], 10)
    backward(results[0][0], results[1][0])
    for ours, theirs in ((loc, tloc), (a, ta), (x, y)):
        assert_same(ours.grad, theirs.grad, 100, least=1.0)
    rbe.manual_seed(2)
    drawn = rbe.distributions.MultivariateNormal(rbe.tensor([1.0, 2.0]), rbe.tensor([[1.0, 0.5], [0.5, 2.0]])).sample((20_000,))
    np.testing.assert_allclose(np.cov(drawn.numpy().T), [[1.0, 0.5], [0.5, 2.0]], atol=0.08)
    with pytest.raises(rbe.LinAlgError):
        rbe.distributions.MultivariateNormal(rbe.zeros(2), -rbe.eye(2))
    with pytest.raises(rbe.TensorError):
        rbe.distributions.MultivariateNormal(rbe.zeros(2))
    with pytest.raises(rbe.ShapeError):
        rbe.distributions.MultivariateNormal(rbe.zeros(2), rbe.eye(3))


def test_beta_distributions_are_torchs():
    (a, ta), (b, tb) = pair([0.5, 2.0, 3.0]), pair([0.7, 1.5, 9.0])
    (x, y) = pair([0.2, 0.5, 0.3])
    p, q = rbe.distributions.Beta(a, b), torch.distributions.Beta(ta, tb)
    assert_same(p.entropy(), q.entropy(), 10)
    ours = rbe.stack([p.log_prob(x), p.mean, p.variance])
    theirs = torch.stack([q.log_prob(y), q.mean, q.variance])
    assert_same(ours, theirs, 10)
    backward(ours, theirs)
    for mine, other in ((a, ta), (b, tb), (x, y)):
        assert_same(mine.grad, other.grad, 10)
    # torch's derivative of digamma has a relative error of 5e-10.
    assert rbe.autograd.gradcheck(lambda a, b: rbe.distributions.Beta(a, b).entropy(), [a, b])
    rbe.manual_seed(3)
    drawn = p.sample((20_000,))
    np.testing.assert_allclose(drawn.mean(0).numpy(), p.mean.detach().numpy(), atol=0.01)
    np.testing.assert_allclose(drawn.var(0).numpy(), p.variance.detach().numpy(), rtol=0.06)
    rbe.manual_seed(3)
    assert rbe.equal(p.sample((20_000,)), drawn)
    with pytest.raises(rbe.TensorError):
        rbe.distributions.Beta(0.0, 1.0)


def test_leaves_are_detached_in_place():
    x = rbe.ones(2, requires_grad=True)
    assert x.detach_() is x
    assert not x.requires_grad
    y = rbe.ones(2, requires_grad=True) * 2
    with pytest.raises(rbe.GraphError, match="detach_"):
        y.detach_()
