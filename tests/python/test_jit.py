"""Captured functions: same results, fewer passes over memory, and refusal of what cannot be captured."""

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.jit import script
from rbe.profiler import profile

RNG = np.random.default_rng(0)


def normal(*shape, dtype="float64"):
    return rbe.tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


def gelu(x):
    return 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x * x * x)).tanh())


FUNCTIONS = {
    "gelu": (gelu, [(40, 70)]),
    "gate": (lambda x, y: x.sigmoid() * y.tanh() - (x * y).relu(), [(3000,), (3000,)]),
    "row": (lambda x, y: ((x + y) * 2.0).exp().log1p(), [(7, 300), (300,)]),
    "number": (lambda x, y: (x * y + y).sin(), [(50, 60), ()]),
    "linear": (lambda x, w, b: (x @ w + b).tanh().square().sum(0), [(9, 8), (8, 7), (7,)]),
    "shared": (lambda x: (x.exp(), x.exp().sqrt() + x), [(20, 20)]),
    "twice": (lambda x: [(y := x.tanh()) * y + y, y.sum()], [(5000,)]),
    "clamp": (lambda x: x.clamp(-0.5, 0.5).abs().pow(3.0).maximum(x * 0.1), [(11, 13)]),
    "softmax": (lambda x: (x * 0.5).softmax(1).log() + 1.0, [(6, 9)]),
    "empty": (lambda x: x.exp() * 2.0, [(0, 3)]),
}


def listed(result):
    return list(result) if isinstance(result, tuple | list) else [result]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_gradients_are_those_of_the_function(name, dtype):
    function, shapes = FUNCTIONS[name]
    scripted = script(function)
    scripted(*(normal(*s, dtype=dtype) for s in shapes))  # captured on other values
    args = [normal(*s, dtype=dtype) for s in shapes]
    grads = []
    for f in (function, scripted):
        outputs = listed(f(*args))
        sum(((t * t).sum() for t in outputs), rbe.zeros((), dtype=dtype)).backward()
        grads.append([a.grad.numpy() for a in args])
        for a in args:
            a.grad = None
    assert type(scripted(*args)) is type(function(*args))
    for ours, theirs in zip(listed(scripted(*args)), listed(function(*args)), strict=True):
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    rtol = 1e-12 if dtype == "float64" else 1e-4
    for ours, theirs in zip(*grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


def test_chains_become_one_operation_and_one_pass():
    scripted = script(gelu)
    x = normal(500, 100, dtype="float32").detach()
    assert len(scripted.operations(x)) == 1
    assert scripted.operations(x)[0].startswith("fused(")
    counts = []
    for f in (gelu, scripted):
        with profile() as p:
            f(x)
        counts.append((len(p.events), sum(e.bytes for e in p.events)))
    (plain, plain_bytes), (fused, fused_bytes) = counts
    assert (fused, fused_bytes) == (1, x.nbytes)
    assert plain >= 8
    assert plain_bytes >= 8 * x.nbytes


def test_gradients_of_captured_functions_check():
    scripted = script(gelu)
    assert rbe.autograd.gradcheck(scripted, [normal(3, 4)])
    two = script(lambda x, y: (x * y).tanh() + y.square() * x)
    assert rbe.autograd.gradcheck(two, [normal(3, 4), normal(4)])


def test_modules_follow_their_parameters_and_their_mode():
    rbe.manual_seed(0)
    model = nn.Sequential(nn.RBELinear(64, 32), nn.LayerNorm(32), nn.GELU(), nn.Dropout(0.5), nn.Linear(32, 5))
    scripted = script(model)
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    x, y = rbe.randn(16, 64), rbe.randint(0, 5, (16,))
    losses = []
    for f in (scripted, model, scripted):
        rbe.manual_seed(1)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(f(x), y)
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == losses[1] == losses[2]
    optimizer.step()
    model.eval()
    assert rbe.equal(scripted(x), model(x))
    assert rbe.equal(scripted(x[:3]), model(x[:3]))
    model[4].bias.detach().fill_(7.0)
    assert rbe.equal(scripted(x), model(x))


def test_other_arguments_are_part_of_the_kind():
    scripted = script(lambda x, times, negate: -(x * times).exp() if negate else (x * times).exp())
    x = normal(4)
    for times, negate in ((2.0, True), (3.0, True), (2.0, False), (2.0, True)):
        want = np.exp(x.detach().numpy() * times) * (-1 if negate else 1)
        np.testing.assert_allclose(scripted(x, times, negate).detach().numpy(), want, rtol=1e-12)


def test_it_is_a_computation_graph():
    scripted = script(gelu)
    x = normal(30)
    graph = scripted.graph(x).enable_checkpointing("every", every=1)
    assert rbe.equal(graph.execute(x), gelu(x))


OUTSIDE = rbe.zeros(2)
custom = rbe.register_operation("custom", lambda x: x * 2.0, lambda dy, y, x: dy * 2.0)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda x: x * x.sum().item(), "item"),
        (lambda x: x if x.sum() > 0 else -x, "values"),
        (lambda x: x * (x > 0), "other means"),
        (lambda x: x * x.detach().numpy().sum(), "numpy"),
        (lambda x: x + rbe.tensor([1.0, 2.0]), "other means"),
        (custom, "custom"),
        (lambda x: rbe.autograd.checkpoint(lambda x: x.exp(), x), "checkpoint"),
        (lambda x: x.detach().clone().add_(1.0), "other means"),
        (lambda x: OUTSIDE.copy_(x), "its own"),
        (lambda x: x[rbe.tensor([1, 0])], "index"),
        (lambda x: x.index_select(0, x.argsort()), "index"),
        (lambda x: script(gelu)(x), "inside another"),
        (lambda x: nn.BatchNorm1d(1)(x.reshape(2, 1)), "values"),
    ],
)
def test_what_cannot_be_captured_is_refused(function, what):
    with pytest.raises(rbe.GraphError, match=what):
        script(function)(rbe.tensor([1.0, -2.0], requires_grad=True))
    assert rbe.tensor([1.5]).item() == 1.5  # the capture is over


def test_indices_are_captured_from_outside_only():
    x, places = normal(5), rbe.tensor([4, 0])
    scripted = script(lambda x: x[places] * 2.0)
    scripted(x)
    np.testing.assert_array_equal(scripted(x).detach().numpy(), x.detach().numpy()[[4, 0]] * 2)
    with pytest.raises(rbe.GraphError, match="index"):
        script(lambda x, i: x[i])(x, places)
    gather = script(lambda x, i: x.gather(0, i))  # an operand, not an attribute
    gather(x, places)
    np.testing.assert_array_equal(gather(x, rbe.tensor([1, 2])).detach().numpy(), x.detach().numpy()[[1, 2]])


def test_results_must_be_tensors():
    with pytest.raises(rbe.DTypeError, match="dict"):
        script(lambda x: {"a": x})(rbe.ones(2))


def test_results_do_not_depend_on_threads():
    x, results = normal(300, 301, dtype="float32"), []
    for threads in (1, 2, 4):
        rbe.set_num_threads(threads)
        scripted = script(gelu)
        scripted(x)
        y = scripted(x)
        x.grad = None
        y.square().sum().backward()
        results.append((y.detach().numpy().tobytes(), x.grad.numpy().tobytes()))
    assert len(set(results)) == 1


def test_changes_in_place_of_what_the_function_makes_are_captured():
    def f(x, w):
        y = x * 2.0
        row, total = y[0], y.sum()
        y += w
        y[1] = row + w[1]
        y[:, ::2] = w[:, :2] * 3.0
        row.mul_(2.0)
        return y * row + total

    scripted = script(f)
    x, w = normal(3, 3), normal(3, 3)
    scripted(x, w)
    for _ in range(2):
        grads = []
        for function in (f, scripted):
            x, w = (t.detach().requires_grad_() for t in (x * 1.5, w - 0.5))
            function(x, w).square().sum().backward()
            grads.append((x.grad.tolist(), w.grad.tolist()))
            x, w = x.detach() / 1.5, w.detach() + 0.5
        np.testing.assert_allclose(grads[0], grads[1], rtol=1e-4)
