"""Kullback-Leibler divergences."""

from .._tensor import RBETensor
from ..errors import DTypeError
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .normal import Normal


def kl_divergence(p: Distribution, q: Distribution) -> RBETensor:
    """Return the Kullback-Leibler divergences of distributions of one kind from others.

    Raises
    ------
    DTypeError
        For two kinds.

    Examples
    --------
    >>> import rbe
    >>> from rbe.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(rbe.zeros(1), rbe.ones(1)), Normal(rbe.ones(1), rbe.ones(1)))
    tensor([0.5])
    """
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale).square()
        return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log())
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        return (p.probs * (p.logits - q.logits)).sum(-1)
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        return -p.entropy() - p.probs * q.logits + q.logits.logaddexp(0.0)
    raise DTypeError("kl_divergence", "two distributions of one kind", f"{type(p).__name__} and {type(q).__name__}")
