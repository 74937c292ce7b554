"""Random numbers of loaders and samplers, apart from the stream of the tensors."""

from typing import Any

import numpy as np

from .. import _rbe


class Generator:
    """A stream of random numbers with a seed and a state of its own.

    Parameters
    ----------
    seed : int, optional
        Default one drawn from the stream of `rbe.manual_seed`.

    Examples
    --------
    >>> import rbe
    >>> rbe.Generator(1).integers(10, 3).tolist() == rbe.Generator(1).integers(10, 3).tolist()
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.manual_seed(fresh_seed() if seed is None else seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream of a seed."""
        self._seed = seed
        self._numbers = np.random.Generator(np.random.PCG64(seed))
        return self

    def initial_seed(self) -> int:
        """Return the seed."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """Return where the stream is."""
        return {"seed": self._seed, "numbers": self._numbers.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue a stream from what `get_state` returned."""
        self.manual_seed(state["seed"])
        self._numbers.bit_generator.state = state["numbers"]

    def permutation(self, n: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return 0 … n - 1 in random order."""
        return self._numbers.permutation(n)

    def integers(self, high: int, size: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return `size` numbers below `high`, with repetition."""
        return self._numbers.integers(0, high, size)

    def choice(self, weights: Any, size: int, replacement: bool) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return `size` positions, each with a probability in proportion to its weight."""
        w = np.asarray(weights, dtype=np.float64)
        return self._numbers.choice(len(w), size, replacement, w / w.sum())

    def seed(self) -> int:
        """Return a seed for another stream."""
        return int(self._numbers.integers(0, 1 << 62))


def fresh_seed() -> int:
    """Return a seed drawn from the stream of `rbe.manual_seed`."""
    return int(_rbe.randint(0, 1 << 62, []).item())
