"""Reductions: accuracy along every axis, arguments in torch's and NumPy's names, gradients where they are not smooth."""

import math

import numpy as np
import pytest
import rbe
from inputs import Inputs

RNG = Inputs()
BOUND = 2e-7  # of a sum, for each doubling of the number of its terms


def check(got, exact, terms):
    errors = np.abs(got.numpy().astype(np.float64) - exact) / np.abs(exact)
    assert errors.max() <= BOUND * np.log2(max(terms, 2))


@pytest.mark.parametrize(
    "shape", [(1 << 20,), (1 << 17, 8), (8, 1 << 17), (1 << 10, 1 << 10), (64, 1 << 10, 16), (4, 5, 50_000)]
)
@pytest.mark.parametrize("value", [0.1, None])
def test_sums_along_every_axis_are_accurate(shape, value):
    a = (np.full(shape, value) if value else RNG.random(shape)).astype(np.float32)
    wide, t = a.astype(np.float64), rbe.tensor(a)
    axes = [None, *range(len(shape)), *([(0, 2), (0, 1), (1, 2)] if len(shape) == 3 else [])]
    for axis in axes:
        terms = a.size // max(wide.sum(axis).size, 1)
        check(t.sum(axis), wide.sum(axis), terms)
        check(t.mean(axis), wide.mean(axis), terms)
        check(t.norm(2, axis), np.sqrt((wide**2).sum(axis)), terms)
        check(t.norm(1, axis), wide.sum(axis), terms)
        check(t.norm(3, axis), np.cbrt((wide**3).sum(axis)), terms)
        if len(shape) == 2:
            check(t.transpose(0, 1).sum(axis if axis is None else 1 - axis), wide.sum(axis), terms)


def test_losses_of_many_elements_are_accurate():
    n = 1 << 20
    a = np.full(n, 0.1, dtype=np.float32)
    x, zero = rbe.tensor(a), rbe.zeros(n)
    step = float(a[0])
    F = rbe.nn.functional
    check(F.mse_loss(x, zero), step * step, n)
    check(F.l1_loss(x, zero), step, n)
    check(F.smooth_l1_loss(x, zero), 0.5 * step * step, n)
    check(x.var(correction=0) + 1, 1.0, n)


def test_sums_do_not_depend_on_the_number_of_threads():
    x = RNG.tensor(700, 3, 301, dtype=np.float32)
    results = []
    for threads in (1, 2):
        rbe.set_num_threads(threads)
        results.append(
            [x.sum(axis).numpy() for axis in (None, 0, 1, 2, (0, 2), (1, 2))] + [x.norm(3).numpy(), x.std(0).numpy()]
        )
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_axis_means_all():
    x = RNG.tensor(2, 3)
    for name in ("sum", "mean", "var", "std", "amax", "amin", "norm"):
        f = getattr(x, name)
        assert rbe.equal(f(dim=()), f()), name
    assert x.any(dim=()).shape == x.all(dim=()).shape == (2, 3)  # as torch has it


def test_variances_say_their_divisor():
    a = RNG.array(4, 5)
    x = rbe.tensor(a)
    for name, f in (("var", np.var), ("std", np.std)):
        g = getattr(x, name)
        for got, want in (
            (g(), f(a, ddof=1)),
            (g(False), f(a)),
            (g(unbiased=False), f(a)),
            (g(True), f(a, ddof=1)),
            (g(0, False), f(a, 0)),
            (g(1, False, True), f(a, 1, keepdims=True)),
            (g(0, unbiased=False), f(a, 0)),
            (g(dim=0, correction=2), f(a, 0, ddof=2)),
            (g(correction=None), f(a, ddof=1)),
            (g(dim=(0, 1), correction=0), f(a)),
        ):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-12)
        with pytest.raises(TypeError, match="unbiased"):
            g(correction=1, unbiased=True)
        with pytest.raises(TypeError, match="unbiased"):
            g(True, unbiased=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(True),
        lambda x: x.mean(dim=True),
        lambda x: x.sum((0, True)),
        lambda x: x.sum(1.0),
        lambda x: x.sum("rows"),
        lambda x: x.argmax(False),
        lambda x: x.max(True),
        lambda x: x.max(axis=(0, 1)),
        lambda x: x.softmax(True),
        lambda x: x.cumsum(True),
        lambda x: x.sort(True),
        lambda x: x.transpose(True, 0),
        lambda x: x.permute(True, False),
        lambda x: x.unsqueeze(True),
        lambda x: x.squeeze(True),
        lambda x: x.narrow(0, True, 1),
        lambda x: x.any(rbe.tensor(True)),
        lambda x: x.mean(dtype=rbe.int64),
        lambda x: x.var(correction="one"),
        lambda x: x.topk(1.5),
        lambda x: x.split(True),
    ],
)
def test_what_is_no_axis_is_refused(call):
    with pytest.raises(rbe.DTypeError):
        call(rbe.ones(2, 3))


def test_extremes_along_an_axis_come_with_their_places():
    a = RNG.array(3, 4)
    x = rbe.tensor(a)
    for name in ("max", "min"):
        for how in ({"dim": 1}, {"axis": 1}, {"dim": 1, "keepdim": True}, {"axis": 1, "keepdims": True}):
            values, indices = getattr(x, name)(**how)
            keep = len(how) == 2
            np.testing.assert_array_equal(values.numpy(), getattr(a, name)(1, keepdims=keep))
            np.testing.assert_array_equal(indices.numpy(), getattr(a, "arg" + name)(1, keepdims=keep))
        assert getattr(x, name)().item() == getattr(a, name)()
        assert rbe.equal(getattr(x, name)(other=-x), getattr(rbe, name + "imum")(x, -x))
    np.testing.assert_array_equal(x.amax((0, 1), keepdim=True).numpy(), a.max(keepdims=True))


@pytest.mark.parametrize("dtype", [rbe.float32, rbe.float64, rbe.int64, rbe.bool])
def test_types_of_results_by_keyword(dtype):
    x = rbe.tensor([[1.75, -2.0], [3.0, 0.0]])
    assert x.sum(dtype=dtype).dtype is x.prod(0, dtype=dtype).dtype is x.cumsum(0, dtype=dtype).dtype is dtype
    if dtype.is_floating_point:
        for f in (rbe.mean, rbe.softmax, rbe.log_softmax, rbe.norm):
            assert f(x.long(), dtype=dtype).dtype is dtype
    assert x.sum(dtype=rbe.int64).item() == 2  # converted before
    third = rbe.full((3,), 1 / 3)
    assert third.sum(dtype=rbe.float64).item() == 3 * np.float64(np.float32(1 / 3))


ALONG = {
    "sum": lambda t, d: t.sum(d),
    "mean": lambda t, d: t.mean(d),
    "prod": lambda t, d: t.prod(d),
    "amax": lambda t, d: t.amax(d),
    "amin": lambda t, d: t.amin(d, True),
    "max": lambda t, d: t.max(d).values,
    "min": lambda t, d: t.min(d).values,
    "logsumexp": lambda t, d: t.logsumexp(d),
    "norm": lambda t, d: t.norm(2, d),
    "cumsum": lambda t, d: t.cumsum(d),
    "sort": lambda t, d: t.sort(d).values,
    "topk": lambda t, d: t.topk(1, d).values,
    "gather": lambda t, d: t.gather(d, rbe.tensor(0)),
    "index_select": lambda t, d: t.index_select(d, rbe.tensor([0])),
    "squeeze": lambda t, d: t.squeeze(d),
    "squeeze several": lambda t, d: t.squeeze((d,)),
    "transpose": lambda t, d: t.transpose(d, 0),
    "flip": lambda t, d: t.flip(d),
    "sum keeping": lambda t, d: t.sum(d, keepdim=True),
    "var": lambda t, d: t.var(d, correction=0) + t,
}


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("dim", [0, -1])
def test_a_number_has_one_axis_to_work_along(name, dim):
    x = rbe.tensor(3.0, requires_grad=True)
    y = ALONG[name](x, dim)
    assert (y.shape, y.item()) == ((), 3)
    y.backward()
    assert x.grad.item() == 1
    for wrong in (1, -2):
        with pytest.raises(rbe.OutOfRangeError):
            ALONG[name](x, wrong)


def test_places_along_the_axis_of_a_number():
    x = rbe.tensor(3.0)
    assert (
        x.argmax(0).item()
        == x.argmin(-1).item()
        == x.argsort(0).item()
        == x.sort(0).indices.item()
        == x.max(0).indices.item()
        == 0
    )
    assert x.any(0).item() is x.all(-1).item() is True
    assert x.softmax(0).item() == 1
    assert x.log_softmax(-1).item() == 0
    assert x.scatter_add(0, rbe.tensor(0), rbe.tensor(2.0)).item() == 5
    assert x.gather(0, rbe.tensor([0, 0])).tolist() == [3, 3]
    assert [p.tolist() for p in rbe.tensor(0.0).nonzero(as_tuple=True)] == [[]]
    assert [p.tolist() for p in rbe.tensor(2.0).nonzero(as_tuple=True)] == [[0]]
    for call in (lambda: x.unbind(0), lambda: x.split(1), lambda: x.chunk(1), lambda: x.narrow(0, 0, 1)):
        with pytest.raises(rbe.TensorError, match="axes"):
            call()


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, math.inf, -math.inf, -1])
def test_norms_of_zeros_have_no_slope(p):
    x = rbe.zeros(2, 3, requires_grad=True)
    (x.norm(p) + x.norm(p, 1).sum()).backward()
    assert x.grad.tolist() == [[0, 0, 0]] * 2


def test_norms_do_not_overflow():
    x = rbe.tensor([3e30, -4e30])
    np.testing.assert_allclose(x.norm(3).item(), 1e30 * (27 + 64) ** (1 / 3), rtol=1e-6)
    np.testing.assert_allclose((x * 1e-60).norm(3).item(), 0.0)
    small = rbe.tensor([3e-30, 4e-30], requires_grad=True)
    small.norm(4).backward()
    np.testing.assert_allclose(small.grad.numpy(), np.array([27, 64]) / (81 + 256) ** 0.75, rtol=1e-5)


def test_deviations_of_equal_elements_have_no_slope():
    x = rbe.tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]], dtype=rbe.float64, requires_grad=True)
    y = x.std(1)
    assert y.tolist() == [0, 1]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]
    one = rbe.tensor([2.0], requires_grad=True)
    one.std().backward()
    assert one.grad.isnan().all()  # 0 / 0, as the value


def test_parts_of_what_is_empty():
    x = rbe.zeros(0, 3)
    assert [p.shape for p in x.chunk(3)] == [(0, 3)] * 3
    assert [p.shape for p in x.split(2)] == [(0, 3)]
    assert x.sum(0).tolist() == [0, 0, 0]
    assert x.mean(0).isnan().all()
    assert x.sum(1).shape == (0,)
    assert x.prod().item() == 1
    with pytest.raises(rbe.TensorError, match="max"):
        x.max()
    with pytest.raises(rbe.TensorError, match="norm"):
        rbe.ones(2).norm(True)


def test_views_by_torchs_names():
    x = rbe.tensor(np.arange(6.0).reshape(1, 2, 3))
    assert x.squeeze((0, 1)).shape == (2, 3)
    assert x.permute(dims=(2, 0, 1)).shape == (3, 1, 2)
    assert rbe.flip(x, dims=(2,)).tolist() == [[[2, 1, 0], [5, 4, 3]]]
    assert x[0].repeat(repeats=(2, 1)).shape == (4, 3)
    assert x.broadcast_to((4, -1, 3)).shape == x.broadcast_to(4, 2, 3).shape == x.expand(4, -1, -1).shape == (4, 2, 3)
    assert rbe.broadcast_to(x, size=(2, 2, 3)).shape == (2, 2, 3)
    assert x.narrow(2, -2, 2).tolist() == [[[1, 2], [4, 5]]]
    for call in (
        lambda: x.narrow(2, -4, 1),
        lambda: x.narrow(2, 2, 2),
        lambda: x.narrow(2, 0, -1),
        lambda: x.broadcast_to((2, -1)),
    ):
        with pytest.raises(rbe.TensorError):
            call()
    assert rbe.where(x > 3, other=0.0, input=x).sum().item() == 9
    assert [p.tolist() for p in rbe.where(rbe.tensor([0, 5, 7]))] == [[1, 2]]
    w = rbe.tensor(2.0, requires_grad=True)
    x.masked_fill(x > 3, w).sum().backward()
    assert w.grad.item() == 2
