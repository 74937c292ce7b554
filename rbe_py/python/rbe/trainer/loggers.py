"""Accounts of a run in files."""

import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TensorError
from ..optional import require
from .callback import Callback

if TYPE_CHECKING:
    from .loop import Trainer

Row = dict[str, float]


class Logger(Callback):
    """Base of loggers: a row after every epoch, and after every `every_steps` steps if that is given."""

    def __init__(self, every_steps: int | None = None) -> None:
        if every_steps is not None and every_steps < 1:
            raise TensorError(type(self).__name__, "every_steps >= 1", str(every_steps))
        self.every_steps = every_steps

    def write(self, row: Row) -> None:
        """Write a row, which has "epoch" and "step"."""
        raise NotImplementedError(f"{type(self).__name__} has no write")

    def on_step_end(self, trainer: "Trainer") -> None:
        """Write a row if its time has come."""
        state = trainer.state
        if self.every_steps is not None and state.step % self.every_steps == 0:
            self.write({"epoch": state.epoch, "step": state.step, **state.logs, "lr": trainer.lr})

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Write the account of the epoch."""
        self.write(trainer.history[-1])


class FileLogger(Logger):
    """A logger whose rows are kept, and written to a file as they come.

    A run that is continued keeps the rows up to the step it continues from.
    """

    def __init__(self, path: str | os.PathLike[str], every_steps: int | None = None) -> None:
        super().__init__(every_steps)
        self.path = Path(path)

    def read(self) -> list[Row]:
        """Return the rows of the file."""
        raise NotImplementedError

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        raise NotImplementedError

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Begin the file, or continue it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        step = trainer.state.step
        kept = [row for row in self.read() if float(row["step"]) <= step] if step and self.path.exists() else []
        self.write_all(kept)


class CSVLogger(FileLogger):
    """Write rows of comma-separated values under a line of names.

    Parameters
    ----------
    path : path
    every_steps : int, optional
        Also write a row after so many steps; empty where it lacks what the rows of epochs have.

    Examples
    --------
    >>> import rbe
    >>> log = rbe.trainer.CSVLogger("out/run.csv", every_steps=100)
    """

    _names: list[str]

    def read(self) -> list[Row]:
        """Return the rows of the file, as text."""
        with open(self.path, newline="", encoding="utf-8") as file:
            return [{k: v for k, v in row.items() if v != ""} for row in csv.DictReader(file)]  # type: ignore[misc]

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        self._names = list(dict.fromkeys(name for row in rows for name in row))
        with open(self.path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._names)
            if rows:
                writer.writeheader()
                writer.writerows(rows)

    def write(self, row: Row) -> None:
        """Add a row; one with a new name makes a column."""
        if not set(row) <= set(self._names):
            self.write_all([*self.read(), row])
            return
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._names).writerow(row)


class JSONLinesLogger(FileLogger):
    """Write a JSON object a line.

    Parameters
    ----------
    path : path
    every_steps : int, optional
        Also write a line after so many steps.

    Examples
    --------
    >>> import rbe
    >>> log = rbe.trainer.JSONLinesLogger("out/run.jsonl")
    """

    def read(self) -> list[Row]:
        """Return the rows of the file."""
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def write(self, row: Row) -> None:
        """Add a line."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class TensorBoardLogger(Logger):
    """Write event files for TensorBoard, through tensorboardX or torch.

    Parameters
    ----------
    folder : path
    every_steps : int, optional
        Also write the values after so many steps.

    Raises
    ------
    DependencyError
        With neither tensorboardX nor torch and tensorboard installed.

    Examples
    --------
    >>> import rbe
    >>> log = rbe.trainer.TensorBoardLogger("out/events")
    """

    def __init__(self, folder: str | os.PathLike[str], every_steps: int | None = None) -> None:
        super().__init__(every_steps)
        self.folder = Path(folder)
        self._module = require("TensorBoardLogger", "tensorboardX", "torch.utils.tensorboard")
        self._writer: Any = None

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Begin an event file; TensorBoard drops what an earlier one has from the present step on."""
        step = trainer.state.step
        self._writer = self._module.SummaryWriter(str(self.folder), purge_step=step + 1 if step else None)

    def write(self, row: Row) -> None:
        """Write the values of a row at its step."""
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(row["step"]))

    def on_fit_end(self, trainer: "Trainer") -> None:
        """End the file."""
        self._writer.close()
