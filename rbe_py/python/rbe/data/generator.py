"""Random numbers of loaders and samplers, apart from the stream of the tensors."""

import operator
import secrets
from typing import Any

import numpy as np

from .. import _rbe
from ..device import check_device
from ..device import device as Device
from ..errors import TensorError

__all__ = ["Generator"]

# The seed of a Generator that is given none: torch's.
_DEFAULT_SEED = 67280421310721

Integers = np.ndarray[Any, np.dtype[np.int64]]


class Generator:
    """A stream of random numbers with a seed and a state of its own; it takes nothing from the stream of `rbe.manual_seed`.

    Parameters
    ----------
    seed : int, optional
        Default is the same number for every Generator, as in torch. A device may stand in its place.
    device : str or device, optional
        The CPU.

    Raises
    ------
    TensorError
        For a seed that is no integer from -2**63 to 2**64 - 1.
    DeviceError
        For another device than the CPU.

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
        """Start the stream of a seed: an integer from -2**63 to 2**64 - 1, negative ones counted from 2**64."""
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
        """Start the stream of a seed that the system draws, and return that seed."""
        return self.manual_seed(secrets.randbits(63)).initial_seed()

    def get_state(self) -> dict[str, Any]:
        """Return where the stream is."""
        return {"seed": self._seed, "numbers": self._numbers.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue a stream from what `get_state` returned.

        Raises
        ------
        TensorError
            For anything else; the stream stays where it was.
        """
        try:
            other = Generator().manual_seed(state["seed"])
            other._numbers.bit_generator.state = state["numbers"]
        except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as e:
            raise TensorError("Generator.set_state", "what get_state returned", f"{type(e).__name__}: {e}") from e
        self._seed, self._numbers = other._seed, other._numbers

    def permutation(self, n: int) -> Integers:
        """Return 0 … n - 1 in random order."""
        return self._numbers.permutation(n)

    def integers(self, high: int, size: int) -> Integers:
        """Return `size` numbers below `high`, with repetition."""
        return self._numbers.integers(0, high, size)

    def choice(self, weights: Any, size: int, replacement: bool) -> Integers:
        """Return `size` positions, each with a probability in proportion to its weight."""
        w = np.asarray(weights, dtype=np.float64)
        return self._numbers.choice(len(w), size, replacement, w / w.sum())


def fresh_seed(generator: Generator | None = None) -> int:
    """Return a seed drawn from a generator, without one from the stream of `rbe.manual_seed`."""
    if generator is not None:
        return int(generator.integers(1 << 62, 1)[0])
    return int(_rbe.randint(0, 1 << 62, []).item())


def generator_or_fresh(generator: Generator | None) -> Generator:
    """Return the generator, without one another whose seed comes from the stream of `rbe.manual_seed`."""
    return generator if generator is not None else Generator(fresh_seed())
