"""Sequences of calls of a scripted function give what the function gives: whatever it reads, changes and returns."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.jit import script
from scripted import RNG, F, assert_same, gate, loss_of, pair, tensors


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
    calls = [
        (RNG.leaf(3, 4), RNG.leaf(4)),
        (RNG.leaf(2, 4), RNG.leaf(4)),
        (RNG.leaf(3, 4, dtype="float32"), RNG.leaf(4, dtype="float32")),
    ]
    calls += [(RNG.leaf(3, 4), RNG.leaf(4, dtype="float32")), (RNG.leaf(0, 4), RNG.leaf(4)), (RNG.leaf(4), RNG.leaf(3, 1))]
    calls += [(rbe.arange(4), RNG.leaf(4)), (rbe.arange(4), rbe.arange(4)), (rbe.tensor([True] * 4), RNG.leaf(4))]
    return (lambda a, b: ((a + b) * 2.0 - b, a.shape[0])), calls


def strides():
    x = RNG.leaf(4, 4).detach()
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
        RNG.bit_generator.state = Inputs(7).bit_generator.state
        function, steps, *_ = sequence()
        results.append(run(wrap(function), steps))
    for theirs, ours in zip(*results, strict=True):
        assert_same(ours[0], theirs[0])
        assert [g is None for g in ours[1]] == [g is None for g in theirs[1]]
        assert_same([g for g in ours[1] if g is not None], [g for g in theirs[1] if g is not None], rtol=1e-6)
        assert_same([t.detach() for t in ours[2]], [t.detach() for t in theirs[2]])


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
    rng = Inputs(seed)
    function = random_program(rng)
    scripted = script(function)
    for _ in range(3):
        args = [rbe.tensor(rng.array(4, 4), requires_grad=bool(rng.random() < 0.7)) for _ in range(3)]
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
