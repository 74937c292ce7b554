"""Counters of a run, and the state of every random number generator that it uses."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .. import _rbe, creation, dtypes
from .._arguments import describe
from .._saved import entries, integer, number, sequence
from .._tensor import RBETensor
from ..data import Generator
from ..errors import FormatError, TensorError
from .metric import Averages

__all__ = ["State"]

OP = "Trainer.load_state_dict"
WORD = 2**32


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

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        DTypeError, TensorError
            For a damaged state; nothing has changed then.
        """
        saved = entries(OP, "state", state_dict, ("epoch", "batch", "step", "averages"))
        counters = [integer(OP, name, saved[name]) for name in ("epoch", "batch", "step")]
        self.averages.load_state_dict(saved["averages"])
        self.epoch, self.batch, self.step = counters


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


def check_random_state(state: Any) -> None:
    """Raise unless `set_random_state` accepts a state; the number of the loader's generators is not checked.

    Raises
    ------
    DTypeError, TensorError
        For a damaged state.
    """
    saved = entries(OP, "random", state, ("rbe", "loader", "numpy", "python"))
    for part in sequence(OP, "random.rbe", saved["rbe"], 2):
        integer(OP, "random.rbe", part, 0, 2**64 - 1)
    for generator in sequence(OP, "random.loader", saved["loader"]):
        integer(OP, "seed", entries(OP, "random.loader", generator, ("seed", "numbers"))["seed"], 0, 2**128)
        _tried("random.loader", partial(Generator(0).set_state, generator))
    kind, words, place, has_gauss, gauss = sequence(OP, "random.numpy", saved["numpy"], 5)
    integer(OP, "random.numpy", place, 0, 624)
    integer(OP, "random.numpy", has_gauss, 0, 1)
    numbers = (kind, _words("random.numpy", words).astype(np.uint32), place, has_gauss, number(OP, "random.numpy", gauss))
    _tried("random.numpy", lambda: np.random.RandomState(0).set_state(numbers))
    version, words, spare = sequence(OP, "random.python", saved["python"], 3)
    integer(OP, "random.python", version)
    if spare is not None:
        number(OP, "random.python", spare)
    _tried("random.python", lambda: random.Random(0).setstate((version, tuple(_words("random.python", words).tolist()), spare)))


def _words(what: str, words: Any) -> "np.ndarray[Any, Any]":
    if not isinstance(words, RBETensor) or words.is_packed or words.dtype is not dtypes.int64:
        raise TensorError(OP, f"{what} with an int64 tensor", describe(words))
    values = words.numpy()
    if values.size and not (values.min() >= 0 and values.max() < WORD):
        raise TensorError(OP, f"{what} with words of 32 bits", f"{values.min()} to {values.max()}")
    return values


def _tried(what: str, take: Callable[[], object]) -> None:
    """Call `take`, which restores a generator from a state; its errors of any kind become TensorError."""
    try:
        take()
    except MemoryError:
        raise
    except Exception as e:
        raise TensorError(OP, f"a state of random numbers as {what}", str(e)) from e


def check_generators(state: Mapping[str, Any], loader: Any) -> None:
    """Raise unless a loader has as many generators as the one of the saved state.

    Raises
    ------
    FormatError
    """
    wanted, have = len(state["loader"]), len(list(_generators(loader)))
    if wanted != have:
        raise FormatError("fit", f"a loader with {wanted} generators, as when saved", str(have))


def set_random_state(state: Mapping[str, Any], loader: Any) -> None:
    """Set all random number generators to what `random_state` returned.

    Raises
    ------
    FormatError
        For a loader with more or fewer generators; nothing has changed then.
    """
    check_generators(state, loader)
    seed, streams = state["rbe"]
    _rbe.set_rng_state((seed, streams))
    for generator, saved in zip(_generators(loader), state["loader"], strict=True):
        generator.set_state(saved)
    kind, words, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), place, has_gauss, gauss))
    version, numbers, spare = state["python"]
    random.setstate((version, tuple(numbers.tolist()), spare))
