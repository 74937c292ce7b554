"""Files that a run continues from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._arguments import whole
from .._saved import entries
from .callback import Callback
from .run import Run
from .stopping import Best, best_value

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Keep `last.safetensors` and `best.safetensors`, each a whole run: `fit(resume=…)` continues from either.

    The last is written after every epoch and at Ctrl-C, the best when the monitored value has improved.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    monitor : str
        Name in the history entry of an epoch; without validation the default is replaced by "loss".
    mode : {"min", "max"}
        Whether smaller or larger is better.
    every_steps : int, optional
        Write the last one after so many steps too.

    Raises
    ------
    TensorError
        For an unknown mode, or `every_steps` below 1.

    Examples
    --------
    >>> import rbe, tempfile
    >>> checkpoint = rbe.trainer.Checkpoint(tempfile.mkdtemp(), monitor="val_accuracy", mode="max")
    """

    last = True

    def __init__(
        self, folder: str | os.PathLike[str], monitor: str = "val_loss", mode: str = "min", every_steps: int | None = None
    ) -> None:
        self.best = Best("Checkpoint", monitor, mode)
        self.folder = Path(folder)
        self.every_steps = None if every_steps is None else whole("Checkpoint", "every_steps", every_steps, 1)
        self.last_path, self.best_path = self.folder / "last.safetensors", self.folder / "best.safetensors"

    def on_fit_start(self, trainer: Run) -> None:
        """Make the folder, and forget the best of an earlier run unless it is continued."""
        if trainer.state.step == 0:
            self.best.forget()
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_step_end(self, trainer: Run) -> None:
        """Write the last one if its time has come."""
        if self.every_steps is not None and trainer.state.step % self.every_steps == 0:
            trainer.save(self.last_path)

    def on_epoch_end(self, trainer: Run) -> None:
        """Write the last one, and the best if it is."""
        entry = trainer.history[-1]
        if self.best.monitor == "val_loss" and "val_loss" not in entry:
            self.best.monitor = "loss"
        improved = self.best.improves(entry)
        trainer.save(self.last_path)
        if improved:
            trainer.save(self.best_path)

    def on_interrupt(self, trainer: Run) -> None:
        """Write the last one."""
        trainer.save(self.last_path)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value."""
        return {"best": self.best.value}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        DTypeError, TensorError
            For a damaged state; nothing has changed then.
        """
        self.best.value = best_value("Checkpoint", entries("Checkpoint", "a state", state_dict, ("best",))["best"])
