"""torch's database of operations (OpInfo) run through rbe: `make test-peers`.

Samples of every operation that rbe has under torch's name, in float64, float32, int64 and bool, as function, method, in-place
method and operator, with gradients, contiguous and strided. A call either agrees with torch in value, dtype and gradient, or is refused
by an error that says what is not taken; operations with refused calls are listed in REFUSED, each with its reason.

Of each type the first 60 samples of an operation run, and 30 of those with odd shapes and numbers. `RBE_PEERS=all make test-peers` is
the complete run: every sample, of any size.
"""

import collections
import itertools
import math
import os
import types
from importlib import import_module

import numpy as np
import pytest
import rbe
from beside_torch import array, torch
from counts import RAN, assert_enough
from refused import NOT_COMPARABLE, REFUSED, UNDETERMINED
from twins import NotComparable, disagreement, fresh, is_as_near, is_clear, leaves, to_rbe, widened

op_db = import_module("torch.testing._internal.common_methods_invocations").op_db
pytestmark = pytest.mark.peers

ALL = os.environ.get("RBE_PEERS") == "all"
SAMPLES, REFERENCES, ELEMENTS = (None, None, math.inf) if ALL else (60, 30, 20_000)  # of a type
RANDOM = {
    "nn.functional.dropout",
    "nn.functional.dropout2d",
    "nn.functional.dropout3d",
    "randn",
    "randn_like",
    "rand_like",
    "randint",
    "empty",
    "empty_like",
    "new_empty",
    "bernoulli",
    "multinomial",
    "normal",
    "randint_like",
    "exponential",
    "geometric",
    "log_normal",
    "cauchy",
}
# Operations whose gradient torch computes with an error far above rounding; the core's own check covers them.
COARSE = {
    "digamma": "torch's trigamma has an error of 1e-10",
    "nn.functional.celu": "torch computes with alpha in float32",
    "nn.functional.hardsigmoid": "torch computes with 1/6 in float32",
    "nn.functional.selu": "torch computes with constants in float32",
    "logcumsumexp": "differences of numbers of 1e4 are rounded by 1e-12",
}


def found(root, dotted):
    for part in dotted.split("."):
        root = getattr(root, part, None)
    return root


class Namespace:
    """`torch` for the lambdas of the database, with the names that rbe has."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs

    def __getattr__(self, name):
        theirs = getattr(self.theirs, name, None)
        if isinstance(theirs, torch.dtype):
            return to_rbe(theirs)
        ours = rbe.RBETensor if self.theirs is torch and name == "Tensor" else getattr(self.ours, name, None)
        if ours is None and self.theirs is torch and hasattr(rbe.RBETensor, name):
            return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
        if ours is None:
            raise NotComparable(f"rbe has no {name}")
        return Namespace(ours, theirs) if isinstance(ours, types.ModuleType) else ours


def forms(entry):
    """Name of a way to call an operation -> (torch's callable, rbe's)."""
    name, op = entry.name, entry.op
    ways = {}
    if isinstance(op, types.FunctionType) and "testing" in op.__module__:  # a lambda around the operation
        names = {**op.__globals__, "torch": Namespace(rbe, torch), "F": Namespace(rbe.nn.functional, torch.nn.functional)}
        ours = types.FunctionType(op.__code__, names, op.__name__, op.__defaults__, op.__closure__)
        ours.__kwdefaults__ = op.__kwdefaults__
        return {"function": (op, ours)}

    def method(name):
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)

    function = found(rbe, name)
    if function is not None and not name.startswith("__"):
        ways["function"] = (op, function)
    if name.startswith("__") and hasattr(rbe.RBETensor, name):
        ways["method"] = (getattr(torch.Tensor, name), method(name))
    elif "." not in name and hasattr(rbe.RBETensor, name) and entry.get_method() is not None:
        ways["method"] = (entry.get_method(), method(name))
    if entry.get_inplace() is not None and hasattr(rbe.RBETensor, f"{name}_"):
        ways["in-place"] = (entry.get_inplace(), method(f"{name}_"))
    for way, function in (("operator", entry.operator_variant), ("in-place operator", entry.inplace_operator_variant)):
        if function is not None:
            ways[way] = (function, function)
    return ways


# Where torch's own result depends on the machine or on the neighbours in memory.
UNDEFINED = {
    # Of floats that no integer of the type is near to; those of fewer bits are cut from ones of 32 bits.
    "long": lambda x: ~x.isfinite() | (x.abs() >= 2.0**63),
    **dict.fromkeys(("int", "short", "char", "byte"), lambda x: ~x.isfinite() | (x.abs() >= 2.0**31)),
    "nn.functional.elu": torch.isnan,  # its gradient
    **{f"nn.functional.{name}": torch.isnan for name in ("hardshrink", "hardtanh", "relu6", "selu", "softshrink")},
}


def is_undefined(entry, sample):
    x = sample.input
    if entry.name == "index_copy":  # of several values for one place torch stores any, and gives each the gradient
        return sample.args[1].unique().numel() < sample.args[1].numel()
    return entry.name in UNDEFINED and x.is_floating_point() and bool(UNDEFINED[entry.name](x).any())


def references(entry, dtype, grad):
    """Samples with odd shapes and numbers."""
    if entry.reference_inputs_func is None:
        return
    try:
        yield from entry.reference_inputs("cpu", dtype, requires_grad=grad)
    except ValueError:  # some mix types, and would have integers require gradients
        yield from entry.reference_inputs("cpu", dtype, requires_grad=False)


def samples(entry, dtype, grad):
    def small(s):
        return all(t.numel() <= ELEMENTS for t in leaves((s.input, s.args, s.kwargs)) if isinstance(t, torch.Tensor))

    torch.manual_seed(1)
    yield from itertools.islice(filter(small, entry.sample_inputs("cpu", dtype, requires_grad=grad)), SAMPLES)
    yield from itertools.islice(filter(small, references(entry, dtype, grad)), REFERENCES)
    if dtype is torch.float64:
        for s in itertools.islice(entry.sample_inputs("cpu", dtype, requires_grad=grad), 12):
            try:
                yield s.noncontiguous()
            except (RuntimeError, TypeError):  # some samples cannot be laid out otherwise
                continue


def picks_equal_elements(x, i, j):
    """Whether two index arrays pick equal elements along some axis: an unstable sort may order ties as it likes."""
    x, i, j = array(x), array(i), array(j)
    if i.ndim == x.ndim - 1:
        wide = ([np.expand_dims(v, axis) for v in (i, j)] for axis in range(x.ndim))
        return any(picks_equal_elements(x, *pair) for pair in wide)
    if x.ndim != i.ndim or i.shape != j.shape:
        return False
    axes = [a for a in range(x.ndim) if all(n == m for k, (n, m) in enumerate(zip(x.shape, i.shape, strict=True)) if k != a)]
    return any(
        np.array_equal(np.take_along_axis(x, i, a), np.take_along_axis(x, j, a), equal_nan=x.dtype.kind == "f") for a in axes
    )


class Refused(Exception):
    """rbe does not take this call and says so."""


class Wrong(Exception):
    """rbe and torch differ, or rbe's error does not say what is wrong."""


def guarded(call):
    """Runs a call of rbe; its error as Refused or Wrong."""
    try:
        return call()
    except NotComparable:
        raise
    except BaseException as e:  # a panic is no Exception
        raise (Refused if is_clear(e) else Wrong)(f"{type(e).__name__}: {e}"[:300]) from None


def compare(entry, way, theirs, ours, args, kwargs, grad):
    """One call in both libraries. Returns False where torch itself refuses it."""
    seen, mine, wide = {}, {}, {}
    random = entry.name in RANDOM or kwargs.get("dropout_p", 0) > 0
    in_place = way.startswith("in-place")

    def copied(x):  # what may be changed in place, on the tape if gradients are compared
        return x.clone() if grad else x.detach().clone()

    a, k = fresh((args, kwargs), seen)
    if in_place:
        a = (copied(a[0]), *a[1:])
    try:
        expected = leaves(theirs(*a, **k))
    except Exception:
        return False
    b, m = to_rbe((args, kwargs), mine)
    if in_place:
        b = (copied(b[0]), *b[1:])
    got = leaves(guarded(lambda: ours(*b, **m)))
    if len(got) != len(expected):
        raise Wrong(f"{len(got)} results, torch {len(expected)}")
    float32 = any(isinstance(t, torch.Tensor) and t.dtype is torch.float32 for t in leaves((args, kwargs, expected)))
    exact = None
    if float32 and not in_place and not random:
        aw, kw = widened((args, kwargs), wide)
        exact = leaves(theirs(*aw, **kw))
    for i, (x, y) in enumerate(zip(got, expected, strict=True)):
        text = disagreement(x, y)
        if text and random and "shape" not in text and "dtype" not in text:
            continue
        if (
            text
            and entry.name in ("sort", "argsort", "topk", "kthvalue", "median", "nanmedian")
            and y.dtype is torch.int64
            and picks_equal_elements(args[0], x, y)
        ):
            continue
        if text and "dtype" not in text and exact is not None and isinstance(y, torch.Tensor) and is_as_near(x, y, exact[i]):
            continue
        if text:
            raise Wrong(f"result {i}: {text}")
    if grad and not random and entry.name not in COARSE:
        compare_gradients(got, expected, exact, seen, mine, wide)
    return True


def compare_gradients(got, expected, exact, seen, mine, wide):
    on_tape = [i for i, y in enumerate(expected) if isinstance(y, torch.Tensor) and y.requires_grad]
    ours = [i for i, x in enumerate(got) if isinstance(x, rbe.RBETensor) and x.requires_grad]
    if ours != on_tape:
        raise Wrong(f"results {ours} are on the tape, torch's {on_tape}")
    if not on_tape:
        return
    up = [torch.randn(expected[i].shape, dtype=expected[i].dtype, generator=torch.Generator().manual_seed(i)) for i in on_tape]
    try:
        torch.autograd.backward([expected[i] for i in on_tape], up)
    except Exception:
        return  # torch has no gradient here
    guarded(lambda: rbe.autograd.backward([got[i] for i in on_tape], [to_rbe(u) for u in up]))
    if exact is not None:
        torch.autograd.backward([exact[i] for i in on_tape], [u.to(exact[i].dtype) for u, i in zip(up, on_tape, strict=True)])
    for key, (x, twin) in mine.items():
        if not x.requires_grad or key not in seen:
            continue
        ours, theirs = twin.grad, seen[key][1].grad
        if ours is None or theirs is None:
            if any(g is not None and array(g).any() for g in (ours, theirs)):
                raise Wrong(
                    f"gradient of {list(x.shape)}: {'none' if ours is None else 'there'}, torch's {'none' if theirs is None else 'there'}"
                )
            continue
        text = disagreement(ours, theirs, least=1.0)
        if text and exact is not None and key in wide and "dtype" not in text and is_as_near(ours, theirs, wide[key][1].grad):
            continue
        if text:
            raise Wrong(f"gradient of {list(x.shape)}: {text}")


def title(entry):
    return entry.name + (f".{entry.variant_test_name}" if entry.variant_test_name else "")


HAVE = {title(e): e for e in op_db if found(rbe, e.name) is not None or ("." not in e.name and hasattr(rbe.RBETensor, e.name))}
assert set(UNDETERMINED) <= set(HAVE)
HAVE = {name: entry for name, entry in HAVE.items() if name not in UNDETERMINED}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HAVE)
def test_agrees_with_torch(name):
    entry = HAVE[name]
    count, wrong, refused = collections.Counter(), {}, {}
    for dtype in (torch.float64, torch.float32, torch.int64, torch.bool):
        if not entry.supports_dtype(dtype, "cpu"):
            continue
        grad = dtype.is_floating_point and entry.supports_autograd
        for sample in samples(entry, dtype, grad):
            if is_undefined(entry, sample):
                continue
            args = (sample.input, *sample.args)
            for way, (theirs, ours) in forms(entry).items():
                if way != "function" and not isinstance(sample.input, torch.Tensor):
                    continue
                if "operator" in way and (sample.kwargs or len(args) > 2):
                    continue
                for g in {False, grad} if way.startswith("in-place") else {grad}:
                    try:
                        count["compared"] += compare(entry, way, theirs, ours, args, sample.kwargs, g)
                    except NotComparable:
                        count["not comparable"] += 1
                    except Refused as e:
                        refused.setdefault(str(e), f"{way} {dtype} {args} {sample.kwargs}"[:400])
                    except Wrong as e:
                        wrong.setdefault(str(e), f"{way} {dtype} {args} {sample.kwargs}"[:400])
    assert not wrong, "\n".join(f"{text}: {call}" for text, call in itertools.islice(wrong.items(), 5))
    if name in REFUSED:
        assert refused, f"nothing is refused any more ({count}): remove {name} from refused.py"
    else:
        assert not refused, "\n".join(f"{text}: {call}" for text, call in itertools.islice(refused.items(), 5))
        assert bool(count["compared"]) == (name not in NOT_COMPARABLE), dict(count)
    RAN["operations"] += count["compared"] > 0
    RAN["calls of operations"] += count["compared"]


def test_no_operation_is_lost():
    assert_enough("operations", "calls of operations")
    assert set(REFUSED) | set(NOT_COMPARABLE) <= set(HAVE)
