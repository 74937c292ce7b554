"""Options of backward and grad, where gradients are added, and operations of several results."""

import numpy as np
import pytest
import rbe
from rbe import nn

RETAIN = {"retain_graph": True}


def leaves(*values):
    return [rbe.tensor(v, dtype="float64", requires_grad=True) for v in values]


def methods():
    """Return the two ways to call backward on one tensor."""
    return (lambda y, **k: y.backward(**k)), (lambda y, **k: rbe.autograd.backward(y, **k))


@pytest.mark.parametrize("backward", methods(), ids=["method", "function"])
def test_inputs_alone_receive_gradients(backward):
    x, w, unused = leaves([3.0], [5.0], [1.0])
    calls = []
    for name, t in (("x", x), ("w", w)):
        t.register_hook(lambda g, name=name: calls.append(name))
    h = x * x
    y = (h * w).sum()
    backward(y, inputs=[x], **RETAIN)
    assert (x.grad.item(), w.grad, h.grad) == (30.0, None, None)
    backward(y, inputs=h, **RETAIN)
    assert (h.grad.item(), x.grad.item()) == (5.0, 30.0)
    backward(y, inputs=(t for t in (x, x, w)), **RETAIN)
    assert (x.grad.item(), w.grad.item(), h.grad.item()) == (60.0, 9.0, 5.0)
    backward(y, inputs=[unused], **RETAIN)
    assert unused.grad is None
    assert sorted(calls) == ["w", "x", "x"]
    # What lies beside the way to the inputs is not run, so it may be freed.
    backward(y, inputs=[w])
    h.sum().backward()
    assert x.grad.item() == 66.0


@pytest.mark.parametrize("backward", methods(), ids=["method", "function"])
def test_options_that_do_not_exist_here_are_refused(backward):
    (x,) = leaves([3.0])
    y = (x * x).sum()
    for error, options in (
        (rbe.GraphError, {"create_graph": True}),
        (rbe.GraphError, {"inputs": []}),
        (rbe.GraphError, {"inputs": [rbe.ones(1)]}),
        (rbe.DTypeError, {"inputs": 3}),
        (rbe.DTypeError, {"inputs": [np.ones(1)]}),
    ):
        with pytest.raises(error, match="backward"):
            backward(y, **options)
    assert x.grad is None
    backward(y, create_graph=False, retain_graph=None)
    assert x.grad.item() == 6.0


def test_grad_takes_torchs_options():
    x, unused = leaves([3.0], [1.0, 2.0])
    y = (x * x).sum()
    grad = rbe.autograd.grad
    assert grad(y, [x, unused], allow_unused=True, **RETAIN)[1] is None
    dx, zeros = grad(y, (t for t in (x, unused)), materialize_grads=True, **RETAIN)
    assert (dx.item(), zeros.tolist(), zeros.dtype) == (6.0, [0.0, 0.0], rbe.float64)
    for options in ({"create_graph": True}, {"only_inputs": False}, {"is_grads_batched": True}):
        with pytest.raises(rbe.GraphError, match="grad"):
            grad(y, x, **options)
    with pytest.raises(rbe.GraphError, match="allow_unused"):
        grad(y, x, allow_unused=False, materialize_grads=True)
    with pytest.raises(rbe.DTypeError, match="inputs"):
        grad(y, [x, 3.0])
    with pytest.raises(rbe.GraphError, match="1 grad_outputs"):
        grad(y, x, [rbe.ones(()), rbe.ones(())])
    layer = rbe.RBELinear(64, 2)
    with pytest.raises(rbe.GraphError, match="packed"):
        grad(y, [x, layer.weight], materialize_grads=True, **RETAIN)


def test_a_gradient_that_is_held_sees_what_is_added():
    x, y = leaves([1.0, 2.0], [3.0, 4.0])
    (x + y).sum().backward()
    held, version = x.grad, x.grad._version
    (x * y).sum().backward()
    assert held.tolist() == [4.0, 5.0]
    assert held._version > version
    assert y.grad.tolist() == [2.0, 3.0]
    given = rbe.full((2,), 5.0, dtype="float64")
    x.grad = given
    (x * 2.0).sum().backward()
    assert given.tolist() == [7.0, 7.0]
    # A gradient without a place in memory for every element is left as it is.
    wide = rbe.full((1,), 5.0, dtype="float64").expand(2)
    x.grad = wide
    (x * y).sum().backward()
    assert (wide.tolist(), x.grad.tolist()) == ([5.0, 5.0], [8.0, 9.0])
    x.grad = None
    (x * y).sum().backward()
    (x + 0.0).backward(x.grad)
    assert x.grad.tolist() == [6.0, 8.0]


class Halves(rbe.autograd.Function):
    """Both halves of a vector; counts its runs."""

    seen: list

    @staticmethod
    def forward(ctx, x):
        ctx.n = x.shape[0] // 2
        return x[: ctx.n] * 1.0, x[ctx.n :] * 1.0

    @staticmethod
    def backward(ctx, first, second):
        Halves.seen.append((first.tolist(), second.tolist()))
        return rbe.cat([first, second])


def test_an_operation_of_several_results_runs_once_whatever_is_used_of_it():
    (x,) = leaves([1.0, 2.0, 3.0, 4.0])
    for use, seen in (
        (lambda a, b: a.sum() + (b * b).sum(), [1.0, 1.0, 6.0, 8.0]),
        (lambda a, b: (b * b).sum(), [0.0, 0.0, 6.0, 8.0]),
        (lambda a, b: (a * a * b).sum() + (a.exp() * 0.0).sum(), [6.0, 16.0, 1.0, 4.0]),
        (lambda a, b: a.sum(), [1.0, 1.0, 0.0, 0.0]),
    ):
        Halves.seen, x.grad = [], None
        a, b = Halves.apply(x)
        loss = use(a, b)
        loss.backward(retain_graph=True)
        assert x.grad.tolist() == seen
        loss.backward()
        assert x.grad.tolist() == [2.0 * v for v in seen]
        assert Halves.seen == [(seen[:2], seen[2:])] * 2
    a, b = Halves.apply(x)
    (da,) = rbe.autograd.grad((a * b).sum(), a)
    assert da.tolist() == [3.0, 4.0]


def test_a_pass_that_was_broken_off_leaves_nothing_to_the_next():
    (x,) = leaves([1.0, 2.0, 3.0, 4.0])
    Halves.seen = []
    a, b = Halves.apply(x)

    def fail(g):
        raise KeyError("in the middle")

    joint = (b * 1.0).sum() + a.sum()
    handle = a.register_hook(fail)
    with pytest.raises(KeyError):
        joint.backward(retain_graph=True)
    handle.remove()
    a.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_what_backward_needs_goes_when_the_tape_is_freed():
    class Big(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x * 2.0)
            return x * 1.0

        @staticmethod
        def backward(ctx, dy):
            return dy * ctx.saved_tensors[0]

    x = rbe.ones(1 << 16).requires_grad_()
    losses, held = [], []
    for _ in range(4):
        losses.append(Big.apply(x).sum())
        losses[-1].backward()
        held.append(rbe.memory.pool_stats()["in_use_bytes"])
    assert held[3] - held[1] < x.nbytes // 100  # the losses themselves


def test_results_may_come_without_gradients_as_none():
    class Two(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1.0, x * 2.0

        @staticmethod
        def backward(ctx, first, second):
            assert first is None
            return second * 2.0

    (x,) = leaves([1.0])
    Two.apply(x)[1].backward()
    assert x.grad.item() == 2.0


def test_saved_values_must_be_tensors():
    class Wrong(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, True)
            return x * 1.0

    with pytest.raises(rbe.DTypeError, match="save_for_backward"):
        Wrong.apply(leaves([1.0])[0])


# ---------------------------------------------------------------- full backward hooks of modules


class Pick(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(rbe.tensor([2.0], dtype="float64"))

    def forward(self, *args):
        return self.function(self, *args)


def watched(function):
    module, seen = Pick(function), []

    def hook(m, grad_input, grad_output):
        listed = [tuple(None if g is None else g.tolist() for g in gs) for gs in (grad_input, grad_output)]
        seen.append(tuple(listed))

    module.register_full_backward_hook(hook)
    return module, seen


CASES = {
    "both inputs": (lambda m, a, b: a * b, lambda y: y.sum(), [(([5.0], [3.0]), ([1.0],))]),
    "an unused input": (lambda m, a, b: a * 2.0, lambda y: y.sum(), [(([2.0], None), ([1.0],))]),
    "no input used": (lambda m, a, b: m.weight * 3.0, lambda y: y.sum(), [((None, None), ([1.0],))]),
    "an input passed through": (lambda m, a, b: b, lambda y: (y * 2.0).sum(), [((None, [2.0]), ([2.0],))]),
    "two results": (lambda m, a, b: (a * b, b * 2.0), lambda y: (y[0] + y[1]).sum(), [(([5.0], [5.0]), ([1.0], [1.0]))]),
    "one of two results": (lambda m, a, b: (a * b, m.weight * 1.0), lambda y: y[0].sum(), [(([5.0], [3.0]), ([1.0], None))]),
    "a result of the parameters alone": (
        lambda m, a, b: [m.weight * a, m.weight * 1.0, 7],
        lambda y: (y[0] + y[1]).sum(),
        [(([2.0], None), ([1.0], [1.0], None))],
    ),
    "not used": (lambda m, a, b: a * b, lambda y: rbe.ones(1, requires_grad=True).sum(), []),
}


@pytest.mark.parametrize("name", CASES)
def test_full_backward_hooks_run_once(name):
    function, loss, wanted = CASES[name]
    module, seen = watched(function)
    a, b = leaves([3.0], [5.0])
    plain = [rbe.autograd.grad(loss(function(module, a, b)), t, allow_unused=True)[0] for t in (a, b, module.weight)]
    for _ in range(2):
        seen.clear()
        for t in (a, b, module.weight):
            t.grad = None
        loss(module(a, b)).backward()
        assert seen == wanted
        for t, g in zip((a, b, module.weight), plain, strict=True):
            assert (t.grad is None and (g is None or g.item() == 0.0)) or t.grad.item() == g.item()


def test_full_backward_hooks_see_gradients_that_a_rule_does_not_give():
    silent = rbe.register_operation("silent", lambda x: x * 2.0, lambda dy, y, x: None)
    module, seen = watched(lambda m, a: silent(a) + m.weight)
    module(leaves([3.0])[0]).sum().backward()
    assert seen == [((None,), ([1.0],))]


def test_full_backward_hooks_without_tracked_inputs_and_with_deep_inputs():
    module, seen = watched(lambda m, a: (m.weight * a, m.weight * 2.0))
    y, z = module(rbe.tensor([3.0], dtype="float64"))
    (y + z).sum().backward()
    assert seen == [((None,), ([1.0], [1.0]))]
    # The input is far from its leaf, the second result near to one.
    module, seen = watched(lambda m, a: (a * 1.0, m.weight * 2.0))
    (x,) = leaves([3.0])
    deep = x
    for _ in range(20):
        deep = deep * 1.0
    y, z = module(deep)
    (y + z).sum().backward()
    assert seen == [(([1.0],), ([1.0], [1.0]))]


def test_full_backward_hooks_replace_gradients():
    a, b = leaves([3.0], [5.0])
    module, _ = watched(lambda m, a, b: a * b)
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10.0, None))
    module(a, b).sum().backward()
    assert (a.grad.item(), b.grad) == (50.0, None)
    module.register_full_backward_hook(lambda m, gi, go: (gi[0],))
    with pytest.raises(rbe.GraphError, match="2 inputs"):
        module(a, b).sum().backward()
    with pytest.raises(rbe.DTypeError, match="dict"):
        watched(lambda m, a: {"a": a})[0](a)


# ---------------------------------------------------------------- checkpoints


def block():
    rbe.manual_seed(3)
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3), nn.BatchNorm1d(3, momentum=None)
    )


def checkpoints():
    graph = rbe.ComputationGraph
    return {
        "function": rbe.autograd.checkpoint,
        "graph": lambda f, x: graph().register_operation("f", f).enable_checkpointing("every", every=1).execute(x),
        "nested": lambda f, x: rbe.autograd.checkpoint(lambda v: rbe.autograd.checkpoint(f, v * 1.0), x),
    }


@pytest.mark.parametrize("name", checkpoints())
def test_checkpointed_modules_end_as_plain_ones(name):
    run = checkpoints()[name]
    x = rbe.randn(8, 4).requires_grad_()
    found = []
    for call in (lambda f, x: f(x), run):
        model, x.grad = block(), None
        for _ in range(2):
            call(model, x).square().sum().backward()
        state = {name: t.tolist() for name, t in model.state_dict().items()}
        grads = [p.grad.tolist() for p in model.parameters()]
        found.append((state, grads, x.grad.tolist(), rbe.rand(1).item()))
    assert found[0][0] == found[1][0]
    assert found[0][3] == found[1][3]
    for ours, theirs in zip([*found[1][1], found[1][2]], [*found[0][1], found[0][2]], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert block()[1].num_batches_tracked.item() == 0


def test_recomputation_can_be_asked_for():
    runs = []

    def function(x):
        runs.append(rbe.autograd.is_recomputing())
        return x.exp()

    (x,) = leaves([1.0])
    rbe.autograd.checkpoint(function, x).backward()
    function(x)
    assert runs == [False, True, False]

    def broken(x):
        if rbe.autograd.is_recomputing():
            raise KeyError("again")
        return x.exp()

    with pytest.raises(KeyError):
        rbe.autograd.checkpoint(broken, x).backward()
    assert not rbe.autograd.is_recomputing()


def test_a_checkpointed_function_must_return_a_tensor():
    (x,) = leaves([1.0])
    for call in (rbe.autograd.checkpoint, lambda f, x: rbe.autograd.gradcheck(f, [x])):
        with pytest.raises(rbe.DTypeError, match="returns a tensor, got tuple"):
            call(lambda x: (x, x), x)
