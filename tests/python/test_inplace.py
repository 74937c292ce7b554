"""Changes in place on the tape: what is written keeps its gradient, what is overwritten loses it, and every view follows."""

import numpy as np
import pytest
import rbe
from in_place import RNG, agree, arrays

WRITES = {
    "an integer": (0, (4,)),
    "a slice": (slice(1, None), (2, 4)),
    "steps": ((slice(None, None, 2), slice(None, None, -1)), (2, 4)),
    "all": (slice(None), (3, 4)),
    "an ellipsis": ((..., 1), (3,)),
    "a new axis": ((None, 1), (1, 4)),
    "a list": ([2, 0], (2, 4)),
    "pairs": (([2, 0], [1, 1]), (2,)),
    "an array after a slice": ((slice(None), [3, 1]), (3, 2)),
    "a mask": (np.arange(12).reshape(3, 4) % 5 == 1, (3,)),
    "a mask of rows": (np.array([True, False, True]), (2, 4)),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("recorded", [False, True])
def test_values_written_into_a_tensor_keep_their_gradient(name, recorded):
    index, shape = WRITES[name]
    mask = np.zeros((3, 4))
    mask[index] = 1.0

    def changed(x, w):
        h = x * 2.0 if recorded else x.detach() * 2.0
        h[index] = w * w
        return h * 3.0

    def plain(x, w):
        spread = np.zeros((w.numel(), 12))
        spread[np.arange(w.numel()), np.arange(12).reshape(3, 4)[index].ravel()] = 1.0
        placed = ((w * w).reshape(1, -1) @ rbe.tensor(spread)).reshape(3, 4)
        return ((x if recorded else x.detach()) * 2.0 * rbe.tensor(1.0 - mask) + placed) * 3.0

    agree(changed, plain, *arrays((3, 4), shape))


@pytest.mark.parametrize("value", [(), (1,), (4,), (1, 4), (2, 1)])
def test_values_broadcast_and_their_gradients_add_up(value):
    def changed(w):
        h = rbe.zeros(3, 4, dtype="float64")
        h[1:] = w
        return h

    agree(changed, lambda w: rbe.cat([rbe.zeros(1, 4, dtype="float64"), w.broadcast_to((2, 4))]), *arrays(value))


def test_of_values_written_to_one_place_the_last_counts():
    w, h = RNG.leaf(3), rbe.zeros(2, dtype="float64")
    h[[0, 1, 0]] = w
    h.sum().backward()
    np.testing.assert_array_equal(h.detach().numpy(), [w.tolist()[2], w.tolist()[1]])
    assert w.grad.tolist() == [0.0, 1.0, 1.0]


def test_a_loop_fills_its_result():
    def changed(x, w):
        out = rbe.zeros(4, 3, dtype="float64")
        state = x
        for i in range(4):
            state = state * w
            out[i] = state
        return out

    agree(changed, lambda x, w: rbe.stack([x * w, x * w * w, x * w * w * w, x * w * w * w * w]), *arrays((3,), (3,)))


METHODS = {
    "add_": (lambda y, w: y.add_(w), lambda y, w: y + w),
    "add_ alpha": (lambda y, w: y.add_(w, alpha=3), lambda y, w: y + 3 * w),
    "sub_": (lambda y, w: y.sub_(w), lambda y, w: y - w),
    "mul_": (lambda y, w: y.mul_(w), lambda y, w: y * w),
    "div_": (lambda y, w: y.div_(w), lambda y, w: y / w),
    "pow_": (lambda y, w: y.pow_(2), lambda y, w: y**2),
    "copy_": (lambda y, w: y.copy_(w), lambda y, w: w + 0 * y.detach()),
    "fill_": (lambda y, w: y.fill_(w[0]), lambda y, w: w[0] + 0 * y.detach()),
    "zero_": (lambda y, w: y.zero_(), lambda y, w: 0 * y),
    "exp_": (lambda y, w: y.exp_(), lambda y, w: y.exp()),
    "log_": (lambda y, w: y.log_(), lambda y, w: y.log()),
    "sqrt_": (lambda y, w: y.sqrt_(), lambda y, w: y.sqrt()),
    "square_": (lambda y, w: y.square_(), lambda y, w: y * y),
    "neg_": (lambda y, w: y.neg_(), lambda y, w: -y),
    "abs_": (lambda y, w: y.abs_(), lambda y, w: y.abs()),
    "relu_": (lambda y, w: y.relu_(), lambda y, w: y.relu()),
    "tanh_": (lambda y, w: y.tanh_(), lambda y, w: y.tanh()),
    "sigmoid_": (lambda y, w: y.sigmoid_(), lambda y, w: y.sigmoid()),
    "reciprocal_": (lambda y, w: y.reciprocal_(), lambda y, w: y.reciprocal()),
    "sin_": (lambda y, w: y.sin_(), lambda y, w: y.sin()),
    "clamp_": (lambda y, w: y.clamp_(4, 6.5), lambda y, w: y.clamp(4, 6.5)),
    "cumsum_": (lambda y, w: y.cumsum_(0), lambda y, w: y.cumsum(0)),
    "masked_fill_": (
        lambda y, w: y.masked_fill_(y > 6, w[0]),
        lambda y, w: rbe.where(y > 6, w[0], y),
    ),
    "index_put_": (
        lambda y, w: y.index_put_((rbe.tensor([1, 1, 0]),), w[:3]),
        lambda y, w: rbe.cat([w[2:3], w[1:2], y[2:]]),
    ),
    "index_put_ accumulate": (
        lambda y, w: y.index_put_((rbe.tensor([1, 1, 0]),), w[:3], accumulate=True),
        lambda y, w: y + rbe.cat([w[2:3], w[0:1] + w[1:2], 0 * w[2:]]),
    ),
    "+=": (lambda y, w: y.__iadd__(w), lambda y, w: y + w),
    "-=": (lambda y, w: y.__isub__(w), lambda y, w: y - w),
    "*=": (lambda y, w: y.__imul__(w), lambda y, w: y * w),
    "/=": (lambda y, w: y.__itruediv__(w), lambda y, w: y / w),
    "**=": (lambda y, w: y.__ipow__(2), lambda y, w: y**2),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("where", ["a result", "a constant", "a part of a result", "a part of a constant"])
def test_methods_in_place_are_recorded(name, where):
    change, formula = METHODS[name]
    part = slice(1, 5)

    def changed(x, w):
        y = x * 2.0 if "result" in where else x.detach() * 2.0
        returned = change(y[part] if "part" in where else y, w)
        return y if "part" in where else returned

    def plain(x, w):
        y = x * 2.0 if "result" in where else x.detach() * 2.0
        return rbe.cat([y[:1], formula(y[part], w), y[5:]]) if "part" in where else formula(y, w)

    n = 6 if "part" in where else 4
    agree(changed, plain, *arrays((n,), (4,)))


@pytest.mark.parametrize("name", METHODS)
def test_methods_in_place_return_the_tensor_that_they_change(name):
    change, formula = METHODS[name]
    x, w = (rbe.tensor(a) for a in arrays((4,), (4,)))
    want = formula(x, w).tolist()
    alias, view = x, x[1:]
    assert change(x, w) is x
    np.testing.assert_allclose(alias.numpy(), want, rtol=1e-14)
    assert view.tolist() == x.tolist()[1:]


def test_a_recorded_write_needs_no_gradient_on_either_side_to_stay_plain():
    h = rbe.zeros(3)
    h[0] = 1.0
    h.add_(rbe.ones(3))
    assert h.is_leaf
    assert not h.requires_grad
    w = rbe.ones(3, requires_grad=True)
    with rbe.no_grad():
        h[1:] = w[1:]
        h += w
    assert h.is_leaf
    assert not h.requires_grad
    assert h.tolist() == [3.0, 2.0, 2.0]
    counts = rbe.zeros(2, dtype="int64")
    counts[0] = w[0] * 2.5
    assert not counts.requires_grad
    assert counts.tolist() == [2, 0]


def test_a_tensor_that_is_written_to_becomes_part_of_the_graph():
    h, w = rbe.zeros(3), rbe.ones(3, requires_grad=True)
    h[0] = w[0]
    assert h.requires_grad
    assert not h.is_leaf
    assert h.grad_fn is not None
    with pytest.raises(rbe.GraphError, match="leaf"):
        h.requires_grad = False
    assert not h.detach().requires_grad
    h.retain_grad()
    h.mul_(2.0)
    h.sum().backward()
    assert w.grad.tolist() == [2.0, 0.0, 0.0]
    assert h.grad.tolist() == [1.0, 1.0, 1.0]  # of the values that h has now


def test_hooks_stay_with_the_values_that_they_were_registered_for():
    x = rbe.ones(2, requires_grad=True)
    y = x * 2.0
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.mul_(3.0)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0], [3.0, 3.0]]
    handle.remove()
    y.sum().backward()
    assert seen[2:] == [[1.0, 1.0]]


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.add_(1.0), lambda w: w.zero_(), lambda w: w.__setitem__(0, 1.0), lambda w: w.__iadd__(1.0), lambda w: w[0].fill_(1.0),
        lambda w: w.view(-1).mul_(2.0), lambda w: w.copy_(rbe.ones(3)), lambda w: w.relu_(), lambda w: w[[0, 1]].shape and w[1:].__setitem__(0, 5.0),
    ],
)  # fmt: skip
def test_leaves_that_want_a_gradient_and_their_views_are_refused(change):
    w = rbe.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(rbe.GraphError, match="no_grad"):
        change(w)
    assert w.tolist() == [-1.0, 2.0, 3.0]
    assert w.is_leaf
    with rbe.no_grad():
        change(w)
    assert w.tolist() != [-1.0, 2.0, 3.0]
    assert w.is_leaf
    assert w.grad_fn is None


def test_what_the_tape_has_saved_must_not_change():
    x = RNG.leaf(3)
    y = x * 2.0
    product = (y * y).sum()
    y.add_(1.0)
    with pytest.raises(rbe.GraphError, match="in place"):
        product.backward()
    y = x * 2.0
    product, part = (y * y).sum(), y[1:]
    part.zero_()
    with pytest.raises(rbe.GraphError, match="in place"):
        product.backward()
    assert x.grad is None
    y = x * 2.0
    total = y.sum()  # saves nothing
    y.zero_()
    total.backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_change_that_does_not_fit_changes_nothing():
    x = RNG.leaf(3)
    y, counts = x * 2.0, rbe.zeros(3, dtype="int64")
    before = y.tolist(), y.grad_fn
    cases = [
        (rbe.ShapeError, lambda: y.add_(rbe.ones(2, 3))),
        (rbe.ShapeError, lambda: y.__iadd__(rbe.ones(4))),
        (rbe.ShapeError, lambda: y.__setitem__(slice(2), rbe.ones(3))),
        (rbe.ShapeError, lambda: y.fill_(rbe.ones(3))),
        (rbe.ShapeError, lambda: y.masked_fill_(y > 0, rbe.ones(3))),
        (rbe.OutOfRangeError, lambda: y.__setitem__(5, x[0])),
        (rbe.DTypeError, lambda: counts.add_(x)),
        (rbe.DTypeError, lambda: counts.__imul__(1.5)),
        (rbe.DTypeError, lambda: y.masked_fill_(counts, 1.0)),
    ]
    for error, change in cases:
        with pytest.raises(error):
            change()
    assert (y.tolist(), repr(y.grad_fn)) == (before[0], repr(before[1]))
    assert counts.tolist() == [0, 0, 0]
    assert y._version == 0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_narrower_float_takes_wider_values():
    w, h = RNG.leaf(3), rbe.zeros(3)
    h += w
    h[0] = w[0] * 2.0
    h.sum().backward()
    assert h.dtype is rbe.float32
    assert w.grad.dtype is rbe.float64
    assert w.grad.tolist() == [2.0, 1.0, 1.0]


@pytest.mark.parametrize("layer", [rbe.nn.ReLU, rbe.nn.SiLU, rbe.nn.LeakyReLU, rbe.nn.ELU, rbe.nn.Dropout])
def test_layers_write_over_their_input_where_asked(layer):
    function = {"ReLU": "relu", "SiLU": "silu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Dropout": "dropout"}[layer.__name__]
    x = RNG.leaf(4, 5)
    for apply in (layer(inplace=True), lambda y: getattr(rbe.nn.functional, function)(y, inplace=True)):
        rbe.manual_seed(3)
        want = layer()(x * 1.0)
        want.sum().backward()
        (expected, x.grad) = (x.grad.tolist(), None)
        rbe.manual_seed(3)
        y = x * 1.0
        assert apply(y) is y
        assert y.tolist() == want.tolist()
        y.sum().backward()
        assert x.grad.tolist() == expected
        x.grad = None
    assert "inplace=True" in repr(layer(inplace=True))
    assert "inplace" not in repr(layer())


def test_long_chains_of_changes_are_dropped_without_recursion():
    w, h = rbe.ones(2, requires_grad=True), rbe.zeros(2)
    for _ in range(20_000):
        h[0] = h[0] + w[0]
    h.sum().backward()
    assert w.grad.tolist() == [20_000.0, 0.0]
    del h


def test_changes_on_the_tape_leave_nothing_behind():
    import gc

    def run():
        w, h = rbe.ones(64, requires_grad=True), rbe.zeros(8, 64)
        for i in range(8):
            h[i] = w * i
            h[i].mul_(2.0)
        h.sum().backward()

    for _ in range(3):
        run()
    gc.collect()
    before = rbe.memory.pool_stats()
    for _ in range(50):
        run()
    after = rbe.memory.pool_stats()
    assert {k: v for k, v in after.items() if "live" in k or "in_use" in k} == {
        k: v for k, v in before.items() if "live" in k or "in_use" in k
    }
