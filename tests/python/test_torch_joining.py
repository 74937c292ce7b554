"""Joining, choices, integrals, derivatives, distances and second names beside torch's."""

import math

import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, assert_same, compare, pair, torch
from inputs import Inputs

pytestmark = pytest.mark.torch

CASES = {
    **{
        f"{name} {shapes}": (lambda m, *x, name=name: getattr(m, name)(x), shapes)
        for name in ("dstack", "column_stack", "row_stack", "hstack", "vstack")
        for shapes in ([(3,), (3,)], [(2, 3), (2, 3)], [(2, 1, 2), (2, 1, 2)])
    },
    "dstack of numbers": (lambda m, *x: m.dstack(x), [(), ()]),
    "concatenate": (lambda m, *x: m.concatenate(x, dim=1), [(2, 3), (2, 1)]),
    **{
        f"atleast_{n}d {shape}": (lambda m, x, n=n: getattr(m, f"atleast_{n}d")(x) * 1.0, [shape])
        for n in (1, 2, 3)
        for shape in ((), (3,), (2, 3), (2, 3, 4), (1, 2, 3, 4))
    },
    "block_diag": (lambda m, *x: m.block_diag(*x), [(2, 3), (), (4,), (1, 1)]),
    "cartesian_prod": (lambda m, *x: m.cartesian_prod(*x), [(2,), (3,), (4,)]),
    "cartesian_prod of one": (lambda m, x: m.cartesian_prod(x) * 1.0, [(3,)]),
    "combinations": (lambda m, x: m.combinations(x), [(5,)]),
    "combinations of 3": (lambda m, x: m.combinations(x, 3, with_replacement=True), [(4,)]),
    "tensordot": (lambda m, a, b: m.tensordot(a, b), [(2, 3, 4), (3, 4, 5)]),
    "tensordot of axes": (lambda m, a, b: m.tensordot(a, b, dims=([0, -1], [2, 0])), [(2, 3, 4), (4, 5, 2)]),
    "tensordot of none": (lambda m, a, b: m.tensordot(a, b, dims=0), [(2, 3), (4,)]),
    "tensordot broadcast": (lambda m, a, b: m.tensordot(a, b, dims=2), [(2, 1, 4), (3, 1, 5)]),
    "tensordot of one": (lambda m, a, b: m.tensordot(a, b, dims=1), [(3,), (3,)]),
    "trapezoid": (lambda m, y: m.trapezoid(y), [(3, 5)]),
    "trapezoid dx": (lambda m, y: m.trapezoid(y, dx=0.5, dim=0), [(3, 5)]),
    "trapezoid x": (lambda m, y, x: m.trapezoid(y, x), [(3, 5), (5,)]),
    "trapezoid places": (lambda m, y, x: m.trapezoid(y, x, dim=0), [(3, 5), (3, 1)]),
    "cumulative_trapezoid": (lambda m, y, x: m.cumulative_trapezoid(y, x), [(3, 5), (5,)]),
    "cumulative dx": (lambda m, y: m.cumulative_trapezoid(y, dx=2.0, dim=0), [(3, 5)]),
    "gradient": (lambda m, x: m.stack(list(m.gradient(x))), [(4, 5)]),
    "gradient along": (lambda m, x: m.gradient(x, spacing=0.5, dim=1)[0], [(4, 5)]),
    "gradient of order 2": (lambda m, x: m.gradient(x, edge_order=2, dim=0)[0], [(4, 5)]),
    "gradient spacings": (lambda m, x: m.stack(list(m.gradient(x, spacing=[0.5, 2.0]))), [(4, 5)]),
    "cdist": (lambda m, a, b: m.cdist(a, b), [(2, 3, 4), (5, 4)]),
    "cdist 1": (lambda m, a, b: m.cdist(a, b, p=1.0), [(3, 4), (5, 4)]),
    "cdist inf": (lambda m, a, b: m.cdist(a, b, p=math.inf), [(3, 4), (5, 4)]),
    "cdist 3": (lambda m, a, b: m.cdist(a, b, p=3.0), [(3, 4), (5, 4)]),
    "arctan2": (lambda m, a, b: m.arctan2(a, b), [(3,), (3,)]),
    **{name: (lambda m, x, name=name: getattr(m, name)(x * 0.1), [(2, 3)]) for name in ("absolute", "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "negative", "fix")},
    "arccosh": (lambda m, x: m.arccosh(x * x + 1.1), [(2, 3)]),
    "subtract": (lambda m, a, b: m.subtract(a, b, alpha=3), [(2, 3), (3,)]),
    "multiply": (lambda m, a, b: a.multiply(b), [(2, 3), (3,)]),
    "divide": (lambda m, a, b: m.divide(a, b), [(2, 3), (3,)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore")
def test_values_and_gradients_are_torchs(name, dtype):
    call, shapes = CASES[name]
    random = Inputs(7)
    arrays = [random.array(*shape) for shape in shapes]
    compare(lambda *x: call(rbe, *x), lambda *x: call(torch, *x), *arrays, dtype=dtype, scale=3.0, least=1.0)


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_at_any_places_are_torchs(order):
    places = np.array([0.0, 0.5, 0.7, 2.0, 2.5])
    x, y = pair(Inputs(1).array(2, 5))
    ours = rbe.gradient(x, spacing=[rbe.tensor(places)], dim=1, edge_order=order)[0]
    theirs = torch.gradient(y, spacing=[torch.tensor(places)], dim=1, edge_order=order)[0]
    assert_same(ours, theirs, 3)


def test_comparisons_have_torchs_second_names():
    x, y = pair([1.0, 2.0, 3.0], grad=False)
    for name in ("greater", "greater_equal", "less", "less_equal", "not_equal"):
        assert_same(getattr(rbe, name)(x, 2.0), getattr(torch, name)(y, 2.0))


def test_several_tensors_with_at_least_some_axes_are_a_tuple():
    for n in (1, 2, 3):
        ours = getattr(rbe, f"atleast_{n}d")(rbe.ones(2), rbe.tensor(1.0))
        theirs = getattr(torch, f"atleast_{n}d")(torch.ones(2), torch.tensor(1.0))
        assert isinstance(ours, tuple)
        for x, y in zip(ours, theirs, strict=True):
            assert_same(x, y)


def test_constants_and_shapes_are_torchs():
    for name in ("pi", "e", "inf"):
        assert getattr(rbe, name) == getattr(torch, name)
    assert math.isnan(rbe.nan)
    assert isinstance(rbe.ones(2, 3).shape, rbe.Size)
    assert rbe.Size((2, 3)).numel() == torch.Size((2, 3)).numel()
    assert tuple(torch.Size((2, 3))) == rbe.Size((2, 3))


def test_normal_numbers_have_their_moments():
    rbe.manual_seed(0)
    x = rbe.normal(rbe.tensor([1.0, -2.0]).expand(20_000, 2), rbe.tensor([0.5, 2.0]))
    np.testing.assert_allclose(x.mean(0).numpy(), [1.0, -2.0], atol=0.06)
    np.testing.assert_allclose(x.std(0).numpy(), [0.5, 2.0], rtol=0.03)
    y = rbe.normal(3.0, 0.1, size=(1000,), dtype=rbe.float64, requires_grad=True)
    assert y.dtype is rbe.float64
    assert y.requires_grad
    assert y.mean().item() == pytest.approx(3.0, abs=0.02)
    assert rbe.normal(2.0, rbe.zeros(3)).tolist() == [2.0, 2.0, 2.0]
    first, second = (rbe.normal(0.0, 1.0, (4,), generator=rbe.Generator(5)) for _ in range(2))
    assert rbe.equal(first, second)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rbe.normal(0.0, 1.0),
        lambda: rbe.normal(rbe.zeros(2), 1.0, (2,)),
        lambda: rbe.normal(0.0, -1.0, (2,)),
        lambda: rbe.normal(rbe.zeros(2, dtype=rbe.int64), 1.0),
        lambda: rbe.normal(rbe.zeros(2), rbe.ones(3)),
        lambda: rbe.block_diag(rbe.ones(2, 2, 2)),
        lambda: rbe.cartesian_prod(rbe.ones(2, 2)),
        lambda: rbe.combinations(rbe.ones(2, 2)),
        lambda: rbe.combinations(rbe.ones(2), -1),
        lambda: rbe.tensordot(rbe.ones(2), rbe.ones(3), 1),
        lambda: rbe.tensordot(rbe.ones(2), rbe.ones(3), 2),
        lambda: rbe.trapezoid(rbe.ones(3), rbe.ones(2)),
        lambda: rbe.gradient(rbe.ones(1)),
        lambda: rbe.gradient(rbe.ones(3), edge_order=3),
        lambda: rbe.cdist(rbe.ones(2, 3), rbe.ones(2, 2)),
        lambda: rbe.cdist(rbe.ones(2, 3), rbe.ones(2, 3), -1.0),
    ],
)
def test_unusable_arguments_are_refused(call):
    with pytest.raises(rbe.RBEError):
        call()


@pytest.mark.parametrize("name", ["tensordot", "trapezoid x", "gradient of order 2", "cdist 3", "block_diag", "combinations"])
def test_gradients_are_those_of_finite_differences(name):
    call, shapes = CASES[name]
    random = Inputs(2)
    assert rbe.autograd.gradcheck(lambda *x: call(rbe, *x), [random.leaf(*shape) for shape in shapes], rtol=1e-5)
