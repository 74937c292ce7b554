"""User-defined operations, modes and hooks, as torch's users know them."""

import gc
import threading
import weakref

import numpy as np
import pytest
import rbe


class Parts(rbe.autograd.Function):
    """Several outputs of several shapes, one of which has no gradient."""

    @staticmethod
    def forward(ctx, x, scale):
        order = x.argmax()
        ctx.save_for_backward(x, None)
        ctx.scale = scale
        return x * scale, (x * x).sum(), order

    @staticmethod
    def backward(ctx, d_scaled, d_squares, d_order):
        x, nothing = ctx.saved_tensors
        assert nothing is None
        assert d_order.tolist() == 0
        return d_scaled * ctx.scale + d_squares * 2.0 * x, None


def test_functions_may_have_several_outputs():
    x = rbe.tensor([[1.0, -2.0, 3.0]], dtype=rbe.float64, requires_grad=True)
    scaled, squares, order = Parts.apply(x, 4.0)
    assert (scaled.shape, squares.shape, order.item()) == ((1, 3), (), 2)
    assert not order.requires_grad
    assert rbe.autograd.gradcheck(lambda x: Parts.apply(x, 4.0)[0] * Parts.apply(x, 3.0)[1], [x])
    (scaled.sum() + squares).backward()
    assert x.grad.tolist() == [[6, 0, 10]]
    x.grad = None
    Parts.apply(x, 4.0)[1].backward()
    assert x.grad.tolist() == [[2, -4, 6]]
    with rbe.no_grad():
        assert not Parts.apply(x, 4.0)[0].requires_grad


def test_outputs_of_two_types_keep_them():
    class Both(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0, x.double()

        @staticmethod
        def backward(ctx, a, b):
            assert (a.dtype, b.dtype) == (rbe.float32, rbe.float64)
            return a * 2.0 + b.float()

    x = rbe.ones(2, requires_grad=True)
    a, b = Both.apply(x)
    assert (a.dtype, b.dtype) == (rbe.float32, rbe.float64)
    (a.sum() + b.sum()).backward()
    assert x.grad.tolist() == [3, 3]


def test_marked_outputs_have_no_gradient():
    class Mask(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            mask = (x > 0).float()
            ctx.mark_non_differentiable(mask)
            return x * mask, mask

        @staticmethod
        def backward(ctx, dy, _):
            return dy

    y, mask = Mask.apply(rbe.tensor([1.0, -1.0], requires_grad=True))
    assert y.requires_grad
    assert not mask.requires_grad


def test_functions_know_which_inputs_want_gradients():
    seen = []

    class Mul(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            seen.append(ctx.needs_input_grad)
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, dy):
            a, b = ctx.saved_tensors
            return dy * b, dy * a if ctx.needs_input_grad[1] else None

    x = rbe.ones(2, requires_grad=True)
    Mul.apply(x, rbe.full((2,), 3.0)).sum().backward()
    assert seen == [(True, False)]
    assert x.grad.tolist() == [3, 3]


def test_wrong_gradients_of_functions_are_named():
    def make(result):
        class Wrong(rbe.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1.0

            @staticmethod
            def backward(ctx, dy):
                return result

        return Wrong.apply(rbe.ones(2, requires_grad=True)).sum()

    with pytest.raises(rbe.GraphError, match="Wrong: expected 1 gradients from backward, got 2"):
        make((None, None)).backward()
    with pytest.raises(rbe.ShapeError, match="Wrong"):
        make(rbe.ones(3)).backward()
    with pytest.raises(rbe.DTypeError):
        make("text").backward()
    make(None).backward()


def test_errors_of_functions_arrive_unchanged():
    class Own(Exception):
        pass

    class Bad(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, dy):
            raise Own("from backward")

    x = rbe.ones(2, requires_grad=True)
    with pytest.raises(Own, match="from backward"):
        Bad.apply(x).sum().backward()
    assert x.grad is None
    with pytest.raises(ZeroDivisionError):
        rbe.register_operation("bad", lambda x: 1 / 0, lambda dy, y, x: dy)(x)


def test_set_grad_enabled_decorates():
    x = rbe.ones(1, requires_grad=True)

    @rbe.set_grad_enabled(False)
    def f():
        return x * 2.0

    assert rbe.is_grad_enabled()
    assert not f().requires_grad
    assert (x * 2.0).requires_grad
    rbe.set_grad_enabled(False)
    assert not rbe.is_grad_enabled()
    rbe.set_grad_enabled(True)


def test_modes_end_with_their_block_even_by_an_error():
    with pytest.raises(KeyError), rbe.no_grad():
        raise KeyError
    assert rbe.is_grad_enabled()
    mode = rbe.no_grad()
    with mode, mode:
        assert not rbe.is_grad_enabled()
    assert rbe.is_grad_enabled()


def test_every_thread_has_its_own_mode():
    seen = []
    with rbe.no_grad():
        thread = threading.Thread(target=lambda: seen.append(rbe.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_may_run_backward_at_once():
    w = rbe.ones(64, 64, requires_grad=True)
    errors = []

    def run():
        try:
            for _ in range(5):
                (rbe.ones(8, 64) @ w).sum().backward()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    np.testing.assert_array_equal(w.grad.numpy(), np.full((64, 64), 160.0))


def test_hooks_are_checked():
    x = rbe.ones(2, requires_grad=True)
    with pytest.raises(rbe.DTypeError, match="register_hook"):
        x.register_hook(3)
    with pytest.raises(rbe.GraphError, match="requires grad"):
        rbe.ones(2).register_hook(print)
    for result, error in ((rbe.ones(5), rbe.ShapeError), ("text", rbe.DTypeError)):
        y = x * 2.0
        y.register_hook(lambda g, result=result: result)
        with pytest.raises(error):
            y.sum().backward()
    assert x.grad is None


def test_hooks_run_in_order_and_see_what_the_last_returned():
    x = rbe.ones(1, requires_grad=True)
    seen = []
    x.register_hook(lambda g: (seen.append(g.item()), g * 2.0)[1])
    second = x.register_hook(lambda g: seen.append(g.item()))
    (x * 3.0).backward()
    assert seen == [3, 6]
    assert x.grad.item() == 6
    second.remove()
    second.remove()
    (x * 3.0).backward()
    assert seen == [3, 6, 3]


def test_graphs_end_with_their_tensors():
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    x = rbe.ones(2, requires_grad=True)
    op = rbe.register_operation("hold", lambda x: x * 1.0, lambda dy, y, x, held=held: dy)
    y = op(x) * 2.0
    y.sum().backward()
    del held, op, y
    gc.collect()
    assert gone() is None


def test_grad_of_intermediates_and_several_roots():
    x = rbe.tensor([2.0], requires_grad=True)
    h = x * 3.0
    y, z = h * h, h * 5.0
    dh, dx = rbe.autograd.grad([y, z], [h, x], [rbe.ones(1), rbe.full((1,), 2.0)], retain_graph=True)
    assert (dh.item(), dx.item()) == (22, 66)
    rbe.autograd.backward([y, z])
    assert x.grad.item() == 3 * (12 + 5)


def test_detach_cuts_and_shares():
    x = rbe.tensor([2.0], requires_grad=True)
    h = x * 3.0
    cut = h.detach()
    assert cut.is_leaf
    assert np.shares_memory(cut.numpy(), h.detach().numpy())
    (h * cut).backward()
    assert x.grad.item() == 18
    assert x.clone().requires_grad
    assert not x.clone().is_leaf


def test_gradcheck_says_what_is_off():
    x = rbe.tensor([1.0, 2.0], dtype=rbe.float64, requires_grad=True)
    wrong = rbe.register_operation("off", lambda x: x * x, lambda dy, y, x: dy * x)
    with pytest.raises(rbe.TensorError, match="gradcheck"):
        rbe.autograd.gradcheck(wrong, x)
    with pytest.raises(rbe.DTypeError, match="float64"):
        rbe.autograd.gradcheck(lambda x: x * 2.0, [rbe.ones(2, requires_grad=True)])
    assert rbe.autograd.gradcheck(lambda x, y: x * y, (x, rbe.tensor([3.0, 4.0])))
