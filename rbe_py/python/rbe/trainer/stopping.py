"""An end when nothing gets better."""

import math
from typing import TYPE_CHECKING, Any

from ..errors import TensorError
from .callback import Callback, watched

if TYPE_CHECKING:
    from .loop import Trainer


class Best:
    """The best value so far of something watched."""

    def __init__(self, op: str, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise TensorError(op, "mode 'min' or 'max'", repr(mode))
        if not min_delta >= 0:
            raise TensorError(op, "min_delta >= 0", str(min_delta))
        self.op, self.monitor, self.mode, self.min_delta = op, monitor, mode, min_delta
        self.value = math.inf if mode == "min" else -math.inf

    def improves(self, entry: dict[str, float]) -> bool:
        """Whether the account of an epoch has a value better by more than `min_delta`, which is then the best. NaN never is."""
        value = watched(entry, self.monitor, self.op)
        better = value < self.value - self.min_delta if self.mode == "min" else value > self.value + self.min_delta
        if better:
            self.value = value
        return better


class EarlyStopping(Callback):
    """Stop when a value has not got better for a number of epochs.

    Parameters
    ----------
    monitor : str
        Name in the account of an epoch, such as "val_loss".
    patience : int
        Epochs without improvement that are borne.
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
        if patience < 0:
            raise TensorError("EarlyStopping", "patience >= 0", str(patience))
        self.best = Best("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.waited = patience, 0

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Count the epochs without improvement."""
        self.waited = 0 if self.best.improves(trainer.history[-1]) else self.waited + 1
        if self.waited > self.patience:
            trainer.state.stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the epochs since."""
        return {"best": self.best.value, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best.value, self.waited = state_dict["best"], state_dict["waited"]
