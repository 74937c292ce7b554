"""Where a run is: counters, and every stream of random numbers that it draws from."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _rbe, creation
from ..data import Generator
from ..errors import FormatError
from .metric import Averages


@dataclass
class State:
    """Counters of a run.

    Attributes
    ----------
    epoch : int
        Epochs that are finished.
    batch : int
        Batches used of the present epoch.
    step : int
        Steps of the optimiser.
    logs : dict of str to float
        Means over the present epoch so far: loss, metrics.
    stop : bool
        Set it to end training after the present step.

    Examples
    --------
    >>> import rbe
    >>> state = rbe.trainer.State()
    >>> state.epoch, state.batch, state.step
    (0, 0, 0)
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    stop: bool = False
    averages: Averages = field(default_factory=Averages)

    @property
    def logs(self) -> dict[str, float]:
        """Means over the present epoch so far."""
        return self.averages.means()

    def state_dict(self) -> dict[str, Any]:
        """Return the counters."""
        return {"epoch": self.epoch, "batch": self.batch, "step": self.step, "averages": self.averages.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.epoch, self.batch, self.step = (int(state_dict[name]) for name in ("epoch", "batch", "step"))
        self.averages.load_state_dict(state_dict["averages"])


def _generators(loader: Any) -> Iterator[Generator]:
    """Yield the generators that a loader and its samplers draw from, each once."""
    batches = getattr(loader, "batch_sampler", None)
    parts = (loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None))
    found = {id(g): g for part in parts if isinstance(g := getattr(part, "generator", None), Generator)}
    yield from found.values()


def random_state(loader: Any) -> dict[str, Any]:
    """Return the state of all random numbers: tensors', the loader's, NumPy's and Python's global ones."""
    kind, words, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, numbers, spare = random.getstate()
    return {
        "rbe": list(_rbe.get_rng_state()),
        "loader": [g.get_state() for g in _generators(loader)],
        "numpy": [kind, creation.tensor(np.asarray(words, dtype=np.int64)), place, has_gauss, gauss],
        "python": [version, creation.tensor(np.array(numbers, dtype=np.int64)), spare],
    }


def set_random_state(state: dict[str, Any], loader: Any) -> None:
    """Continue all random numbers from what `random_state` returned.

    Raises
    ------
    FormatError
        For a loader with more or fewer generators.
    """
    generators = list(_generators(loader))
    if len(generators) != len(state["loader"]):
        raise FormatError("load", f"a loader with {len(state['loader'])} generators, as when saved", str(len(generators)))
    seed, streams = state["rbe"]
    _rbe.set_rng_state((seed, streams))
    for generator, saved in zip(generators, state["loader"], strict=True):
        generator.set_state(saved)
    kind, words, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), place, has_gauss, gauss))
    version, numbers, spare = state["python"]
    random.setstate((version, tuple(numbers.tolist()), spare))
