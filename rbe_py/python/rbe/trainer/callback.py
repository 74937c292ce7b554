"""Callbacks of a trainer."""

from collections.abc import Callable, Mapping
from functools import wraps
from types import FunctionType
from typing import Any

from .._arguments import describe
from .._saved import number
from ..errors import DTypeError, TensorError

__all__ = ["EVENTS", "Call", "Callback"]

EVENTS = ("on_fit_start", "on_epoch_start", "on_step_end", "on_epoch_end", "on_interrupt", "on_fit_end")


class Callback:
    """Base of callbacks: a method for every event, each given the `Trainer`.

    Attributes
    ----------
    last : bool
        Be called after all others, as one that saves their state must be.

    Examples
    --------
    >>> import rbe
    >>> class Counter(rbe.trainer.Callback):
    ...     steps = 0
    ...     def on_step_end(self, trainer):
    ...         self.steps += 1
    """

    last = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for event in EVENTS:
            if isinstance(own := vars(cls).get(event), FunctionType):
                setattr(cls, event, _of_a_trainer(own))

    def on_fit_start(self, trainer: Any) -> None:
        """Before the first batch; the state of a run that is continued is already there."""

    def on_epoch_start(self, trainer: Any) -> None:
        """Before the first batch of an epoch."""

    def on_step_end(self, trainer: Any) -> None:
        """After every step of the optimiser; `trainer.state.logs` has the loss and metrics of the epoch so far."""

    def on_epoch_end(self, trainer: Any) -> None:
        """After an epoch and its validation; `trainer.history[-1]` is its entry."""

    def on_interrupt(self, trainer: Any) -> None:
        """After the step in which Ctrl-C came."""

    def on_fit_end(self, trainer: Any) -> None:
        """After the last epoch, after an interrupt, and after an error."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a continued run needs."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; an error must leave the callback as it was."""


def _of_a_trainer(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that raises DTypeError if its argument is not a trainer."""

    @wraps(method)
    def checked(self: Callback, trainer: Any) -> Any:
        if not hasattr(trainer, "state") or not hasattr(trainer, "history"):
            raise DTypeError(f"{type(self).__name__}.{method.__name__}", "a Trainer", describe(trainer))
        return method(self, trainer)

    return checked


class Call(Callback):
    """Plain functions as a callback.

    Parameters
    ----------
    **functions
        A function of the trainer for each event: on_fit_start, on_epoch_start, on_step_end, on_epoch_end, on_interrupt,
        on_fit_end.

    Raises
    ------
    DTypeError
        For an event of another name, or a value that cannot be called.

    Examples
    --------
    >>> import rbe
    >>> call = rbe.trainer.Call(on_step_end=lambda trainer: print(trainer.state.step))
    """

    def __init__(self, **functions: Callable[[Any], Any]) -> None:
        for event, function in functions.items():
            if event not in EVENTS or not callable(function):
                raise DTypeError("Call", f"functions for {', '.join(EVENTS)}", f"{event}={function!r}")
            setattr(self, event, function)


def as_callback(callback: Any) -> Callback:
    """Return a callback; a plain function is called after every epoch.

    Raises
    ------
    DTypeError
        For anything else.
    """
    if isinstance(callback, Callback):
        return callback
    if callable(callback) and not isinstance(callback, type):
        return Call(on_epoch_end=callback)
    raise DTypeError("Trainer", "callbacks or functions of the trainer", repr(callback))


def watched(value_of: Mapping[str, Any], name: str, op: str) -> float:
    """Return the logged value of a name.

    Raises
    ------
    TensorError
        If nothing of that name is logged.
    DTypeError
        If it is no number.
    """
    if name not in value_of:
        raise TensorError(op, f"one of {', '.join(value_of)} to watch", repr(name))
    value = value_of[name]
    return number(op, name, value.item() if getattr(value, "shape", None) == () else value, finite=False)
