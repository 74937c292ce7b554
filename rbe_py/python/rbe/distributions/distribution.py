"""What distributions have in common."""

from collections.abc import Sequence

from .._tensor import RBETensor
from ..autograd import no_grad
from ..errors import MissingMethodError


class Distribution:
    """Base of distributions.

    Parameters
    ----------
    batch_shape : tuple of int
        Shape of the parameters, each of which stands for a distribution of its own.

    Attributes
    ----------
    batch_shape : tuple of int

    Examples
    --------
    >>> import rbe
    >>> coins = rbe.distributions.Bernoulli(rbe.tensor([0.5, 0.1]))
    >>> isinstance(coins, rbe.distributions.Distribution), coins.batch_shape, coins.sample((3,)).shape
    (True, (2,), (3, 2))
    """

    def __init__(self, batch_shape: tuple[int, ...]) -> None:
        self.batch_shape = batch_shape

    def rsample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return samples through which gradients flow to the parameters.

        Raises
        ------
        MissingMethodError
            For a distribution that has none.
        """
        raise MissingMethodError(type(self).__name__, "a distribution with rsample", "sample")

    def sample(self, sample_shape: Sequence[int] = ()) -> RBETensor:
        """Return samples of shape `sample_shape` followed by `batch_shape`, which require no grad."""
        with no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: RBETensor) -> RBETensor:
        """Return the logarithm of the probability, or of its density, of values that broadcast to `batch_shape`.

        Raises
        ------
        MissingMethodError
        """
        raise MissingMethodError(type(self).__name__, "a subclass that has log_prob", type(self).__name__)

    def entropy(self) -> RBETensor:
        """Return the entropies.

        Raises
        ------
        MissingMethodError
        """
        raise MissingMethodError(type(self).__name__, "a subclass that has entropy", type(self).__name__)
