"""Scripted functions: what they return, change and differentiate is what the function alone does; only the passes are fewer."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.jit import Scripted, script
from rbe.profiler import profile
from scripted import FUNCTIONS, RNG, F, Scale, assert_same, gate, gelu, loss_of, pair


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_gradients_are_those_of_the_function(name, dtype):
    function, shapes = FUNCTIONS[name]
    scripted = script(function)
    scripted(*(RNG.leaf(*s, dtype=dtype) for s in shapes))
    args = [RNG.leaf(*s, dtype=dtype) for s in shapes]
    grads = []
    for f in (function, scripted):
        loss_of(f(*args)).backward()
        grads.append([a.grad.numpy() for a in args])
        for a in args:
            a.grad = None
    assert_same(scripted(*args), function(*args))
    rtol = 1e-12 if dtype == "float64" else 1e-4
    for ours, theirs in zip(*grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


def test_chains_become_one_operation_and_one_pass():
    scripted = script(gelu)
    x = RNG.leaf(500, 100, dtype="float32").detach()
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


def test_what_is_joined():
    x, w = RNG.leaf(6, 5), RNG.leaf(5, 4)

    def named(x):
        first = x * 2.0
        second = first.tanh()
        return first * second + first

    cases = {
        # Variables of a function that has returned hold nothing.
        "fused(mul, tanh, mul, add)": (named, [x]),
        "matmul, fused(add, relu), sum": (lambda x, w: (x @ w + 1.0).relu().sum(), [x, w]),
        "fused(mul, add), mul": (lambda x: (x[:1] * 1.0, x * 2.0 + 1.0), [x]),
        "exp, fused(mul, add)": (lambda x: (y := x.exp(), y * 2.0 + 1.0), [x]),  # y is asked for
        "mul, fused(add, exp)": (lambda x: ((x[0] * 2.0) + x).exp(), [x]),  # of another shape
        "": (lambda x: x.exp() and None, [rbe.zeros(1)]),
    }
    for operations, (function, args) in list(cases.items())[:-1]:
        ran = [
            name
            for name in script(function).operations(*args)
            if name not in ("slice", "index", "narrow", "reshape", "squeeze", "view")
        ]
        assert sorted(ran) == sorted(operations.split(", ") if "(" not in operations else split(operations)), operations


def split(text):
    """Split at commas outside brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def test_nothing_is_computed_that_nobody_asks_for():
    ran = script(lambda x: [x.exp() for _ in range(3)] and x * 2.0).operations(RNG.leaf(4))
    assert ran == ["mul"]


def test_gradients_of_scripted_functions_check():
    scripted = script(gelu)
    assert rbe.autograd.gradcheck(scripted, [RNG.leaf(3, 4)])
    two = script(lambda x, y: (x * y).tanh() + y.square() * x)
    assert rbe.autograd.gradcheck(two, [RNG.leaf(3, 4), RNG.leaf(4)])


def test_results_do_not_depend_on_threads():
    x, results = RNG.leaf(300, 301, dtype="float32"), []
    for threads in (1, 2, 4):
        rbe.set_num_threads(threads)
        y = script(gelu)(x)
        x.grad = None
        y.square().sum().backward()
        results.append((y.detach().numpy().tobytes(), x.grad.numpy().tobytes()))
    assert len(set(results)) == 1


@pytest.mark.parametrize("length", [10, 63, 64, 65, 1000])
def test_long_chains_are_cut(length):
    def chain(x):
        for i in range(length):
            x = x + 1.0 if i % 2 else x * 1.001
        return x

    x = RNG.leaf(30)
    assert_same(script(chain)(x), chain(x))
    assert len(script(chain).operations(x)) <= 2 + length // 32
    (ours,), (theirs,) = (rbe.autograd.grad(f(x).sum(), x) for f in (script(chain), chain))
    assert_same(ours, theirs, rtol=1e-12)

    def squares(x):
        for _ in range(length):
            x = x * x * 0.999 + 0.001
        return x

    start = rbe.rand(30, dtype="float64")
    assert_same(script(squares)(start), squares(start))


def test_modules_as_they_are_at_each_call():
    module = Scale()
    scripted, x = script(module), pair()

    def replace():
        module.weight = nn.Parameter(rbe.tensor([5.0, 7.0], dtype="float64"))

    changes = [
        lambda: None, replace, lambda: module.weight.data.fill_(3.0), lambda: setattr(module, "factor", 3), module.eval, module.train,
        lambda: module.steps.append(2.0), lambda: setattr(module, "shift", rbe.tensor([4.0, 4.0], dtype="float64")),
        lambda: module.weight.requires_grad_(False), lambda: module.register_forward_hook(lambda m, a, y: y * 2.0),
        lambda: setattr(module, "forward", lambda x: x * 0.5),
    ]  # fmt: skip
    for change in changes:
        change()
        assert_same(scripted(x), module(x))
        grads = []
        for f in (module, scripted):
            x.grad = module.weight.grad = None
            f(x).sum().backward()
            grads.append([g for g in (x.grad, module.weight.grad) if g is not None])
        assert_same(grads[1], grads[0], rtol=1e-12)


def test_models_train_as_without():
    def train(wrap):
        rbe.manual_seed(0)
        model = nn.Sequential(
            nn.RBELinear(64, 32), nn.BatchNorm1d(32), nn.GELU(), nn.Dropout(0.5), nn.LayerNorm(32), nn.SiLU(), nn.Linear(32, 5)
        )
        optimizer = rbe.optim.HybridOptimizer(model.parameters())
        f, losses = wrap(model), []
        for _ in range(4):
            x, y = rbe.randn(16, 64), rbe.randint(0, 5, (16,))
            optimizer.zero_grad()
            loss = F.cross_entropy(f(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        return losses, f(rbe.ones(3, 64)).tolist(), model[1].num_batches_tracked.item()

    (losses, y, batches), (script_losses, script_y, script_batches) = train(lambda m: m), train(script)
    np.testing.assert_allclose(script_losses, losses, rtol=1e-4)
    np.testing.assert_allclose(script_y, y, rtol=1e-3, atol=1e-4)
    assert batches == script_batches == 4


def test_nothing_of_a_call_is_kept():
    class Payload:
        pass

    scripted = script(lambda pair, payload: pair[0] + pair[1])
    scripted((rbe.ones(3), rbe.ones(3)), Payload())
    alive = []
    for _ in range(5):
        payload = Payload()
        alive.append(weakref.ref(payload))
        scripted((rbe.ones(3), rbe.ones(3)), payload)
        del payload
    gc.collect()
    assert [r() for r in alive] == [None] * 5
    before = rbe.memory.pool_stats()["in_use_bytes"]
    for i in range(20):
        scripted((rbe.ones(10_000 + i), rbe.ones(10_000 + i)), float("nan"))
    assert rbe.memory.pool_stats()["in_use_bytes"] == before


def test_errors_come_where_they_do_without():
    kept = []

    def function(x):
        kept.append(x * 2.0)
        return kept[-1] + rbe.ones(3)

    with pytest.raises(rbe.ShapeError) as ours:
        script(function)(rbe.ones(2))
    with pytest.raises(rbe.ShapeError) as theirs:
        function(rbe.ones(2))
    assert str(ours.value) == str(theirs.value)
    assert [t.tolist() for t in kept] == [[2.0, 2.0]] * 2
    with pytest.raises(KeyError):
        script(lambda x: {}[x])(rbe.ones(2))
    y = rbe.ones(2) * 2.0  # the function is over
    assert script(lambda: None).operations() == []
    assert y.tolist() == [2.0, 2.0]
    with pytest.raises(rbe.DTypeError, match="int"):
        script(3)


def test_scripted_functions_nest_and_recur():
    inner = script(lambda x: (x * 2.0).tanh())

    def outer(x, depth=2):
        y = inner(x + 1.0) * 3.0
        return scripted(y, depth - 1) + y if depth else y

    scripted = script(outer)
    x = RNG.leaf(5)
    plain = lambda x, depth=2: (lambda y: plain(y, depth - 1) + y if depth else y)((x + 1.0).mul(2.0).tanh() * 3.0)  # noqa: E731
    assert_same(scripted(x), plain(x))
    assert script(lambda x: inner(inner(x))).operations(x) == ["fused(mul, tanh, mul, tanh)"]
    graph = script(gelu).graph(x).enable_checkpointing("every", every=1)
    assert rbe.equal(graph.execute(x), gelu(x))
    checkpointed = script(lambda x: rbe.autograd.checkpoint(lambda v: (v * 2.0).exp() * 0.5, x * 3.0) + 1.0)
    (ours,), (theirs,) = (rbe.autograd.grad(f(x).sum(), x) for f in (checkpointed, lambda x: (x * 6.0).exp() * 0.5 + 1.0))
    assert_same(ours, theirs, rtol=1e-12)


def test_generators_and_methods():
    class Owner:
        factor = 3.0

        @script
        def scaled(self, x, *, plus=0.0):
            return x * self.factor + plus

    owner = Owner()
    assert owner.scaled(rbe.ones(1), plus=1.0).item() == 4.0
    assert Owner.scaled(owner, rbe.ones(1)).item() == 3.0
    parts = script(lambda x: (x * i for i in range(3)))(rbe.ones(1))
    assert [t.item() for t in parts] == [0.0, 1.0, 2.0]


def test_tensors_that_wait_are_computed_by_other_threads_too():
    def function(x):
        waiting, found = x * 2.0 + 1.0, []
        threads = [threading.Thread(target=lambda: found.append(waiting.tolist())) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return found, waiting

    x = rbe.ones(20_000)
    found, y = script(function)(x)
    assert found == [[3.0] * 20_000] * 4
    assert y.sum().item() == 60_000.0

    results = []
    threads = [
        threading.Thread(target=lambda i=i: results.append((i, script(gelu)(rbe.full((500,), float(i)))))) for i in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, y in results:
        assert_same(y, gelu(rbe.full((500,), float(i))))


def test_debug_mode_names_the_operations_as_written():
    x = rbe.tensor([0.0, 1.0], requires_grad=True)
    with rbe.set_debug_mode(True), pytest.raises(rbe.NonFiniteError, match="sqrt"):
        script(lambda x: (x.sqrt() * 0.0).sum())(x).backward()


def test_operations_leave_random_numbers_as_they_were():
    scripted = script(lambda x: F.dropout(x, 0.5) * 2.0)
    state = rbe.get_rng_state()
    assert scripted.operations(rbe.ones(8)) == ["dropout", "mul"]
    assert rbe.get_rng_state() == state


def test_copies_and_pickles():
    assert (gate.__name__, gate.__doc__, gate.__module__) == ("gate", "Say it.", "scripted")
    assert script(gate) is gate
    for again in (copy.copy(gate), copy.deepcopy(gate), pickle.loads(pickle.dumps(gate))):
        assert isinstance(again, Scripted)
        assert_same(again(rbe.ones(2), rbe.ones(2)), gate(rbe.ones(2), rbe.ones(2)))
    plain = pickle.loads(pickle.dumps(script(gelu)))
    assert_same(plain(rbe.ones(2)), gelu(rbe.ones(2)))

    module = nn.Sequential(nn.Linear(2, 2), nn.GELU())
    for again in (copy.deepcopy(script(module)), pickle.loads(pickle.dumps(script(module)))):
        assert_same(again(rbe.ones(2)).detach(), module(rbe.ones(2)).detach())
        again.function[0].weight.data.fill_(0.0)
        assert module[0].weight.abs().sum().item() > 0.0
    for local in (lambda x: x, lambda x: gelu(x)):
        with pytest.raises(rbe.DTypeError, match="imported"):
            pickle.dumps(script(local))
        assert copy.deepcopy(script(local))(rbe.ones(1)).item() == local(rbe.ones(1)).item()


def changed_by_another_thread(use):
    """Call `use` with a result that waits, after another thread changed what it is computed from."""

    def function(x):
        y = (x * 2.0).tanh()
        thread = threading.Thread(target=lambda: x.add_(1.0))
        thread.start()
        thread.join()
        use(y)
        return y

    return script(function)(rbe.ones(100))


USES = {
    "detach": lambda y: y.detach(),
    "grad_fn": lambda y: y.grad_fn,
    "grad": lambda y: y.grad,
    "a gradient": lambda y: setattr(y, "grad", rbe.ones(100)),
    "requires_grad": lambda y: setattr(y, "requires_grad", True),
    "is_leaf": lambda y: y.is_leaf,
    "a hook": lambda y: y.register_hook(print),
    "retain_grad": lambda y: y.retain_grad(),
    "version": lambda y: y._version,
    "nbytes": lambda y: y.nbytes,
    "numpy": lambda y: y.numpy(),
    "tolist": lambda y: y.tolist(),
    "item": lambda y: y[0].item(),
    "a tensor of it": lambda y: rbe.RBETensor(y),
    "a parameter": lambda y: nn.Parameter(y),
    "an optimiser": lambda y: rbe.optim.Adam([y]),
    "pickle": lambda y: pickle.dumps(y),
    "copy": lambda y: copy.deepcopy(y),
    "repr": lambda y: repr(y),
    "sum": lambda y: y.sum(),
    "a mask": lambda y: y[y > 0],
    "nothing": lambda y: None,
}


@pytest.mark.parametrize("name", USES)
def test_a_change_by_another_thread_is_an_error_of_the_package(name):
    with pytest.raises(rbe.GraphError, match="another thread changed it in place"):
        changed_by_another_thread(USES[name])
    assert script(lambda x: x * 2.0)(rbe.ones(2)).tolist() == [2.0, 2.0]  # the next call is not concerned
