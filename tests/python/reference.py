"""Definitions in NumPy that several tests compare with."""

import numpy as np
import rbe


def flip_gradient(weight, gradient):
    """Change of the loss, first order, by each bit's flip: the weight's gradient (rows, cols) times the step to its other level."""
    bits = weight.hi[:, :, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    padded = np.zeros((weight.shape[0], bits.shape[1] * 64))
    padded[:, : weight.shape[1]] = gradient
    z = weight.lo.astype(np.float64)
    r = np.hypot(z[..., 0], z[..., 1])
    levels = weight.scale * (2 * np.arctanh(r) / r)[..., None] * z
    return padded.reshape(bits.shape) * np.where(bits == 1, -1, 1) * (levels[..., 1:] - levels[..., :1])


def check_flips(weight, g):
    """Check the flip gradient of every bit of packed filters: the weight's gradient times the change of the decoded weight."""
    dense = weight.to_dense(rbe.float64).numpy().reshape(len(g), -1)
    flipped = rbe.RBETensor.packed(weight.hi ^ _used_bits(weight), weight.lo, weight.shape, weight.scale)
    change = flipped.to_dense(rbe.float64).numpy().reshape(len(g), -1) - dense
    hi = weight.grad.hi.reshape(len(g), -1)[:, : g.shape[1]]
    np.testing.assert_allclose(hi, g * change, rtol=1e-4, atol=1e-5)


def _used_bits(weight):
    """Return a mask of the bits of every block that stand for weights."""
    cols = int(np.prod(weight.shape[1:]))
    full = [64] * (cols // 64) + ([cols % 64] if cols % 64 else [])
    return np.array([(1 << n) - 1 for n in full], dtype=np.uint64)
