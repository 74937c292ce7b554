"""Probability distributions, as in torch: samples, log-probabilities, entropies and Kullback-Leibler divergences."""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .divergence import kl_divergence
from .normal import Normal

__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "kl_divergence"]
