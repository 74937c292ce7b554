"""The state of a run: the parts of a trainer, counters and history, and how they are saved and restored."""

import os
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from .. import io
from .._arguments import describe
from .._saved import entries, integer, number, plain, sequence
from .._tensor import RBETensor
from ..errors import DTypeError, FormatError, TensorError
from ..optim.base import Optimizer
from .callback import Callback
from .evaluation import Evaluator
from .state import OP, State, check_random_state, random_state

__all__ = ["Run"]

PARTS = ("model", "optimizer", "scheduler", "state", "history", "random", "epoch_start", "callbacks")
COUNTERS = ("epoch", "step")
FIGURES = ("loss", "val_loss", "lr", "seconds")

Path = str | os.PathLike[str]


class Run(Evaluator):
    """Base of `Trainer`: the parts and the state that callbacks read and files hold."""

    optimizer: Optimizer
    scheduler: Any
    callbacks: list[Callback]
    state: State
    history: list[dict[str, Any]]
    epochs: int
    batches_per_epoch: int | None
    _loader: Any
    _epoch_start: dict[str, Any] | None  # random numbers as they were before the epoch's order was drawn
    _loaded: dict[str, Any] | None  # those of a file, until there is a loader

    @property
    def lr(self) -> float:
        """Rate of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a run needs to continue bit for bit."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "state": self.state.state_dict(),
            "history": [{name: as_logged(value) for name, value in entry.items()} for entry in self.history],
            "random": random_state(self._loader),
            "epoch_start": self._epoch_start,
            "callbacks": [[type(c).__name__, c.state_dict()] for c in self.callbacks if c.state_dict()],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; `fit(resume=True)` then continues.

        Raises
        ------
        FormatError
            For a damaged state, or that of another model, optimiser, scheduler or set of callbacks. Nothing has changed
            then.
        """
        try:
            entries(OP, "a trainer's state", state_dict, PARTS)
            state, history = _progress(state_dict)
            keyed = _callbacks(self, state_dict["callbacks"])
            if (state_dict["scheduler"] is None) != (self.scheduler is None):
                where = "the trainer" if self.scheduler is not None else "the file"
                raise TensorError(OP, "a scheduler both in the trainer and in the file, or in neither", f"one in {where} alone")
            _take(self, state_dict, keyed)
        except MemoryError:
            raise  # nothing is wrong with the state
        except Exception as e:  # callbacks of one's own raise errors of any kind
            raise FormatError(OP, "the state of this trainer", str(e)) from e
        self.state, self.history = state, history
        self._epoch_start, self._loaded = state_dict["epoch_start"], state_dict["random"]

    def save(self, path: Path) -> None:
        """Write `state_dict()` to a safetensors file, whole or not at all.

        Raises
        ------
        FormatError
            If the file cannot be written.
        """
        io.save(path, self.state_dict())

    def load(self, path: Path) -> None:
        """Restore what `save` wrote; `fit(resume=True)` then continues.

        Raises
        ------
        FormatError
            As `load_state_dict`, and for a file that cannot be read.
        """
        self.load_state_dict(io.load(path))


def as_logged(value: Any) -> Any:
    """Return a value of the history as Python numbers, text, lists and mappings: callbacks may add values of any kind."""
    if isinstance(value, RBETensor | np.ndarray):
        value = value.tolist() if not getattr(value, "is_packed", False) else str(value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): as_logged(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_logged(v) for v in value]
    return str(value)


def _progress(saved: Mapping[str, Any]) -> tuple[State, list[dict[str, Any]]]:
    """Return the counters and the history of a saved run, both checked."""
    state = State()
    state.load_state_dict(saved["state"])
    check_random_state(saved["random"])
    start = saved["epoch_start"]
    if start is not None:
        check_random_state(start)
        generators = [len(random["loader"]) for random in (start, saved["random"])]
        if generators[0] != generators[1]:
            raise TensorError(OP, "as many generators at the start of the epoch as now", f"{generators[0]} and {generators[1]}")
    elif state.batch:
        raise TensorError(
            OP, "the random state at the start of an epoch whose batches were partly used", f"none after {state.batch} batches"
        )
    history = []
    for entry in sequence(OP, "history", saved["history"]):
        found = entries(OP, "history", entry, COUNTERS, others=True)
        for name, value in found.items():
            if not isinstance(name, str):
                raise DTypeError(OP, "names in the history", describe(name))
            if name in COUNTERS:
                integer(OP, name, value)
            elif name in FIGURES:
                number(OP, name, value, finite=False)
        history.append(plain(found))
    return state, history


def _callbacks(run: Run, saved: Any) -> list[tuple[Callback, Any]]:
    """Return the callbacks that keep a state, each with its saved one."""
    keyed = [c for c in run.callbacks if c.state_dict()]
    pairs = [sequence(OP, "callbacks", pair, 2) for pair in sequence(OP, "callbacks", saved)]
    wanted, names = [type(c).__name__ for c in keyed], [name for name, _ in pairs]
    if wanted != names:
        raise TensorError(OP, f"the state of callbacks {wanted}", describe(names))
    return [(callback, own) for callback, (_, own) in zip(keyed, pairs, strict=True)]


def _take(run: Run, saved: Mapping[str, Any], keyed: list[tuple[Callback, Any]]) -> None:
    """Load the parts, the model last; after an error in one those before it have their own state back."""
    undo: list[Callable[[], object]] = []
    try:
        for callback, own in keyed:
            before = plain(callback.state_dict())
            undo.append(lambda c=callback, b=before: c.load_state_dict(b))  # type: ignore[misc]
            callback.load_state_dict(own)
        if run.scheduler is not None:
            before = run.scheduler.state_dict()
            undo.append(lambda b=before: run.scheduler.load_state_dict(b))  # type: ignore[misc]
            run.scheduler.load_state_dict(saved["scheduler"])
        before = run.optimizer.state_dict()
        undo.append(lambda b=before: run.optimizer.load_state_dict(b))  # type: ignore[misc]
        run.optimizer.load_state_dict(saved["optimizer"])
        run.model.load_state_dict(saved["model"])
    except BaseException:
        for step in reversed(undo):
            step()
        raise
