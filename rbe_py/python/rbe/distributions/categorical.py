"""Distributions over classes."""

import math
from collections.abc import Sequence

from .._tensor import RBETensor
from . import _parameters
from .distribution import Distribution


class Categorical(Distribution):
    """A choice among classes, numbered from 0.

    Parameters
    ----------
    probs : tensor (…, classes), optional
        Weights of at least 0, which are divided by their sum.
    logits : tensor (…, classes), optional
        Logarithms of weights instead.

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For parameters that are no floats, have no axis of classes, or weights below 0; for both parameters, or neither.

    Examples
    --------
    >>> import rbe
    >>> rbe.distributions.Categorical(logits=rbe.zeros(4)).entropy()
    tensor(1.3863)
    """

    def __init__(self, probs: RBETensor | None = None, logits: RBETensor | None = None) -> None:
        given = _parameters.one_of("Categorical", probs, logits)
        if probs is not None:
            _parameters.check_all("Categorical", given >= 0, "weights of at least 0", given)
            self.probs = given / given.sum(-1, True)
            # As torch: a class without weight has a finite logarithm.
            eps = 2.220446049250313e-16 if given.dtype.itemsize == 8 else 1.1920928955078125e-07
            self.logits = self.probs.clamp(eps, 1 - eps).log()
        else:
            self.logits = given - given.logsumexp(-1, True)
            self.probs = self.logits.softmax(-1)
        super().__init__(given.shape[:-1])

    def sample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return classes: int64 of shape `sample_shape` followed by `batch_shape`."""
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        count = math.prod(sample_shape)
        drawn = rows.multinomial(count, True)
        return drawn.mT.reshape(*sample_shape, *self.batch_shape)

    def log_prob(self, value: RBETensor) -> RBETensor:
        """Return the logarithms of the probabilities of classes that broadcast to `batch_shape`."""
        shape = (value * 0 + self.logits[..., 0].detach()).shape
        wide = self.logits.broadcast_to([*shape, self.logits.shape[-1]])
        return wide.gather(-1, value.long().broadcast_to(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> RBETensor:
        """Return the entropies."""
        most = -1.7976931348623157e308 if self.logits.dtype.itemsize == 8 else -3.4028234663852886e38
        return -(self.logits.clamp(min=most) * self.probs).sum(-1)
