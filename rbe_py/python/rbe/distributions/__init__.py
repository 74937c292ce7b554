"""Probability distributions, as in torch: samples, log-probabilities, entropies and Kullback-Leibler divergences."""

from .bernoulli import Bernoulli
from .beta import Beta
from .categorical import Categorical
from .distribution import Distribution
from .divergence import kl_divergence
from .multivariate_normal import MultivariateNormal
from .normal import Normal

__all__ = ["Bernoulli", "Beta", "Categorical", "Distribution", "MultivariateNormal", "Normal", "kl_divergence"]
