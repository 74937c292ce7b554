"""Arithmetic, reductions and creation beside torch's: types, values, gradients and refusals."""

import functools
import itertools
import math

import numpy as np
import pytest
import rbe
from beside_torch import assert_same, torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import Inputs

pytestmark = pytest.mark.torch
settings.register_profile("rbe", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("rbe")

KINDS = ("float32", "float64", "int64", "bool")
agree = functools.partial(assert_same, rtol=1e-6, atol=0.0)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, 2.5, 1e17, math.inf, -math.inf, math.nan]


def both(values, kind, grad=False):
    dtype = getattr(torch, kind)
    theirs = torch.tensor(values).to(dtype).requires_grad_(grad)
    ours = rbe.tensor(values).to(kind).requires_grad_(grad)
    return ours, theirs


BINARY = {
    "add": lambda m, a, b: a + b,
    "mul": lambda m, a, b: a * b,
    "div": lambda m, a, b: a / b,
    "floor_divide": lambda m, a, b: a // b,
    "remainder": lambda m, a, b: a % b,
    "fmod": lambda m, a, b: m.fmod(a, b),
    "pow": lambda m, a, b: a**b,
    "trunc": lambda m, a, b: m.div(a, b, rounding_mode="trunc"),
    "floor": lambda m, a, b: m.div(a, b, rounding_mode="floor"),
    "copysign": lambda m, a, b: m.copysign(a, b),
    "eq": lambda m, a, b: a == b,
    "lt": lambda m, a, b: a < b,
    "where": lambda m, a, b: m.where(m.tensor([True, False]), a, b),
    "add_alpha": lambda m, a, b: m.add(a, b, alpha=2),
    "clamp": lambda m, a, b: m.clamp(a, min=b),
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    ("p", "q"), list(itertools.product(KINDS, (*KINDS, "True", "2", "2.5", "0-d float64", "0-d int64", "0-d bool")))
)
def test_types_and_values(name, p, q):
    f = BINARY[name]
    x, tx = both([3, 5], p)
    if q in KINDS:
        y, ty = both([1, 2], q)
    elif q.startswith("0-d"):
        y, ty = both(2, q[4:])
    else:
        y = ty = eval(q)
    try:
        want = f(torch, tx, ty)
    except (RuntimeError, TypeError):
        return  # what torch refuses is our own business
    agree(f(rbe, x, y), want)
    if not isinstance(ty, torch.Tensor) and name not in ("fmod", "trunc", "floor", "copysign", "where", "add_alpha", "clamp"):
        try:
            want = f(torch, ty, tx)
        except RuntimeError:
            return
        agree(f(rbe, y, x), want)


UNARY = [
    "abs",
    "neg",
    "sign",
    "square",
    "relu",
    "floor",
    "ceil",
    "round",
    "trunc",
    "exp",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "reciprocal",
    "rsqrt",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("kind", KINDS)
def test_functions(name, kind):
    x, tx = both([2, 0, 1] if kind in ("int64", "bool") else SPECIAL, kind, grad=kind.startswith("float"))
    try:
        want = getattr(tx, name)()
    except RuntimeError:
        with pytest.raises(rbe.DTypeError):
            getattr(x, name)()
        return
    got = getattr(x, name)()
    agree(got, want, rtol=1e-5)
    assert got.requires_grad == want.requires_grad
    if want.requires_grad:
        up = np.linspace(0.5, 2, len(SPECIAL))
        got.backward(rbe.tensor(up).to(kind))
        want.backward(torch.tensor(up).to(tx.dtype))
        agree(x.grad, tx.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["float64", "int64"])
def test_bounds_that_are_tensors(kind):
    numbers = [0.0, 1.0, 2.0, math.nan] if kind == "float64" else [0, 1, 2]
    columns = [list(column) for column in zip(*itertools.product(numbers, repeat=3), strict=True)]
    operands = [both(column, kind, grad=kind == "float64") for column in columns]
    (x, tx), (low, tlow), (high, thigh) = operands
    for got, want in (
        (x.clamp(low, high), tx.clamp(tlow, thigh)),
        (x.clamp(min=low), tx.clamp(min=tlow)),
        (x.clamp(max=high), tx.clamp(max=thigh)),
        (rbe.clip(x, low, high), torch.clip(tx, tlow, thigh)),
    ):
        agree(got, want)
        if kind == "float64":
            for ours, theirs in operands:
                ours.grad = theirs.grad = None
            got.sum().backward()
            want.sum().backward()
            for ours, theirs in operands:
                if theirs.grad is not None:
                    agree(ours.grad, theirs.grad)


KINKS = {
    "clamp": lambda m, x: x.clamp(-1, 1),
    "clamp min": lambda m, x: x.clamp(min=0.1),
    "clamp max": lambda m, x: x.clamp(max=0.1),
    "clamp reversed": lambda m, x: x.clamp(1, -1),
    "clamp nan": lambda m, x: x.clamp(min=math.nan),
    "elu": lambda m, x: m.nn.functional.elu(x, 0.7),
    "leaky": lambda m, x: m.nn.functional.leaky_relu(x),
    "pow 0": lambda m, x: x**0,
    "pow 1": lambda m, x: x**1,
    "pow 3": lambda m, x: x**3,
    "pow -1": lambda m, x: x**-1,
    "pow .5": lambda m, x: x**0.5,
    "2 ** x": lambda m, x: 2**x,
    "x % 2": lambda m, x: x % 2,
    "fmod": lambda m, x: m.fmod(x, 2),
    "round 1": lambda m, x: x.round(decimals=1),
}


@pytest.mark.parametrize("name", KINKS)
def test_gradients_where_functions_are_not_smooth(name):
    x, tx = both(SPECIAL, "float64", grad=True)
    y, ty = KINKS[name](rbe, x), KINKS[name](torch, tx)
    agree(y, ty, rtol=1e-12)
    y.sum().backward()
    ty.sum().backward()
    agree(x.grad, tx.grad, rtol=1e-12)


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmod", "remainder", "pow", "mul", "div"])
def test_gradients_of_every_pair(name):
    a, b = (v.ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
    (x, tx), (y, ty) = both(a.tolist(), "float64", grad=True), both(b.tolist(), "float64", grad=True)
    got, want = getattr(rbe, name)(x, y), getattr(torch, name)(tx, ty)
    agree(got, want, rtol=1e-12)
    got.sum().backward()
    want.sum().backward()
    agree(x.grad, tx.grad, rtol=1e-12)
    agree(y.grad, ty.grad, rtol=1e-12)


ROWS = [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [3.0, -3.0, 1.0], [math.nan, 1.0, 2.0], [math.inf, 1.0, 2.0]]
REDUCTIONS = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1),
    "prod": lambda x: x.prod(1),
    "var": lambda x: x.var(1),
    "std": lambda x: x.std(1),
    "std biased": lambda x: x.std(1, False),
    "amax": lambda x: x.amax(1),
    "amin": lambda x: x.amin(1),
    "logsumexp": lambda x: x.logsumexp(1),
    **{f"norm {p}": lambda x, p=p: x.norm(p, 1) for p in (0.5, 1, 1.5, 2, 3, math.inf, -math.inf, -1)},
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_gradients_of_reductions(name):
    x, tx = both(ROWS, "float64", grad=True)
    y, ty = REDUCTIONS[name](x), REDUCTIONS[name](tx)
    agree(y, ty, rtol=1e-12)
    y.sum().backward()
    ty.sum().backward()
    agree(x.grad, tx.grad, rtol=1e-12)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", ["max", "min"])
def test_gradients_of_extremes_of_all(row, name):
    x, tx = both(row, "float64", grad=True)
    getattr(x, name)().backward()
    getattr(tx, name)().backward()
    agree(x.grad, tx.grad)


@given(
    st.one_of(st.integers(-20, 20), st.floats(-20, 20)),
    st.one_of(st.integers(-20, 20), st.floats(-20, 20)),
    st.one_of(st.integers(-4, 4), st.floats(-4, 4).filter(lambda v: v == 0 or abs(v) > 0.01)),
    st.sampled_from([None, "float32", "float64", "int64"]),
)
def test_ranges(start, end, step, kind):
    theirs = None if kind is None else getattr(torch, kind)
    try:
        want = torch.arange(start, end, step, dtype=theirs)
    except RuntimeError:
        with pytest.raises(rbe.TensorError):
            rbe.arange(start, end, step, dtype=kind)
        return
    # Elements near 0 are differences of numbers as large as the ends.
    eps = torch.finfo(want.dtype).eps if want.is_floating_point() else 0.0
    agree(rbe.arange(start, end, step, dtype=kind), want, rtol=1e-5, atol=2 * eps * max(abs(start), abs(end)))


@given(st.floats(-20, 20), st.floats(-20, 20), st.integers(0, 40), st.sampled_from(["float64", "int64"]))
def test_spaced_numbers(start, end, steps, kind):
    want = torch.linspace(start, end, steps, dtype=getattr(torch, kind))
    np.testing.assert_allclose(rbe.linspace(start, end, steps, dtype=kind).numpy(), want.numpy(), rtol=1e-12, atol=1e-12)


REDUCERS = [
    "sum", "mean", "prod", "amax", "amin", "any", "all", "argmax", "argmin", "logsumexp", "norm", "cumsum", "sort", "var", "max",
    "min", "softmax",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:var\\(\\):UserWarning")
@given(
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from(KINDS),
    st.integers(-3, 2),
    st.sampled_from(REDUCERS),
    st.booleans(),
)
def test_reductions_of_any_shape(shape, kind, dim, name, keep):
    if name == "softmax" and not kind.startswith("float"):
        return  # torch gives integers for what is empty and refuses the rest
    values = (Inputs().integers(-3, 4, shape)).tolist()
    x, tx = both(values, kind)
    x, tx = x.reshape(shape), tx.reshape(shape)
    takes_keep = name not in ("cumsum", "sort", "softmax")
    options = {"dim": dim, **({"keepdim": keep} if takes_keep else {})}
    try:
        want = getattr(tx, name)(**options)
    except (RuntimeError, IndexError):
        return
    got = getattr(x, name)(**options)
    if isinstance(want, tuple):
        agree(got[0], want[0])
        places = got[1] if keep or not takes_keep or not shape else got[1].unsqueeze(dim)
        picked = x.gather(dim, places)  # of equal elements any may be first
        np.testing.assert_array_equal(picked.reshape(got[0].shape).numpy(), got[0].numpy())
    elif name.startswith("arg"):
        assert got.shape == tuple(want.shape)
    else:
        agree(got, want, rtol=1e-5)
