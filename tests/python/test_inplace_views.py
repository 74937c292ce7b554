"""In-place changes through views, of shared memory and of operands that overlap."""

import numpy as np
import pytest
import rbe
from in_place import RNG, agree, arrays


def test_a_change_reaches_every_name_and_view():
    x = RNG.leaf(2, 3)
    y = x * x
    z, row, flat, turned = y, y[0], y.view(-1), y.T
    before = y.tolist()
    y += 1.0
    assert z is y
    assert z.tolist() == row.reshape(1, 3).tolist() + y[1:].tolist()
    np.testing.assert_allclose(flat.tolist(), np.ravel(before) + 1.0)
    np.testing.assert_allclose(turned.tolist(), np.transpose(before) + 1.0)

    def double(t):
        t *= 2.0

    double(row)
    np.testing.assert_allclose(y.tolist(), (np.array(before) + 1.0) * [[2.0], [1.0]])
    (z.sum() + flat[0] + turned[2, 1]).backward()
    weight = np.array([[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]) + np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy() * weight)


@pytest.mark.parametrize(
    "view",
    [
        lambda h: h[0], lambda h: h[:, 1], lambda h: h[..., ::-1], lambda h: h.view(-1), lambda h: h.reshape(2, 6), lambda h: h.T,
        lambda h: h.transpose(0, 1)[1:], lambda h: h.unsqueeze(0), lambda h: h[None].squeeze(0), lambda h: h.narrow(0, 1, 2),
        lambda h: h.split(2)[1], lambda h: h.unbind(1)[3], lambda h: h.chunk(3)[0], lambda h: h.flatten()[5:9], lambda h: h.T[::2].T,
        lambda h: h[1:][0][1:3], lambda h: h.expand(3, 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("recorded", [False, True])
def test_what_is_written_through_a_view_reaches_its_base(view, recorded):
    places = view(rbe.tensor(np.arange(12.0).reshape(3, 4))).numpy().astype(int)

    def changed(x, w):
        h = x * 2.0 if recorded else x.detach() * 2.0
        other = h[1]  # a view made before the change
        part = view(h)
        part.copy_(w * w)
        part.mul_(3.0)
        return rbe.cat([h.reshape(-1), other, part.reshape(-1)])

    def plain(x, w):
        mask, spread = np.ones(12), np.zeros((w.numel(), 12))
        mask[places.ravel()] = 0.0
        spread[np.arange(w.numel()), places.ravel()] = 1.0
        h = (x if recorded else x.detach()).reshape(-1) * 2.0 * rbe.tensor(mask)
        h = h + (3.0 * (w * w).reshape(1, -1) @ rbe.tensor(spread)).reshape(-1)
        return rbe.cat([h, h[4:8], h[places.ravel()]])

    agree(changed, plain, *arrays((3, 4), places.shape))


def test_a_view_of_a_broadcast_base_adds_its_gradients():
    x, h = RNG.leaf(3), rbe.zeros(3, dtype="float64")
    wide = h.expand(2, 3)
    h[1] = x[1] * 2.0
    (wide * rbe.tensor([[1.0, 10.0, 1.0], [1.0, 100.0, 1.0]], dtype="float64")).sum().backward()
    assert x.grad.tolist() == [0.0, 220.0, 0.0]
    with pytest.raises(rbe.TensorError, match="broadcast view"):
        wide[0, 0] = 1.0


def test_a_base_that_lies_in_strides_takes_recorded_writes():
    memory = np.arange(24.0).reshape(4, 6)
    for base in (memory[:, ::2], memory.T, memory[::-1, 1:5], memory[1:2]):
        x, h = RNG.leaf(*base.shape), rbe.from_numpy(base.copy(order="K"))
        rows = h[:1]
        h[..., :2] = x[..., :2] * 3.0
        (h * rbe.tensor(np.arange(base.size, dtype=float).reshape(base.shape))).sum().backward(retain_graph=True)
        rows.sum().backward()
        want = np.zeros(base.shape)
        want[..., :2] = 3.0 * np.arange(base.size).reshape(base.shape)[..., :2]
        want[:1, :2] += 3.0
        np.testing.assert_allclose(x.grad.numpy(), want)


def test_operands_may_be_the_tensor_itself_or_a_view_of_it():
    def changed(x):
        y = x * 1.0
        y += y
        y.sub_(y.flip(0) * 0.5)
        y[:2] = y[1:]
        y.copy_(y[[2, 0, 1]])
        return y

    def plain(x):
        y = x + x
        y = y - y.flip(0) * 0.5
        y = rbe.cat([y[1:], y[2:]])
        return y[[2, 0, 1]]

    agree(changed, plain, *arrays((3,)))


def test_memory_wrapped_twice_is_one_memory():
    a = np.arange(8.0)
    one, two = rbe.from_numpy(a), rbe.from_numpy(a)
    one[1:] = two[:-1]
    assert a.tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    one[[1, 2, 3]] = two[:3]
    assert a.tolist() == [0, 0, 0, 1, 3, 4, 5, 6]
    one.copy_(two[::-1] if hasattr(two, "flip") else two)
    assert a.tolist() == [6, 5, 4, 3, 1, 0, 0, 0]


def test_what_copies_in_torch_has_memory_of_its_own():
    x = rbe.arange(6.0).reshape(2, 3)
    for copy in (
        x.flip(0), x.flip(), x[:, :1].flip(1), x.repeat(1, 1), x.repeat(1, 1, 1), x.clone(), rbe.nn.functional.pad(x, (0, 0)),
        rbe.nn.functional.pad(x, (-1, 0)), rbe.nn.functional.pad(x, ()), rbe.nn.functional.pad(x[None], (0, 0), "reflect"),
    ):  # fmt: skip
        copy += 100.0
    assert x.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    y = RNG.leaf(3)
    z = y.clone()
    z.zero_()
    assert y.grad is None
    assert y.detach().numpy().any()


def test_a_function_that_returns_its_input_returns_no_view_of_it():
    class Reverse(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, dy):
            return -dy

    x = RNG.leaf(3)
    y = x * 1.0
    z = Reverse.apply(y)
    y.mul_(2.0)
    z.sum().backward()
    assert x.grad.tolist() == [-1.0, -1.0, -1.0]
