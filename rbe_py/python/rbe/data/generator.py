"""Random numbers of loaders and samplers, independent of the tensors' stream."""

import operator
import secrets
from typing import Any

import numpy as np

from .. import _rbe
from ..device import check_device
from ..device import device as Device
from ..errors import TensorError

__all__ = ["Generator"]

# Default seed of a Generator, as in torch.
_DEFAULT_SEED = 67280421310721

Integers = np.ndarray[Any, np.dtype[np.int64]]


class Generator:
    """A stream of random numbers with its own seed and state, independent of the stream of `rbe.manual_seed`.

    Parameters
    ----------
    seed : int, optional
        Default: the same number for every Generator, as in torch. A device is accepted in its place.
    device : str or device, optional
        The CPU.

    Raises
    ------
    TensorError
        For a seed that is not an integer from -2**63 to 2**64 - 1.
    DeviceError
        For a device other than the CPU.

    Examples
    --------
    >>> import rbe
    >>> rbe.Generator(1).integers(10, 3).tolist() == rbe.Generator().manual_seed(1).integers(10, 3).tolist()
    True
    """

    def __init__(self, seed: int | str | Device | None = None, device: str | Device | None = None) -> None:
        if isinstance(seed, str | Device):
            seed, device = None, seed
        check_device("Generator", device)
        self.device = Device("cpu" if device is None else device)
        self.manual_seed(_DEFAULT_SEED if seed is None else seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Restart the stream with a seed: an integer from -2**63 to 2**64 - 1; 2**64 is added to a negative one."""
        try:
            number = operator.index(seed)
        except TypeError:
            number = None
        if number is None or not -(1 << 63) <= number < 1 << 64:
            raise TensorError("Generator", "an integer from -2**63 to 2**64 - 1 as seed", repr(seed))
        self._seed = number % (1 << 64)
        self._numbers = np.random.Generator(np.random.PCG64(self._seed))
        return self

    def initial_seed(self) -> int:
        """Return the seed."""
        return self._seed

    def seed(self) -> int:
        """Restart the stream with a seed drawn by the system, and return the seed."""
        return self.manual_seed(secrets.randbits(63)).initial_seed()

    def get_state(self) -> dict[str, Any]:
        """Return the position in the stream."""
        return {"seed": self._seed, "numbers": self._numbers.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue a stream from a state that `get_state` returned.

        Raises
        ------
        TensorError
            For any other value; the stream is unchanged.
        """
        try:
            other = Generator().manual_seed(state["seed"])
            other._numbers.bit_generator.state = state["numbers"]
        except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as e:
            raise TensorError("Generator.set_state", "a state that get_state returned", f"{type(e).__name__}: {e}") from e
        self._seed, self._numbers = other._seed, other._numbers

    def permutation(self, n: int) -> Integers:
        """Return 0 … n - 1 in random order."""
        return self._numbers.permutation(n)

    def integers(self, high: int, size: int) -> Integers:
        """Return `size` numbers below `high`, with repetition."""
        return self._numbers.integers(0, high, size)

    def choice(self, weights: Any, size: int, replacement: bool) -> Integers:
        """Return `size` positions, drawn with probabilities proportional to their weights."""
        w = np.asarray(weights, dtype=np.float64)
        return self._numbers.choice(len(w), size, replacement, w / w.sum())


def fresh_seed(generator: Generator | None = None) -> int:
    """Return a seed drawn from the generator, or from the stream of `rbe.manual_seed` if it is None."""
    if generator is not None:
        return int(generator.integers(1 << 62, 1)[0])
    return int(_rbe.randint(0, 1 << 62, []).item())


def generator_or_fresh(generator: Generator | None) -> Generator:
    """Return the generator, or if it is None a new one seeded from the stream of `rbe.manual_seed`."""
    return generator if generator is not None else Generator(fresh_seed())
