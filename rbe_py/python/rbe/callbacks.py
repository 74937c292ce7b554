"""Functions that every `Trainer` of the process calls after an epoch."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ._arguments import describe
from .errors import DTypeError

__all__ = ["clear_training_callbacks", "register_training_callback", "training_callbacks", "unregister_training_callback"]

TrainingCallback = Callable[[int, float, float], Any]

_registered: list[TrainingCallback] = []


def register_training_callback(function: TrainingCallback) -> TrainingCallback:
    """Have every trainer call a function after every epoch, until it is unregistered; also a decorator.

    Parameters
    ----------
    function : callable
        Takes the number of the epoch, from 1, the mean loss of its batches and their accuracy: NaN where the trainer does not
        measure it. `Trainer.train` does for losses of class numbers, `Trainer.fit` with `metrics=["accuracy"]`.

    Returns
    -------
    callable
        The function.

    Raises
    ------
    DTypeError
        For what cannot be called.

    Examples
    --------
    >>> import rbe
    >>> @rbe.callbacks.register_training_callback
    ... def report(epoch, loss, accuracy):
    ...     print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.1%}")
    >>> rbe.callbacks.unregister_training_callback(report)
    """
    if not callable(function):
        raise DTypeError("register_training_callback", "a function of epoch, loss and accuracy", describe(function))
    _registered.append(function)
    return function


def unregister_training_callback(function: TrainingCallback) -> None:
    """Have trainers no longer call a function; one that is not registered is ignored.

    Examples
    --------
    >>> import rbe
    >>> rbe.callbacks.unregister_training_callback(print)
    """
    if function in _registered:
        _registered.remove(function)


def training_callbacks() -> list[TrainingCallback]:
    """Return the registered functions, in the order in which they are called.

    Examples
    --------
    >>> import rbe
    >>> rbe.callbacks.training_callbacks()
    []
    """
    return list(_registered)


def clear_training_callbacks() -> None:
    """Unregister all functions.

    Examples
    --------
    >>> import rbe
    >>> rbe.callbacks.clear_training_callbacks()
    """
    _registered.clear()


def call_training_callbacks(entry: Mapping[str, Any]) -> None:
    """Call the registered functions with an entry of a trainer's history."""
    for function in training_callbacks():
        function(entry["epoch"], entry["loss"], entry.get("accuracy", math.nan))
