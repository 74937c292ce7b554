"""Values of torch and their twins in rbe, for tests that run torch's own databases through rbe."""

import itertools

import numpy as np
import rbe
from beside_torch import TWINS, array, difference, torch

# Types in which rbe computes, so that tensors of samples have them.
COMPUTED = (torch.float32, torch.float64, torch.int64, torch.bool)
# Relative to the largest number of a result.
TOLERANCE = {torch.float32: 1.3e-6, torch.float64: 1e-12}


class NotComparable(Exception):
    """A value that rbe does not claim to have: another dtype, device, layout, or a helper of torch itself."""


def to_rbe(value, seen=None):
    """The twin of a torch value; tensors that require gradients become leaves that do. `seen` maps id to (value, twin)."""
    seen = {} if seen is None else seen
    if isinstance(value, torch.Tensor):
        if value.dtype not in COMPUTED or value.layout is not torch.strided or value.device.type != "cpu":
            raise NotComparable(f"{value.dtype} {value.layout} {value.device}")
        if id(value) not in seen:
            twin = rbe.from_torch(value.detach())
            twin.requires_grad = value.requires_grad
            seen[id(value)] = (value, twin)
        return seen[id(value)][1]
    if isinstance(value, torch.dtype):
        if value not in TWINS:
            raise NotComparable(str(value))
        return TWINS[value]
    if isinstance(value, torch.device):
        return value.type
    if isinstance(value, torch.memory_format) and "channels" not in str(value):
        return getattr(rbe, str(value).removeprefix("torch."))
    if isinstance(value, complex | torch.layout | torch.memory_format | torch.Generator):
        raise NotComparable(type(value).__name__)
    if callable(value) and getattr(torch.nn.functional, getattr(value, "__name__", ""), None) is value:
        return getattr(rbe.nn.functional, value.__name__, value)  # an activation
    if type(value) is torch.nn.TransformerEncoderLayer:  # its weights are loaded with those of the module around it
        attention, bias = value.self_attn, value.linear1.bias is not None
        sizes = (attention.embed_dim, attention.num_heads, value.linear1.out_features, value.dropout.p)
        how = (to_rbe(value.activation), value.norm1.eps, attention.batch_first, value.norm_first, bias)
        return rbe.nn.TransformerEncoderLayer(*sizes, *how)
    if isinstance(value, torch.nn.Module) or (
        callable(value) and (getattr(value, "__module__", "") or "").startswith("torch.")
    ):
        raise NotComparable("a function of torch")
    return _rebuilt(value, lambda v: to_rbe(v, seen))


def fresh(value, seen):
    """`value` with new torch leaves over the same memory: what a call does to `.grad` stays with this copy."""
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = (value, value.detach().requires_grad_(value.requires_grad))
        return seen[id(value)][1]
    return _rebuilt(value, lambda v: fresh(v, seen))


def _rebuilt(value, change):
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, list | tuple):
        return type(value)(map(change, value))
    if isinstance(value, dict):
        return {k: change(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(change(value.start), change(value.stop), change(value.step))
    return value


def leaves(value):
    """All parts of nested lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    return list(itertools.chain.from_iterable(map(leaves, value))) if isinstance(value, list | tuple) else [value]


def disagreement(ours, theirs, least=1e-5):
    """Return `difference` under the tolerance of a single operation.

    For gradients `least` is 1, the size of the upstream gradient: their terms may cancel.
    """
    return difference(ours, theirs, 0.0, TOLERANCE.get(getattr(theirs, "dtype", None), 0.0), least)


def is_clear(error):
    """Whether an exception says what is not taken: an error of rbe, or Python's own of a wrong signature."""
    return isinstance(error, rbe.RBEError | NotImplementedError) or (
        isinstance(error, TypeError) and any(s in str(error) for s in ("argument", "keyword", "must be"))
    )


def widened(value, seen):
    """`value` with its float32 tensors in float64: what judges two results that differ by rounding."""
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            wide = value.detach().to(torch.float64 if value.dtype is torch.float32 else value.dtype)
            seen[id(value)] = (value, wide.requires_grad_(value.requires_grad))
        return seen[id(value)][1]
    if value is torch.float32:
        return torch.float64
    return _rebuilt(value, lambda v: widened(v, seen))


def is_as_near(ours, theirs, exact):
    """Whether a float32 result lies as near to the float64 one as torch's, within a factor and a few roundings."""
    x, y, z = (array(v).astype(np.float64) for v in (ours, theirs, exact))
    if not x.shape == y.shape == z.shape:
        return False
    finite = np.isfinite(z) & np.isfinite(y)
    if not np.array_equal(np.isnan(x[~finite]), np.isnan(y[~finite])) or not np.isfinite(x[finite]).all():
        return False
    error, bound = np.abs(x - z)[finite], np.abs(y - z)[finite]
    return bool((error <= 4 * bound.max(initial=0.0) + 1e-6 * np.abs(z[finite]).max(initial=0.0) + 1e-7).all())
