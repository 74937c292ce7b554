"""Early stopping."""

import math
from collections.abc import Mapping
from typing import Any

from .._arguments import real, whole
from .._saved import entries, integer, number
from ..errors import TensorError
from .callback import Callback, watched
from .run import Run

__all__ = ["EarlyStopping"]


class Best:
    """The best value so far of something watched."""

    def __init__(self, op: str, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise TensorError(op, "mode 'min' or 'max'", repr(mode))
        self.op, self.monitor, self.mode, self.min_delta = op, monitor, mode, real(op, "min_delta", min_delta)
        if self.min_delta < 0:
            raise TensorError(op, "min_delta >= 0", str(min_delta))
        self.forget()

    def forget(self) -> None:
        """Drop the value."""
        self.value = math.inf if self.mode == "min" else -math.inf

    def improves(self, entry: Mapping[str, Any]) -> bool:
        """Return whether the value of an epoch is better by more than `min_delta`, and keep it if so. NaN never is."""
        value = watched(entry, self.monitor, self.op)
        better = value < self.value - self.min_delta if self.mode == "min" else value > self.value + self.min_delta
        if better:
            self.value = value
        return better


def best_value(op: str, saved: Any) -> float:
    """Return a saved best value after checking it; NaN is refused.

    Raises
    ------
    DTypeError, TensorError
        For anything else.
    """
    found = number(op, "best", saved, finite=False)
    if math.isnan(found):
        raise TensorError(op, "a best value that is a number", "nan")
    return found


class EarlyStopping(Callback):
    """Stop when a value has not improved for a number of epochs.

    Parameters
    ----------
    monitor : str
        Name in the history entry of an epoch, such as "val_loss".
    patience : int
        Epochs without improvement before training stops.
    mode : {"min", "max"}
        Whether smaller or larger is better.
    min_delta : float
        By how much a value must be better to count.

    Raises
    ------
    TensorError
        For an unknown mode, or a negative number.

    Examples
    --------
    >>> import rbe
    >>> stopping = rbe.trainer.EarlyStopping("val_accuracy", patience=5, mode="max")
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 3, mode: str = "min", min_delta: float = 0.0) -> None:
        self.best = Best("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.waited = whole("EarlyStopping", "patience", patience, 0), 0

    def on_fit_start(self, trainer: Run) -> None:
        """Forget an earlier run, unless it is continued."""
        if trainer.state.step == 0:
            self.best.forget()
            self.waited = 0

    def on_epoch_end(self, trainer: Run) -> None:
        """Count the epochs without improvement."""
        self.waited = 0 if self.best.improves(trainer.history[-1]) else self.waited + 1
        if self.waited > self.patience:
            trainer.state.stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the epochs since."""
        return {"best": self.best.value, "waited": self.waited}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        DTypeError, TensorError
            For a damaged state; nothing has changed then.
        """
        saved = entries("EarlyStopping", "a state", state_dict, ("best", "waited"))
        waited = integer("EarlyStopping", "waited", saved["waited"])
        self.best.value, self.waited = best_value("EarlyStopping", saved["best"]), waited
