"""Normal distributions."""

import math
from collections.abc import Sequence
from typing import Any

from .._random import randn
from .._tensor import RBETensor
from . import _parameters
from .distribution import Distribution


class Normal(Distribution):
    """The normal distribution.

    Parameters
    ----------
    loc, scale : tensors or floats
        Means and standard deviations, which broadcast.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For parameters that are no floats, do not broadcast, or deviations that are not positive.

    Examples
    --------
    >>> import rbe
    >>> rbe.distributions.Normal(rbe.zeros(1), rbe.ones(1)).log_prob(rbe.zeros(1))
    tensor([-0.9189])
    """

    def __init__(self, loc: Any, scale: Any) -> None:
        self.loc, self.scale = _parameters.floats("Normal", loc, scale)
        _parameters.check_all("Normal", self.scale > 0, "a positive scale", self.scale)
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> RBETensor:
        """The means."""
        return self.loc

    @property
    def stddev(self) -> RBETensor:
        """The standard deviations."""
        return self.scale

    @property
    def variance(self) -> RBETensor:
        """The variances."""
        return self.scale.square()

    def rsample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return samples through which gradients flow to mean and deviation."""
        return self.loc + randn(*sample_shape, *self.batch_shape, dtype=self.loc.dtype) * self.scale

    def log_prob(self, value: RBETensor) -> RBETensor:
        """Return the logarithm of the density of values that broadcast to `batch_shape`."""
        return -(value - self.loc).square() / (2 * self.scale.square()) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def entropy(self) -> RBETensor:
        """Return the entropies."""
        return self.scale.log() + (0.5 + 0.5 * math.log(2 * math.pi))
