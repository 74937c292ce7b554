"""Inputs of tests: random ones, and a fixed pattern."""

import numpy as np
import rbe


class Inputs(np.random.Generator):
    """A stream of random inputs: what NumPy's generator draws, and arrays and tensors of normally distributed numbers.

    Equal seeds give equal inputs. A shape is given as numbers or as one tuple.
    """

    def __init__(self, seed=0):
        super().__init__(np.random.PCG64(seed))
        self.seed = seed

    def __reduce__(self):
        return Inputs, (self.seed,)

    def array(self, *shape, dtype=np.float64):
        """Draw an array."""
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return np.asarray(self.standard_normal(shape)).astype(dtype)

    def tensor(self, *shape, dtype=np.float64):
        """Draw a tensor without gradient."""
        return rbe.tensor(self.array(*shape, dtype=dtype))

    def leaf(self, *shape, dtype=np.float64):
        """Draw a tensor that requires a gradient."""
        return rbe.tensor(self.array(*shape, dtype=dtype), requires_grad=True)


def waves(shape, start=0.0):
    """Return an array of sines, all different, which need no random numbers."""
    return np.sin(np.arange(int(np.prod(shape))) + start).reshape(shape)
