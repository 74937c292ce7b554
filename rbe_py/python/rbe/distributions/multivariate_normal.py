"""Normal distributions of vectors."""

import math
from collections.abc import Sequence
from typing import Any

from .. import linalg
from .._random import randn
from .._tensor import RBETensor
from ..errors import ShapeError, TensorError
from ..joining import broadcast_shapes
from . import _parameters
from .distribution import Distribution


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n elements, by their covariances.

    Parameters
    ----------
    loc : tensor (…, n)
        Means.
    covariance_matrix, precision_matrix, scale_tril : tensor (…, n, n)
        One of: the covariances, their inverse, or their Cholesky factor. Batches broadcast.

    Attributes
    ----------
    event_shape : tuple of int
        (n).

    Raises
    ------
    DTypeError, ShapeError, TensorError
        For parameters that are no floats or do not fit, or not one of the three.
    LinAlgError
        For a matrix that is not positive definite.

    Examples
    --------
    >>> import rbe
    >>> rbe.distributions.MultivariateNormal(rbe.zeros(2), rbe.eye(2)).log_prob(rbe.zeros(2))
    tensor(-1.8379)
    """

    def __init__(
        self,
        loc: RBETensor,
        covariance_matrix: RBETensor | None = None,
        precision_matrix: RBETensor | None = None,
        scale_tril: RBETensor | None = None,
    ) -> None:
        op = "MultivariateNormal"
        given = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if len(given) != 1:
            raise TensorError(op, "one of covariance_matrix, precision_matrix and scale_tril", f"{len(given)} of them")
        if loc.ndim < 1 or given[0].ndim < 2 or given[0].shape[-2:] != (loc.shape[-1],) * 2:
            raise ShapeError(op, "means (…, n) and matrices (…, n, n)", f"{tuple(loc.shape)} and {tuple(given[0].shape)}")
        if scale_tril is not None:
            factor = scale_tril.tril()
        elif covariance_matrix is not None:
            factor = linalg.cholesky(covariance_matrix)
        else:
            factor = linalg.cholesky(linalg.inv(given[0]))
        diagonal = factor.diagonal(0, -2, -1)
        _parameters.check_all(op, diagonal > 0, "a factor with a positive diagonal", diagonal)
        batch = broadcast_shapes(loc.shape[:-1], factor.shape[:-2])
        self.event_shape = tuple(loc.shape[-1:])
        self.loc = loc.broadcast_to([*batch, *self.event_shape])
        self.scale_tril = factor.broadcast_to([*batch, *factor.shape[-2:]])
        super().__init__(batch)

    @property
    def mean(self) -> RBETensor:
        """The means."""
        return self.loc

    @property
    def covariance_matrix(self) -> RBETensor:
        """The covariances."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def variance(self) -> RBETensor:
        """The variances of the elements."""
        return self.scale_tril.square().sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return samples through which gradients flow to the parameters."""
        drawn = randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ drawn.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Any) -> RBETensor:
        """Return the logarithm of the density of vectors (…, n)."""
        apart = value - self.loc
        white = linalg.solve_triangular(self.scale_tril, apart.unsqueeze(-1), upper=False).squeeze(-1)
        return -0.5 * (white.square().sum(-1) + self.event_shape[0] * math.log(2 * math.pi)) - self._half_log_det()

    def entropy(self) -> RBETensor:
        """Return the entropies."""
        return self._half_log_det() + 0.5 * self.event_shape[0] * (1.0 + math.log(2 * math.pi))

    def _half_log_det(self) -> RBETensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)
