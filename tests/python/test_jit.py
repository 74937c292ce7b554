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

RNG = np.random.default_rng(0)
F = nn.functional


def normal(*shape, dtype="float64"):
    return rbe.tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


def gelu(x):
    return 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x * x * x)).tanh())


@script
def gate(x, y):
    """Say it."""
    return x.sigmoid() * y.tanh()


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


def tensors(result):
    """Return the tensors of a nesting, in order."""
    if isinstance(result, rbe.RBETensor):
        return [result]
    if isinstance(result, dict):
        result = list(result.values())
    return [t for part in result for t in tensors(part)] if isinstance(result, tuple | list) else []


def loss_of(result):
    floats = [t for t in tensors(result) if t.dtype.is_floating_point]
    return sum(((t * t).sum() for t in floats), rbe.zeros((), dtype=floats[0].dtype if floats else "float32"))


def assert_same(ours, theirs, rtol=0.0):
    assert type(ours) is type(theirs)
    ours, theirs = tensors(ours), tensors(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape, a.requires_grad, a.is_leaf) == (b.dtype, b.shape, b.requires_grad, b.is_leaf)
        a, b = a.detach().numpy(), b.detach().numpy()
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol) if rtol else np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- the same results, in fewer passes


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_gradients_are_those_of_the_function(name, dtype):
    function, shapes = FUNCTIONS[name]
    scripted = script(function)
    scripted(*(normal(*s, dtype=dtype) for s in shapes))
    args = [normal(*s, dtype=dtype) for s in shapes]
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


def test_what_is_joined():
    x, w = normal(6, 5), normal(5, 4)

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
    ran = script(lambda x: [x.exp() for _ in range(3)] and x * 2.0).operations(normal(4))
    assert ran == ["mul"]


def test_gradients_of_scripted_functions_check():
    scripted = script(gelu)
    assert rbe.autograd.gradcheck(scripted, [normal(3, 4)])
    two = script(lambda x, y: (x * y).tanh() + y.square() * x)
    assert rbe.autograd.gradcheck(two, [normal(3, 4), normal(4)])


def test_results_do_not_depend_on_threads():
    x, results = normal(300, 301, dtype="float32"), []
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

    x = normal(30)
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


# ---------------------------------------------------------------- sequences of calls: nothing is out of date


class Scale(nn.Module):
    """A layer that depends on much."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(rbe.tensor([2.0, 3.0], dtype="float64"))
        self.register_buffer("shift", rbe.tensor([1.0, 1.0], dtype="float64"))
        self.factor, self.steps = 2.0, [1.0]

    def forward(self, x):
        y = x * self.weight * self.factor + self.shift
        for step in self.steps:
            y = y + step
        return y * 10.0 if self.training else y.tanh()


def pair(dtype="float64", grad=True):
    return normal(2, dtype=dtype).requires_grad_(grad)


def closed_over():
    w = nn.Parameter(rbe.tensor([2.0, 3.0], dtype="float64"))
    return (lambda x: x * w + w), [(w,), (pair(),), (w,), (pair(),)]


def one_tensor_twice():
    x, y = pair(), pair()
    return (lambda a, b: a * b + a), [(x, x), (x, y), (y, x), (y, y)]


def compared_by_identity():
    x, y = pair(), pair()
    return (lambda a, b: a * 2.0 if a is b else a * b), [(x, x), (x, y), (y, y), (y, x)]


def rebound():
    box = {"w": pair()}

    def change(w):
        box["w"] = w

    return (lambda x: x * box["w"] + 1.0), [(pair(),), change, (pair(),), lambda: change(pair(grad=False)), (pair(),)]


def changed_in_place():
    w = pair(grad=False)
    return (lambda x: x * w + w), [(pair(),), lambda: w.add_(1.0), (pair(),), lambda: w.__setitem__(0, 7.0), (pair(),)]


def read_from_outside():
    w = pair(grad=False)
    return (lambda x: x * w.sum().item() + w[0].item()), [(pair(),), lambda: w.add_(1.0), (pair(),)]


def numbers():
    values = (1, 1.0, True, 0.0, -0.0, float("nan"), float("inf"), 2, np.float32(2), np.int64(2), np.float64(2.5))
    return (lambda x, n: (x * n, x / n if n else x + n)), [(pair("float32"), n) for n in values]


def kinds_of_number():
    kinds = lambda x, n: x * (1.0 if isinstance(n, bool) else 2.0 if isinstance(n, int) else 3.0)  # noqa: E731
    return kinds, [(pair(), n) for n in (1, True, 1.0, 1, True)]


def signed_zeros():
    return (lambda x, n: 1.0 / (x * 0.0 + n)), [(rbe.ones(2), n) for n in (0.0, -0.0, 0.0)]


def shapes_and_dtypes():
    calls = [(normal(3, 4), normal(4)), (normal(2, 4), normal(4)), (normal(3, 4, dtype="float32"), normal(4, dtype="float32"))]
    calls += [(normal(3, 4), normal(4, dtype="float32")), (normal(0, 4), normal(4)), (normal(4), normal(3, 1))]
    calls += [(rbe.arange(4), normal(4)), (rbe.arange(4), rbe.arange(4)), (rbe.tensor([True] * 4), normal(4))]
    return (lambda a, b: ((a + b) * 2.0 - b, a.shape[0])), calls


def strides():
    x = normal(4, 4).detach()
    views = (x, x.t(), x[::2, ::2], x.flip(0), x[:, 0], x[0].expand(3, 4))
    return (lambda a: (a * 2.0 + 1.0 if a.is_contiguous() else a * 3.0) + a), [(v,) for v in views]


def grad_modes():
    def function(x, w):
        with rbe.no_grad():
            fixed = (x * 2.0).tanh()
            lost = fixed * w
        with rbe.enable_grad():
            kept = x * w
        return fixed * w + lost, kept * 1.0, x.detach() * w, rbe.is_grad_enabled()

    calls = [(pair(), pair()), (pair(grad=False), pair()), (pair(), pair(grad=False)), (pair(grad=False), pair(grad=False))]
    return function, [step for c in calls for step in (c, ("no_grad", c))]


def requires_grad_asked():
    return (lambda x: x * 2.0 if x.requires_grad else x * 3.0), [(pair(),), (pair(grad=False),), (pair(),)]


def requires_grad_set_inside():
    def function(x):
        y = x * 2.0
        x.requires_grad_()
        return y * 3.0, x * y

    return function, [(pair(grad=False),), (pair(grad=False),)]


def control_flow():
    return (lambda x: x * 2.0 if (x * 3.0).sum() > 0 else -x), [(rbe.ones(2),), (-rbe.ones(2),), (rbe.ones(2),)]


def containers():
    def function(parts, *more, **named):
        (a, [b]), c = parts, named["options"]["c"]
        return {"a": [a * b + c, (c * 2.0, more)], "n": named["n"]}

    def call(n, k):
        return ((pair(), [pair()]), *[pair() for _ in range(k)]), {"n": n, "options": {"c": pair()}}

    return function, [("named", *call(n, k)) for n, k in ((1, 0), (2, 2), (1, 1))]


def changing_arguments():
    def function(parts, x):
        x = x * 1.0
        x += parts.pop() * 2.0
        parts.append(x * 3.0)
        return parts, x

    return function, [([pair(), pair()], pair(grad=False)) for _ in range(3)]


def running_values():
    mean = rbe.zeros(2, dtype="float64")

    def function(x):
        y = (x - mean).relu() + (x * 2.0 - mean).exp()
        z = (x.detach() - mean) * 3.0
        mean.mul_(0.5).add_(x.detach())
        mean[0] = z[0]
        with rbe.no_grad():
            y.add_(1.0)
        return y * 1.0, z, mean * x

    return function, [(pair(),) for _ in range(3)]


def hidden_state():
    kept = []

    def function(x):
        kept.append(x.detach() * 2.0)
        return sum(kept, x * 1.0) * 1.0, len(kept)

    def reset():
        kept.clear()

    return function, [(pair(),), (pair(),), (pair(),)], reset


def random_numbers():
    def function(x):
        return F.dropout(x * 1.0, 0.5) * rbe.rand(2, dtype="float64") + rbe.randn(2, dtype="float64"), x + rbe.randint(
            0, 9, (2,)
        )

    return function, [(pair(),)] * 4


def values_looked_at():
    def function(x):
        y = x * 2.0
        return y * float(y.detach().numpy()[0]), y.tolist(), bool(y.sum() > 0), (y > 0), y.argsort(), y[y > 0], str(y.detach())

    return function, [(rbe.tensor([v, -1.0]),) for v in (1.0, 2.0, -3.0)]


def arrays():
    shared = np.array([1.0, 2.0])
    tensor = rbe.from_dlpack(shared)

    def function(x):
        y = tensor * 2.0
        shared[0] += 1.0  # seen by the tensor, and by what is computed from now on
        z = x.detach() * 3.0
        x.detach().numpy()[0] = 9.0
        return y + tensor, z, x * 1.0

    def reset():
        shared[:] = 1.0, 2.0

    return function, [(pair(),) for _ in range(3)], reset


def custom_operations():
    class Cube(rbe.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * 3.0 * x * x

    def function(x):
        inner = rbe.autograd.checkpoint(lambda v: (v * 2.0).exp() * x0, Cube.apply(x * 2.0))
        return inner + gate(inner, x)

    x0 = pair(grad=False)
    return function, [(pair(),), (pair(),)]


def gradients_inside():
    def function(x):
        y = x * 2.0
        (g,) = rbe.autograd.grad((y * y * x).sum(), x)
        before = (x.grad * 2.0) if x.grad is not None else x.detach() * 0.0
        (x * 5.0).sum().backward()
        return before + g, x.grad * 1.0

    return function, [(x := pair(),), (x,), (pair(),)]


def hooks_inside():
    def function(x):
        y = x * 2.0
        z = y + 1.0
        y.register_hook(lambda g: g * 10.0)
        return z * 3.0, y

    return function, [(pair(),), (pair(),)]


SEQUENCES = [
    closed_over, one_tensor_twice, compared_by_identity, rebound, changed_in_place, read_from_outside, numbers, kinds_of_number,
    signed_zeros, shapes_and_dtypes, strides, grad_modes, requires_grad_asked, requires_grad_set_inside, control_flow, containers,
    changing_arguments, running_values, hidden_state, random_numbers, values_looked_at, arrays, custom_operations, gradients_inside, hooks_inside,
]  # fmt: skip


def run(function, steps):
    """Call `function` along `steps` with copies of their arguments; return results, gradients and arguments after the calls."""
    rbe.manual_seed(5)
    found = []
    for step in steps:
        if callable(step):
            step(*([] if step.__name__ == "<lambda>" or not step.__code__.co_argcount else [pair()]))
            continue
        quiet, named = step[:1] == ("no_grad",), step[:1] == ("named",)
        args, kwargs = (step[1], {}) if quiet else (step[1], step[2]) if named else (step, {})
        leaves = [t for t in tensors([*args, kwargs]) if t.requires_grad]
        for t in leaves:
            t.grad = None
        if quiet:
            with rbe.no_grad():
                result = function(*args, **kwargs)
        else:
            result = function(*args, **kwargs)
        loss = loss_of(result)
        if loss.requires_grad:
            loss.backward()
        found.append((result, [t.grad for t in leaves], tensors([*args, kwargs])))
    return found


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda f: f.__name__)
def test_sequences_of_calls(sequence):
    results = []
    for wrap in (lambda f: f, script):
        RNG.bit_generator.state = np.random.default_rng(7).bit_generator.state
        function, steps, *_ = sequence()
        results.append(run(wrap(function), steps))
    for theirs, ours in zip(*results, strict=True):
        assert_same(ours[0], theirs[0])
        assert [g is None for g in ours[1]] == [g is None for g in theirs[1]]
        assert_same([g for g in ours[1] if g is not None], [g for g in theirs[1] if g is not None], rtol=1e-6)
        assert_same([t.detach() for t in ours[2]], [t.detach() for t in theirs[2]])


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


# ---------------------------------------------------------------- random programs


def random_program(rng):
    """Return a function of three matrices that does at random what programs do to tensors."""
    lines = []
    for _ in range(rng.integers(3, 14)):
        kind = rng.choice(["unary", "binary", "number", "matmul", "reduce", "in place", "look", "quiet", "view", "branch", "drop"],
                          p=[0.2, 0.25, 0.15, 0.06, 0.06, 0.06, 0.06, 0.05, 0.05, 0.03, 0.03])  # fmt: skip
        lines.append((kind, *rng.integers(0, 1 << 30, 4)))

    def function(*args):
        held = list(args)
        for kind, a, b, c, _ in lines:
            x, y = held[a % len(held)], held[b % len(held)]
            if kind == "unary":
                out = (x.tanh, x.sigmoid, x.sin, x.exp, x.abs, x.neg, x.square, x.relu)[c % 8]()
                out = out.clamp(-3.0, 3.0)
            elif kind == "binary":
                out = (x + y, x * y, x - y, x.maximum(y))[c % 4] * 0.5
            elif kind == "number":
                out = (x * 0.5, x + 1, 2.0 - x, x / 3.0)[c % 4]
            elif kind == "matmul":
                out = (x @ y) * 0.1
            elif kind == "reduce":
                out = x.sum(0, keepdims=True).expand(4, 4) * 0.25 if c % 2 else x - x.mean()
            elif kind == "in place":
                with rbe.no_grad():
                    target = x.detach().clone()
                    later = target * 2.0
                    target.add_(y.detach()) if c % 2 else target.mul_(0.5)
                    out = later + target
            elif kind == "look":
                out = x * min(max(y.detach().numpy()[c % 4, 0].item(), -1.0), 1.0)
            elif kind == "quiet":
                with rbe.no_grad():
                    out = x * 0.5 + y
            elif kind == "view":
                out = x.t() if c % 2 else x[[1, 0, 3, 2]]
            elif kind == "branch":
                out = x if y.sum() > 0 else x.neg()
            else:
                del held[a % len(held)]
                held = held or list(args)
                continue
            held.append(out)
        return held[-1] if lines[0][1] % 2 else held

    return function


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    rng = np.random.default_rng(seed)
    function = random_program(rng)
    scripted = script(function)
    for _ in range(3):
        args = [rbe.tensor(rng.standard_normal((4, 4)), requires_grad=bool(rng.random() < 0.7)) for _ in range(3)]
        found = []
        for f in (function, scripted):
            for t in args:
                t.grad = None
            result = f(*args)
            loss = loss_of(result)
            if loss.requires_grad:
                loss.backward()
            found.append((result, [t.grad for t in args]))
        assert_same(found[1][0], found[0][0])
        for ours, theirs in zip(found[1][1], found[0][1], strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                assert_same(ours, theirs, rtol=1e-9)


# ---------------------------------------------------------------- what is kept, raised, nested, shared between threads


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
    x = normal(5)
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


# ---------------------------------------------------------------- copies


def test_copies_and_pickles():
    assert (gate.__name__, gate.__doc__, gate.__module__) == ("gate", "Say it.", __name__)
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
