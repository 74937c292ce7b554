"""A trainer's state, checked as a whole before any of it is taken over."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._arguments import describe
from .._saved import entries, integer, number, plain, sequence
from ..errors import DTypeError, FormatError, TensorError
from .callback import Callback
from .state import OP, State, check_random_state

if TYPE_CHECKING:
    from .loop import Trainer

PARTS = ("model", "optimizer", "scheduler", "state", "history", "random", "epoch_start", "callbacks")
COUNTERS = ("epoch", "step")
FIGURES = ("loss", "val_loss", "lr", "seconds")


def restore(trainer: "Trainer", saved: Any) -> None:
    """Do what `Trainer.load_state_dict` says.

    Raises
    ------
    FormatError
        For whatever is wrong with the state.
    """
    try:
        entries(OP, "a trainer's state", saved, PARTS)
        state, history = _progress(saved)
        keyed = _callbacks(trainer, saved["callbacks"])
        if (saved["scheduler"] is None) != (trainer.scheduler is None):
            raise TensorError(OP, "a scheduler both in the trainer and in the file, or in neither", "one")
        _take(trainer, saved, keyed)
    except MemoryError:
        raise  # nothing is wrong with the state
    except Exception as e:  # callbacks of one's own raise errors of any kind
        raise FormatError(OP, "the state of this trainer", str(e)) from e
    trainer.state, trainer.history = state, history
    trainer._epoch_start, trainer._loaded = saved["epoch_start"], saved["random"]


def _progress(saved: Mapping[str, Any]) -> tuple[State, list[dict[str, Any]]]:
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
        raise TensorError(OP, "random numbers at the start of an epoch of which batches are used", "none")
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


def _callbacks(trainer: "Trainer", saved: Any) -> list[tuple[Callback, Any]]:
    """Return the callbacks that keep a state, each with its saved one."""
    keyed = [c for c in trainer.callbacks if c.state_dict()]
    pairs = [sequence(OP, "callbacks", pair, 2) for pair in sequence(OP, "callbacks", saved)]
    wanted, names = [type(c).__name__ for c in keyed], [name for name, _ in pairs]
    if wanted != names:
        raise TensorError(OP, f"the state of callbacks {wanted}", describe(names))
    return [(callback, own) for callback, (_, own) in zip(keyed, pairs, strict=True)]


def _take(trainer: "Trainer", saved: Mapping[str, Any], keyed: list[tuple[Callback, Any]]) -> None:
    """Load the parts, the model last; after an error in one those before it have their own state back."""
    undo: list[Callable[[], object]] = []
    try:
        for callback, own in keyed:
            before = plain(callback.state_dict())
            undo.append(lambda c=callback, b=before: c.load_state_dict(b))  # type: ignore[misc]
            callback.load_state_dict(own)
        if trainer.scheduler is not None:
            before = trainer.scheduler.state_dict()
            undo.append(lambda b=before: trainer.scheduler.load_state_dict(b))  # type: ignore[misc]
            trainer.scheduler.load_state_dict(saved["scheduler"])
        before = trainer.optimizer.state_dict()
        undo.append(lambda b=before: trainer.optimizer.load_state_dict(b))  # type: ignore[misc]
        trainer.optimizer.load_state_dict(saved["optimizer"])
        trainer.model.load_state_dict(saved["model"])
    except BaseException:
        for step in reversed(undo):
            step()
        raise
