"""Functions to script, and the comparison of results and gradients."""

import numpy as np
import rbe
from inputs import Inputs
from rbe import nn
from rbe.jit import script

RNG = Inputs()


F = nn.functional


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
    return RNG.leaf(2, dtype=dtype).requires_grad_(grad)
