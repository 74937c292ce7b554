"""torch's database of modules run through rbe: weights by `load_torch_state_dict`, results, gradients and buffers compared."""

import itertools
from importlib import import_module

import pytest
import rbe
from refused import REFUSED_MODULES
from twins import NotComparable, array, difference, fresh, is_clear, leaves, to_rbe, torch

module_db = import_module("torch.testing._internal.common_modules").module_db
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HAVE = {i.module_cls.__name__: i for i in module_db if hasattr(rbe.nn, i.module_cls.__name__)}
RANDOM = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"}


def different(ours, theirs):
    """As `difference`; float32 results may differ by rounding, 2e-4 of the largest number."""
    if isinstance(theirs, torch.Tensor) and theirs.dtype is torch.float32:
        return difference(ours, theirs, tolerance=2e-4)
    return difference(ours, theirs, tolerance=1e-9)


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
    try:
        expected = leaves(theirs(*a, **k))
    except Exception:
        return "not comparable"
    try:
        got = leaves(ours(*b, **m))
    except BaseException as e:
        if is_clear(e):
            return f"refused: {e}"
        raise
    random = training and (name in RANDOM or getattr(theirs, "dropout", 0) not in (0, 0.0))
    assert len(got) == len(expected)
    texts = [t for x, y in zip(got, expected, strict=True) if (t := different(x, y)) and not (random and "shape" not in t)]
    assert not texts
    if random:
        return "compared"
    on_tape = [i for i, y in enumerate(expected) if isinstance(y, torch.Tensor) and y.requires_grad]
    assert [i for i, x in enumerate(got) if isinstance(x, rbe.RBETensor) and x.requires_grad] == on_tape
    up = [torch.randn(expected[i].shape, dtype=dtype, generator=torch.Generator().manual_seed(i)) for i in on_tape]
    if on_tape:
        torch.autograd.backward([expected[i] for i in on_tape], up)
        rbe.autograd.backward([got[i] for i in on_tape], [to_rbe(u) for u in up])
    pairs = [(f"input {list(x.shape)}", y.grad, seen[i][1].grad) for i, (x, y) in mine.items() if x.requires_grad and i in seen]
    pairs += [(n, p.grad, q.grad) for (n, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True)]
    for what, x, y in pairs:
        if x is None or y is None:
            assert not any(g is not None and array(g).any() for g in (x, y)), f"gradient of {what}"
        else:
            assert not different(x, y), f"gradient of {what}: {different(x, y)}"
    for (what, x), y in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        assert not different(x, y), f"buffer {what}: {different(x, y)}"
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
    refused = [r for r in results if r.startswith("refused")]
    assert bool(refused) == (name in REFUSED_MODULES), (
        refused[:5] or f"nothing is refused any more: remove {name} from refused.py"
    )


def test_every_module_of_the_list_is_there():
    assert len(HAVE) >= 45
    assert set(REFUSED_MODULES) <= set(HAVE)
