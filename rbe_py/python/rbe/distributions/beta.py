"""Beta distributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._random import randint
from .._tensor import RBETensor
from ..creation import tensor
from . import _parameters
from .distribution import Distribution


class Beta(Distribution):
    """The distribution of a probability with density proportional to `x^(a - 1) (1 - x)^(b - 1)`.

    Parameters
    ----------
    concentration1, concentration0 : tensors or floats
        a and b, which broadcast.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For parameters that are no floats, do not broadcast, or are not positive.

    Examples
    --------
    >>> import rbe
    >>> rbe.distributions.Beta(2.0, 2.0).log_prob(rbe.tensor(0.5))
    tensor(0.4055)
    """

    def __init__(self, concentration1: Any, concentration0: Any) -> None:
        self.concentration1, self.concentration0 = _parameters.floats("Beta", concentration1, concentration0)
        for x in (self.concentration1, self.concentration0):
            _parameters.check_all("Beta", x > 0, "positive concentrations", x)
        super().__init__(self.concentration1.shape)

    @property
    def mean(self) -> RBETensor:
        """The means."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> RBETensor:
        """The variances."""
        a, b = self.concentration1, self.concentration0
        return a * b / ((a + b).square() * (a + b + 1))

    def sample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return samples of shape `sample_shape` followed by `batch_shape`, drawn by NumPy with a seed from the stream."""
        random = np.random.Generator(np.random.PCG64(randint(0, 2**62, (1,)).item()))
        a, b = (np.asarray(x.detach().numpy(), np.float64) for x in (self.concentration1, self.concentration0))
        drawn = random.beta(a, b, (*sample_shape, *self.batch_shape))
        return tensor(np.asarray(drawn), dtype=self.concentration1.dtype)

    def log_prob(self, value: RBETensor) -> RBETensor:
        """Return the logarithm of the density of values between 0 and 1 that broadcast to `batch_shape`."""
        a, b = self.concentration1, self.concentration0
        return (a - 1) * value.log() + (b - 1) * (-value).log1p() + self._normalizer()

    def entropy(self) -> RBETensor:
        """Return the entropies."""
        a, b = self.concentration1, self.concentration0
        inner = (a - 1) * a.digamma() + (b - 1) * b.digamma() - (a + b - 2) * (a + b).digamma()
        return -self._normalizer() - inner

    def _normalizer(self) -> RBETensor:
        a, b = self.concentration1, self.concentration0
        return (a + b).lgamma() - a.lgamma() - b.lgamma()
