"""Definitions in NumPy that several tests compare with."""

import numpy as np


def flip_gradient(weight, gradient):
    """Change of the loss, first order, by each bit's flip: the weight's gradient (rows, cols) times the step to its other level."""
    bits = weight.hi[:, :, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    padded = np.zeros((weight.shape[0], bits.shape[1] * 64))
    padded[:, : weight.shape[1]] = gradient
    z = weight.lo.astype(np.float64)
    r = np.hypot(z[..., 0], z[..., 1])
    levels = weight.scale * (2 * np.arctanh(r) / r)[..., None] * z
    return padded.reshape(bits.shape) * np.where(bits == 1, -1, 1) * (levels[..., 1:] - levels[..., :1])
