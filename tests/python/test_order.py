"""Order, running sums, norms and rearrangement, against NumPy."""

import numpy as np
import pytest
import rbe
from inputs import Inputs

RNG = Inputs()
X = RNG.array(4, 5, 6)
Z = np.where(RNG.random((4, 5)) < 0.5, 0, RNG.integers(-3, 4, (4, 5)))


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting(dim, descending):
    t = rbe.tensor(X)
    want = np.argsort(-X if descending else X, axis=dim)
    values, indices = t.sort(dim, descending)
    np.testing.assert_array_equal(indices.numpy(), want)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(X, want, dim))
    np.testing.assert_array_equal(t.argsort(dim, descending).numpy(), want)
    top = t.topk(2, dim, largest=descending)
    np.testing.assert_array_equal(top.indices.numpy(), want.take((0, 1), dim))
    np.testing.assert_array_equal(top.values.numpy(), np.take_along_axis(X, want, dim).take((0, 1), dim))


def test_gradients_flow_through_what_was_sorted():
    t = rbe.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (t.sort().values * rbe.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert t.grad.tolist() == [100, 1, 10]
    assert rbe.autograd.gradcheck(lambda a: a.topk(3, 1)[0].cumsum(0), [rbe.tensor(X[0], requires_grad=True)])


def test_running_sums_and_products():
    t, z = rbe.tensor(X), rbe.tensor(Z)
    for dim in (0, 1, 2, -1):
        np.testing.assert_allclose(t.cumsum(dim).numpy(), X.cumsum(dim), rtol=1e-12)
        np.testing.assert_allclose(t.prod(dim).numpy(), X.prod(dim), rtol=1e-12)
    np.testing.assert_allclose(t.prod(dim=(0, 2), keepdim=True).numpy(), X.prod((0, 2), keepdims=True), rtol=1e-12)
    assert rbe.prod(z[:, 0] + 5).item() == (Z[:, 0] + 5).prod()
    np.testing.assert_array_equal(rbe.cumsum(z, 1).numpy(), Z.cumsum(1))


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, np.inf, -np.inf])
@pytest.mark.parametrize("dim", [0, 1])
def test_norms(p, dim):
    a = X[0] * (np.abs(X[0]) > 0.2)
    want = np.linalg.norm(a, p, dim)
    np.testing.assert_allclose(rbe.tensor(a).norm(p, dim).numpy(), want, rtol=1e-12)
    np.testing.assert_allclose(rbe.norm(rbe.tensor(a), p, dim, keepdim=True).numpy(), np.expand_dims(want, dim), rtol=1e-12)


def test_norm_of_all():
    assert rbe.tensor(X).norm().item() == pytest.approx(np.linalg.norm(X.ravel()), rel=1e-12)
    assert rbe.tensor(X).norm("fro", (0, 2)).numpy() == pytest.approx(np.sqrt((X**2).sum((0, 2))), rel=1e-12)
    with pytest.raises(rbe.TensorError, match="max"):
        rbe.tensor(X).norm("max")


def test_rearrangement():
    t, z = rbe.tensor(X), rbe.tensor(Z)
    np.testing.assert_array_equal(t.flip(0, 2).numpy(), np.flip(X, (0, 2)))
    np.testing.assert_array_equal(rbe.flip(t, [1]).numpy(), np.flip(X, 1))
    np.testing.assert_array_equal(z.repeat(2, 3).numpy(), np.tile(Z, (2, 3)))
    np.testing.assert_array_equal(z.repeat(2, 1, 2).numpy(), np.tile(Z, (2, 1, 2)))
    for k in (-2, 0, 1):
        np.testing.assert_array_equal(t.tril(k).numpy(), np.tril(X, k))
        np.testing.assert_array_equal(rbe.triu(t, diagonal=k).numpy(), np.triu(X, k))
    np.testing.assert_array_equal(z.nonzero().numpy(), np.argwhere(Z))
    for ours, theirs in zip(rbe.nonzero(z, as_tuple=True), np.nonzero(Z), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_scattering_and_taking():
    index = RNG.integers(0, 4, (3, 5))
    source = RNG.array(3, 5)
    want = X[:, :, 0].copy()
    for i in range(3):
        for j in range(5):
            want[index[i, j], j] += source[i, j]
    got = rbe.tensor(X[:, :, 0].copy()).scatter_add(0, rbe.tensor(index), rbe.tensor(source))
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-12)
    order = X.argsort(1)
    np.testing.assert_array_equal(rbe.tensor(X).take_along_dim(rbe.tensor(order), 1).numpy(), np.take_along_axis(X, order, 1))
    one = np.array([[[2], [0]]])
    np.testing.assert_array_equal(rbe.take_along_dim(rbe.tensor(X), rbe.tensor(one), 1).numpy(), np.take_along_axis(X, one, 1))
    np.testing.assert_array_equal(rbe.tensor(X).take_along_dim(rbe.tensor([0, 119])).numpy(), X.ravel()[[0, 119]])


def test_masks():
    t = rbe.tensor(X)
    np.testing.assert_array_equal(t.masked_fill(t > 0, -1.0).numpy(), np.where(X > 0, -1, X))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.topk(7),
        lambda t: t.topk(-1),
        lambda t: t.sort(3),
        lambda t: t.cumsum(5),
        lambda t: t.repeat(2),
        lambda t: t.repeat(-1, 1, 1),
        lambda t: t[0, 0].tril(),
        lambda t: t.flip(4),
        lambda t: t.take_along_dim(rbe.tensor([0]), 0),
        lambda t: t.take_along_dim(rbe.zeros(1, 1, 1), 0),
        lambda t: t.take_along_dim(rbe.full((1, 1, 1), 9), 0),
        lambda t: t.scatter_add(0, rbe.full((1, 1, 1), 9), t),
        lambda t: rbe.RBELinear(64, 2).weight.sort(),
    ],
)
def test_arguments_that_make_no_sense(call):
    with pytest.raises(rbe.TensorError):
        call(rbe.tensor(X))


@pytest.mark.torch
@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.sort(1, descending=True).values,
        lambda t: t.topk(3, 0).values,
        lambda t: t.topk(3, dim=-1, largest=False).values,
        lambda t: t.cumsum(1),
        lambda t: t.prod(2),
        lambda t: t.norm(dim=1),
        lambda t: t.norm(3, 1, True),
        lambda t: t.flip(0, 1),
        lambda t: t.repeat(1, 2, 1),
        lambda t: t.tril(-1),
        lambda t: t.triu(),
        lambda t: t.scatter_add(1, t.argsort(1), t * 2.0),
        lambda t: t.take_along_dim(t.argsort(0), 0),
        lambda t: t.masked_fill(t > 0.3, 2.0),
    ],
)
def test_values_and_gradients_are_torchs(call):
    torch = pytest.importorskip("torch")
    ours, theirs = rbe.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    y, z = call(ours), call(theirs)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-12)
    up = Inputs(1).array(*z.shape)
    y.backward(rbe.tensor(up))
    z.backward(torch.tensor(up))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-10, atol=1e-12)
