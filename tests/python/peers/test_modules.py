"""torch's database of modules run through rbe: weights by `load_torch_state_dict`, results, gradients and buffers compared."""

import copy
import itertools
from importlib import import_module

import pytest
import rbe
from beside_torch import array, difference, torch
from counts import RAN, assert_enough
from refused import REFUSED_MODULES
from twins import NotComparable, fresh, is_as_near, is_clear, leaves, to_rbe, widened

module_db = import_module("torch.testing._internal.common_modules").module_db
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HAVE = {i.module_cls.__name__: i for i in module_db if hasattr(rbe.nn, i.module_cls.__name__)}
RANDOM = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"}


def different(ours, theirs, exact, least=1e-5):
    """As `difference`; the roundings of a layer's operations add up, and torch's float32 result may be the one that is far off."""
    double = isinstance(theirs, torch.Tensor) and theirs.dtype is torch.float64
    text = difference(ours, theirs, 0.0, 1e-9 if double else 1e-5, least)
    near = text and "dtype" not in text and isinstance(exact, torch.Tensor) and is_as_near(ours, theirs, exact)
    return None if near else text


def compare(info, inputs, dtype, training):
    """One module on one input. Returns "compared", "refused: …" (a clear error of rbe) or "not comparable"."""
    given = inputs.constructor_input
    torch.manual_seed(0)
    try:
        theirs = info.module_cls(*given.args, **given.kwargs).to(dtype).train(training)
        args, kwargs = to_rbe((given.args, given.kwargs))
    except (NotComparable, RuntimeError, TypeError, ValueError):
        return "not comparable"
    name = info.module_cls.__name__
    seen, mine = {}, {}
    forward = inputs.forward_input
    try:
        if forward is None:
            return "not comparable"
        a, k = fresh((forward.args, forward.kwargs), seen)
        b, m = to_rbe((forward.args, forward.kwargs), mine)
        if "Lazy" in name:
            theirs(*a, **k)
    except NotComparable:
        return "not comparable"
    try:
        ours = getattr(rbe.nn, name)(*args, **kwargs)
        ours = (ours.double() if dtype is torch.float64 else ours).train(training)
        if "Lazy" in name:
            ours(*b, **m)
        state = theirs.state_dict()
        assert list(ours.state_dict()) == list(state)
        rbe.load_torch_state_dict(ours, state)
    except BaseException as e:
        if is_clear(e):
            return f"refused: {e}"
        raise
    judge = copy.deepcopy(theirs).double()
    try:
        expected = leaves(theirs(*a, **k))
    except Exception:
        return "not comparable"
    wide = {}
    aw, kw = widened((forward.args, forward.kwargs), wide)
    exact = leaves(judge(*aw, **kw))
    try:
        got = leaves(ours(*b, **m))
    except BaseException as e:
        if is_clear(e):
            return f"refused: {e}"
        raise
    random = training and (name in RANDOM or getattr(theirs, "dropout", 0) not in (0, 0.0))
    assert len(got) == len(expected)
    results = zip(got, expected, exact, strict=True)
    texts = [t for x, y, z in results if (t := different(x, y, z)) and not (random and "shape" not in t)]
    assert not texts
    if random:
        return "compared"
    on_tape = [i for i, y in enumerate(expected) if isinstance(y, torch.Tensor) and y.requires_grad]
    assert [i for i, x in enumerate(got) if isinstance(x, rbe.RBETensor) and x.requires_grad] == on_tape
    up = [torch.randn(expected[i].shape, dtype=dtype, generator=torch.Generator().manual_seed(i)) for i in on_tape]
    if on_tape:
        torch.autograd.backward([expected[i] for i in on_tape], up)
        torch.autograd.backward([exact[i] for i in on_tape], [u.double() for u in up])
        rbe.autograd.backward([got[i] for i in on_tape], [to_rbe(u) for u in up])
    inputs_of = [(x, y, seen[i][1], wide[i][1]) for i, (x, y) in mine.items() if x.requires_grad and i in seen]
    compared = [(f"gradient of input {list(x.shape)}", *(t.grad for t in twins)) for x, *twins in inputs_of]
    named = zip(ours.named_parameters(), theirs.parameters(), judge.parameters(), strict=True)
    compared += [(f"gradient of {n}", *(t.grad for t in twins)) for (n, p), *others in named for twins in [(p, *others)]]
    named = zip(ours.named_buffers(), theirs.buffers(), judge.buffers(), strict=True)
    compared += [(f"buffer {n}", b, *others) for (n, b), *others in named]
    for what, x, y, z in compared:
        if x is None or y is None:
            assert not any(g is not None and array(g).any() for g in (x, y)), what
        else:
            text = different(x, y, z, 1.0 if "gradient" in what else 1e-5)
            assert not text, f"{what}: {text}"
    return "compared"


@pytest.mark.parametrize("name", HAVE)
def test_agrees_with_torch(name):
    info = HAVE[name]
    results = []
    for dtype, training in itertools.product((torch.float64, torch.float32), (True, False)):
        if dtype in info.dtypes:
            torch.manual_seed(1)
            for inputs in info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training):
                results.append(compare(info, inputs, dtype, training))
    assert "compared" in results
    RAN["modules"] += 1
    RAN["cases of modules"] += results.count("compared")
    refused = [r for r in results if r.startswith("refused")]
    assert bool(refused) == (name in REFUSED_MODULES), (
        refused[:5] or f"nothing is refused any more: remove {name} from refused.py"
    )


def test_no_module_is_lost():
    assert_enough("modules", "cases of modules")
    assert set(REFUSED_MODULES) <= set(HAVE)
