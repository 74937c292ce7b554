"""Operations of several outputs: each has its own gradient, hooks and place in memory, and all are one operation."""

import gc
import weakref
from typing import ClassVar

import numpy as np
import pytest
import rbe
import rbe.nn.functional as F
from rbe.profiler import profile

RANDOM = np.random.default_rng(5)


def leaf(*shape):
    return rbe.tensor(RANDOM.standard_normal(shape), requires_grad=True)


class Polar(rbe.autograd.Function):
    """Length and angle of points; notes which gradients came."""

    came: ClassVar[list[tuple[bool, bool]]] = []

    @staticmethod
    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, y)
        return (x * x + y * y).sqrt(), rbe.tensor(np.arctan2(y.detach().numpy(), x.detach().numpy()))

    @staticmethod
    def backward(ctx, d_length, d_angle):
        Polar.came.append((d_length is not None, d_angle is not None))
        x, y = ctx.saved_tensors
        square = x * x + y * y
        dx, dy = rbe.zeros_like(x), rbe.zeros_like(y)
        if d_length is not None:
            dx, dy = dx + d_length * x / square.sqrt(), dy + d_length * y / square.sqrt()
        if d_angle is not None:
            dx, dy = dx - d_angle * y / square, dy + d_angle * x / square
        return dx, dy


@pytest.fixture(autouse=True)
def _fresh():
    Polar.came.clear()


USES = {
    "first": lambda length, angle: length,
    "second": lambda length, angle: angle,
    "both": lambda length, angle: length * angle + angle,
}


@pytest.mark.parametrize("use", USES)
def test_gradients_of_functions_follow_differences_whichever_outputs_are_used(use):
    x, y = leaf(4), leaf(4)
    assert rbe.autograd.gradcheck(lambda x, y: USES[use](*Polar.apply(x, y)), [x, y])
    assert set(Polar.came) == {(use != "second", use != "first")}


def test_a_function_is_called_once_a_pass_with_all_gradients():
    x, y = leaf(4), leaf(4)
    length, angle = Polar.apply(x, y)
    (length.sum() + (angle * length).sum() + angle.sum()).backward()
    assert Polar.came == [(True, True)]
    assert length.grad_fn.name() == angle.grad_fn.name() == "Polar"
    assert length.grad_fn._id == angle.grad_fn._id


def test_hooks_and_kept_gradients_belong_to_one_output():
    x, y = leaf(3), leaf(3)
    length, angle = Polar.apply(x, y)
    seen = []
    length.register_hook(lambda g: seen.append("length"))
    angle.register_hook(lambda g: g * 0.0)
    length.retain_grad()
    angle.retain_grad()
    (length * 2.0 + angle).sum().backward()
    assert seen == ["length"]
    assert (length.grad.tolist(), angle.grad.tolist()) == ([2.0] * 3, [0.0] * 3)
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy() / length.detach().numpy())


def test_grad_takes_outputs_as_targets():
    x, y = leaf(3), leaf(3)
    length, angle = Polar.apply(x, y)
    by_angle, by_length = rbe.autograd.grad((length * angle).sum(), [angle, length])
    np.testing.assert_array_equal(by_angle.numpy(), length.detach().numpy())
    np.testing.assert_array_equal(by_length.numpy(), angle.detach().numpy())
    assert Polar.came == []


def test_changing_one_output_in_place_leaves_the_other():
    x, y = leaf(3), leaf(3)
    length, angle = Polar.apply(x, y)
    angle.zero_()
    (length + angle * 5.0).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), x.detach().numpy() / length.detach().numpy())


def test_an_output_that_backward_reads_must_not_change():
    x = leaf(4, 3)
    values, places = x.sort(dim=0)
    with rbe.no_grad():
        places.zero_()
    with pytest.raises(rbe.GraphError, match=r"sort: .*output 1"):
        values.sum().backward()
    states, last = rbe.nn.RNN(3, 5)(rbe.randn(4, 2, 3))
    last.zero_()  # backward reads the states, not what the layer returns as the last one
    states.sum().backward()


def test_a_used_up_operation_says_so_for_every_output():
    length, angle = Polar.apply(leaf(3), leaf(3))
    length.sum().backward()
    with pytest.raises(rbe.GraphError, match="retain_graph"):
        angle.sum().backward()


def test_checkpoints_compute_all_outputs_again():
    def product(x, y):
        length, angle = Polar.apply(x, y)
        values, places = (length * angle).sort()
        return values * places.double()

    x, y = leaf(5), leaf(5)
    plain = rbe.autograd.grad(product(x, y).sum(), [x, y])
    again = rbe.autograd.grad(rbe.autograd.checkpoint(product, x, y).sum(), [x, y])
    for a, b in zip(plain, again, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_memory_goes_with_the_last_output():
    class Keeps(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.tag = Tag()
            tags.append(weakref.ref(ctx.tag))
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx, a, b):
            return a * 2.0 + b * 3.0

    class Tag:
        pass

    tags = []
    x = leaf(3)
    a, b = Keeps.apply(x)
    del a
    gc.collect()
    assert tags[0]() is not None
    del b
    gc.collect()
    assert tags[0]() is None
    a, b = Keeps.apply(x)
    (a + b).sum().backward()
    gc.collect()
    assert tags[1]() is None, "backward frees what the operation kept, though its outputs live"
    assert x.grad.tolist() == [5.0] * 3


def test_pictures_show_one_box_with_all_shapes():
    values, _ = leaf(2, 6).topk(2)
    picture = rbe.visualization.graph(values.sum())
    assert picture.count(">topk<") == 1
    assert "(2, 2), (2, 2)" in picture
    length, angle = Polar.apply(leaf(3), leaf(3))
    assert rbe.visualization.graph((length * angle).sum()).count(">Polar<") == 1


def test_profiles_count_one_operation():
    x = leaf(4, 8)
    with profile() as p:
        values, _ = x.sort()
        values.sum().backward()
    counts = {(row.name, row.phase): row.calls for row in p.rows()}
    assert counts["sort", "forward"] == counts["sort", "backward"] == 1
    assert not any(name in ("gather", "argsort") for name, _ in counts)


def test_debug_mode_sees_nan_of_every_output():
    x = rbe.tensor([0.0, 1.0], dtype=rbe.float64, requires_grad=True)
    with rbe.set_debug_mode(True):
        _, angle = Polar.apply(x, x)
        loss = angle.sum()
        with pytest.raises(rbe.NonFiniteError, match="Polar"):
            loss.backward()


def dense_gradient(shape, places, upstream, axis):
    whole = np.zeros(shape)
    np.put_along_axis(whole, places, upstream, axis)
    return whole


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_sorted_values_bring_gradients_to_their_places(axis, descending):
    x = leaf(3, 4, 5)
    values, places = x.sort(dim=axis, descending=descending)
    array, order = x.detach().numpy(), places.numpy()
    np.testing.assert_array_equal(values.detach().numpy(), np.take_along_axis(array, order, axis))
    expected = np.argsort(-array if descending else array, axis, kind="stable")
    np.testing.assert_array_equal(order, expected)
    weights = RANDOM.standard_normal(values.shape)
    (values * rbe.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), dense_gradient(x.shape, order, weights, axis))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("largest", [False, True])
def test_topk_is_the_beginning_of_the_order(axis, largest):
    x = leaf(4, 5, 6)
    values, places = x.topk(3, dim=axis, largest=largest)
    everything, order = x.sort(dim=axis, descending=largest)
    np.testing.assert_array_equal(values.detach().numpy(), everything.detach().numpy().take(range(3), axis))
    np.testing.assert_array_equal(places.numpy(), order.numpy().take(range(3), axis))
    weights = RANDOM.standard_normal(values.shape)
    (values * rbe.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), dense_gradient(x.shape, places.numpy(), weights, axis))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_along_an_axis_and_their_places_come_from_one_run(name, keepdim):
    x = leaf(3, 4)
    with profile() as p:
        values, places = getattr(x, name)(1, keepdim=keepdim)
        values.sum().backward()
    array = x.detach().numpy()
    at = getattr(np, "arg" + name)(array, 1, keepdims=True)
    np.testing.assert_array_equal(places.numpy().reshape(3, 1), at)
    np.testing.assert_array_equal(values.detach().numpy().reshape(3, 1), np.take_along_axis(array, at, 1))
    np.testing.assert_array_equal(x.grad.numpy(), dense_gradient((3, 4), at, 1.0, 1))
    assert values.shape == places.shape == ((3, 1) if keepdim else (3,))
    assert [row.calls for row in p.rows() if (row.name, row.phase) == (f"{name}_along", "forward")] == [1]


def test_equal_elements_and_nan_follow_the_order_of_numpy():
    x = rbe.tensor([[1.0, 3.0, 3.0], [np.nan, 5.0, np.nan]], requires_grad=True)
    values, places = x.max(1)
    assert places.tolist() == [1, 0]
    assert np.isnan(values.detach().numpy()[1])
    values[0].backward()
    assert x.grad.tolist()[0] == [0, 1, 0]
    for empty in (rbe.zeros(0, 3), rbe.zeros(3, 0)):
        values, places = empty.sort(0)
        assert values.shape == places.shape == empty.shape
    values, place = rbe.tensor(4.0, requires_grad=True).sort()
    assert (values.shape, place.shape, place.item()) == ((), (), 0)
    with pytest.raises(rbe.TensorError, match="max"):
        rbe.zeros(3, 0).max(1)


def test_integers_are_ordered_without_a_tape():
    x = rbe.tensor([3, 1, 2])
    assert [t.tolist() for t in x.sort()] == [[1, 2, 3], [1, 2, 0]]
    assert [t.item() for t in x.max(0)] == [3, 0]
    assert [t.tolist() for t in rbe.tensor([True, False]).topk(1)] == [[True], [0]]
    for dtype in (rbe.uint8, rbe.bool, rbe.int64):
        x = rbe.tensor([[1, 0, 1]], dtype=dtype)
        assert x.sort()[0].dtype == x.topk(2)[0].dtype == x.max(1)[0].dtype == dtype


@pytest.mark.parametrize("dims", [1, 2])
def test_max_pool_gives_values_and_places_from_one_run(dims):
    x = leaf(*(2, 3, 7, 8)[: dims + 2])
    pool = F.max_pool1d if dims == 1 else F.max_pool2d
    with profile() as p:
        values, places = pool(x, 3, stride=2, padding=1, return_indices=True)
        values.sum().backward()
    flat = x.detach().numpy().reshape(2, 3, -1)
    at = places.numpy().reshape(2, 3, -1)
    np.testing.assert_array_equal(values.detach().numpy().reshape(2, 3, -1), np.take_along_axis(flat, at, 2))
    expected = np.zeros_like(flat)
    for i, j in np.ndindex(2, 3):
        np.add.at(expected[i, j], at[i, j], 1.0)
    np.testing.assert_array_equal(x.grad.numpy().reshape(2, 3, -1), expected)
    assert [row.calls for row in p.rows() if (row.name, row.phase) == ("max_pool", "forward")] == [1]
    np.testing.assert_array_equal(values.detach().numpy(), pool(x, 3, stride=2, padding=1).detach().numpy())
    assert not places.requires_grad
    values, places = pool(x, 3, return_indices=True)
    places.zero_()
    with pytest.raises(rbe.GraphError, match="max_pool"):
        values.sum().backward()


LAYERS = {"RNN": rbe.nn.RNN, "GRU": rbe.nn.GRU, "LSTM": rbe.nn.LSTM}
PARTS = {"sequence": [0], "last state": [1], "last cells": [2], "all": [0, 1, 2]}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", LAYERS)
def test_sequences_last_states_and_cells_bring_gradients_alone_and_together(name, part, bidirectional):
    wanted = [i for i in PARTS[part] if i < 2 or name == "LSTM"]
    if not wanted:
        return
    layer = LAYERS[name](2, 3, bidirectional=bidirectional, dtype=rbe.float64)
    x = leaf(4, 2, 2)
    first = [leaf(1 + bidirectional, 2, 3) for _ in range(1 + (name == "LSTM"))]

    def run(x, *first):
        out, ends = layer(x, first if len(first) == 2 else first[0])
        listed = [out, *(ends if isinstance(ends, tuple) else (ends,))]
        return sum(((listed[i] * float(i + 1)).square().sum() for i in wanted), start=rbe.zeros((), dtype=rbe.float64))

    assert rbe.autograd.gradcheck(run, [x, *first])


def test_the_last_state_is_the_end_of_the_sequence():
    for reverse in (False, True):
        layer = rbe.nn.LSTM(3, 4, bidirectional=True)
        out, (h, _) = layer(rbe.randn(5, 2, 3))
        forward, backward = out.detach().numpy()[-1, :, :4], out.detach().numpy()[0, :, 4:]
        np.testing.assert_array_equal(h.detach().numpy()[int(reverse)], backward if reverse else forward)
