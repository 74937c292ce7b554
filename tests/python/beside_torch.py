"""Comparison with torch: the same inputs for both libraries, and one rule for results that agree."""

import numpy as np
import pytest
import rbe
from inputs import Inputs

torch = pytest.importorskip("torch")

DTYPES = [np.float64, np.float32]
NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
TWINS = {getattr(torch, name): getattr(rbe, name) for name in NAMES}
# Relative to the element, and absolute.
TOLERANCE = {torch.float64: (1e-10, 1e-12), torch.float32: (1e-5, 1e-6)}


def torch_dtype(dtype):
    """Return torch's dtype of the same name."""
    return getattr(torch, np.dtype(dtype).name)


def pair(values, dtype=None, grad=True):
    """Return a tensor of each library; floats are converted to `dtype`, if given, and require gradients unless `grad` is false."""
    values = np.asarray(values)
    is_float = values.dtype.kind == "f"
    if is_float and dtype is not None:
        values = values.astype(dtype)
    return rbe.tensor(values, requires_grad=grad and is_float), torch.tensor(values, requires_grad=grad and is_float)


def array(value):
    """Return the numbers of a tensor of either library."""
    if isinstance(value, torch.Tensor):
        return (value.float() if value.dtype is torch.bfloat16 else value).numpy(force=True)
    if isinstance(value, rbe.RBETensor):
        value = value.detach()
        return (value.float() if value.dtype == rbe.bfloat16 else value).numpy()
    return np.asarray(value)


def difference(ours, theirs, rtol, atol, least=None):
    """Describe how an rbe value differs from torch's; None where they agree.

    The error of a float may be `rtol` of torch's number plus `atol`. With `least` that is `atol` of the largest finite number of the
    result, or of `least` where that is larger: for sums of many products, whose terms cancel. Type, shape and dtype must be equal.
    """
    if not isinstance(theirs, torch.Tensor):
        if isinstance(theirs, torch.dtype):
            theirs = TWINS.get(theirs, theirs)
        if isinstance(theirs, torch.Size):
            theirs = tuple(theirs)
        same = ours == theirs or (ours != ours and theirs != theirs)
        return None if same and type(ours) is type(theirs) else f"{ours!r:.60}, torch {theirs!r:.60}"
    if not isinstance(ours, rbe.RBETensor):
        return f"{type(ours).__name__} where torch has a tensor"
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"shape {tuple(ours.shape)}, torch {tuple(theirs.shape)}"
    if ours.dtype != TWINS.get(theirs.dtype):
        return f"dtype {ours.dtype}, torch {theirs.dtype}"
    x, y = array(ours), array(theirs)
    same = (x == y) | ((x != x) & (y != y))
    if same.all():
        return None
    if not theirs.dtype.is_floating_point:
        return f"{(~same).sum()} of {x.size} integers differ"
    apart = ~same & ~(np.isfinite(x) & np.isfinite(y))
    if apart.any():
        at = int(np.argmax(apart))
        return f"{x.flat[at]} where torch has {y.flat[at]}"
    x, y = (np.where(same, 0.0, v).astype(np.float64) for v in (x, y))
    largest = 1.0 if least is None else np.abs(array(theirs)[np.isfinite(array(theirs))]).max(initial=least)
    excess = np.abs(x - y) - rtol * np.abs(y) - atol * largest
    at = int(excess.argmax())
    if excess.flat[at] <= 0:
        return None
    return f"{x.flat[at]!r}, torch {y.flat[at]!r}: off by {abs(x.flat[at] - y.flat[at]):.1e}"


def assert_same(ours, theirs, scale=1.0, **tolerances):
    """Fail where type, shape, dtype or values differ.

    `scale` multiplies the usual tolerances, `rtol` and `atol` replace them; `least` as in `difference`.
    """
    rtol, atol = TOLERANCE.get(getattr(theirs, "dtype", None), (0.0, 0.0))
    text = difference(ours, theirs, **{"rtol": rtol * scale, "atol": atol * scale, **tolerances})
    assert text is None, text


def backward(ours, theirs):
    """Run backward of both results from one random gradient."""
    up = Inputs(1).array(*theirs.shape, dtype=array(theirs).dtype)
    ours.backward(rbe.tensor(up))
    theirs.backward(torch.tensor(up))


def compare(ours, theirs, *arrays, dtype=None, scale=1.0, least=None):
    """Compare values and gradients of two functions of the same arrays."""
    pairs = [pair(a, dtype) for a in arrays]
    y, z = ours(*(p[0] for p in pairs)), theirs(*(p[1] for p in pairs))
    assert_same(y, z, scale, least=least)
    backward(y, z)
    for a, b in pairs:
        if b.grad is not None:
            assert_same(a.grad, b.grad, scale, least=least)


def load_torch(ours, theirs, random=None, spread=1.0):
    """Load torch's state into our module, whose entries have the same names; `random` first draws its parameters anew."""
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if random is not None:
        with torch.no_grad():
            for p in theirs.parameters():
                p.copy_(torch.tensor(random.array(*p.shape) * spread))
    ours.load_state_dict({name: rbe.tensor(value.numpy()) for name, value in theirs.state_dict().items()})


def assert_same_gradients(ours, theirs, least=None):
    """Compare the gradients of the parameters of two modules."""
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            assert_same(p.grad, q.grad, least=least)
