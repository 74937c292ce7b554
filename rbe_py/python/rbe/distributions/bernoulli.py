"""Distributions of 0 and 1."""

from collections.abc import Sequence

from .._random import rand
from .._tensor import RBETensor
from . import _parameters
from .distribution import Distribution


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Parameters
    ----------
    probs : tensor or float, optional
        Probabilities of 1.
    logits : tensor or float, optional
        Their `ln(p / (1 - p))` instead.

    Raises
    ------
    DTypeError, TensorError
        For parameters that are no floats, or not from 0 to 1; for both parameters, or neither.

    Examples
    --------
    >>> import rbe
    >>> rbe.distributions.Bernoulli(rbe.tensor([0.25])).log_prob(rbe.ones(1))
    tensor([-1.3863])
    """

    def __init__(self, probs: RBETensor | None = None, logits: RBETensor | None = None) -> None:
        given = _parameters.one_of("Bernoulli", probs, logits)
        if probs is not None:
            _parameters.check_all("Bernoulli", (given >= 0) & (given <= 1), "probabilities from 0 to 1", given)
            eps = 2.220446049250313e-16 if given.dtype.itemsize == 8 else 1.1920928955078125e-07
            inside = given.clamp(eps, 1 - eps)
            self.probs, self.logits = given, inside.log() - (-inside).log1p()
        else:
            self.probs, self.logits = given.sigmoid(), given
        super().__init__(given.shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return 0 and 1 as floats, of shape `sample_shape` followed by `batch_shape`."""
        chance = self.probs.detach()
        return (rand(*sample_shape, *self.batch_shape, dtype=chance.dtype) < chance).to(chance.dtype)

    def log_prob(self, value: RBETensor) -> RBETensor:
        """Return the logarithms of the probabilities of 0 and 1 that broadcast to `batch_shape`."""
        x = self.logits
        return value * x - x.logaddexp(0.0)

    def entropy(self) -> RBETensor:
        """Return the entropies."""
        x = self.logits
        return x.logaddexp(0.0) - self.probs * x
