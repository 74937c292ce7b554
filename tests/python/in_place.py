"""Programs that change tensors in place, compared with programs that do not."""

import numpy as np
import rbe
from inputs import Inputs

RNG = Inputs()


def gradients(program, *arrays):
    """Result of `program` on leaves of copies of the arrays, and the gradients of its weighted sum."""
    leaves = [rbe.tensor(a.copy(), requires_grad=True) for a in arrays]
    out = program(*leaves)
    weights = np.cos(np.arange(out.numel(), dtype=float)).reshape(out.shape)
    if out.requires_grad:
        (out * rbe.tensor(weights)).sum().backward()
    return out.detach().numpy(), [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]


def agree(changed, plain, *arrays):
    """A program that changes tensors in place does what one that does not does."""
    (y, dy), (z, dz) = gradients(changed, *arrays), gradients(plain, *arrays)
    np.testing.assert_allclose(y, z, rtol=1e-12)
    for a, b in zip(dy, dz, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def arrays(*shapes):
    return [RNG.array(shape) + 3.0 for shape in shapes]
