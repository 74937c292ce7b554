"""Loggers that write the history of a run to files."""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import IO, Any

from .._arguments import describe, whole
from .._compat import require
from ..errors import DTypeError, FormatError, MissingMethodError
from .callback import Callback
from .run import Run, as_logged

__all__ = ["CSVLogger", "JSONLinesLogger", "TensorBoardLogger"]

Row = dict[str, Any]


class Logger(Callback):
    """Base of loggers: a row after every epoch, and after every `every_steps` steps if that is given."""

    def __init__(self, every_steps: int | None = None) -> None:
        self.every_steps = None if every_steps is None else whole(type(self).__name__, "every_steps", every_steps, 1)

    def write(self, row: Row) -> None:
        """Write a row, which has "epoch" and "step"."""
        raise MissingMethodError("Logger.write", "a subclass that defines it", type(self).__name__)

    def on_step_end(self, trainer: Run) -> None:
        """Write a row every `every_steps` steps."""
        state = trainer.state
        if self.every_steps is not None and state.step % self.every_steps == 0:
            self.write({"epoch": state.epoch, "step": state.step, **state.logs, "lr": trainer.lr})

    def on_epoch_end(self, trainer: Run) -> None:
        """Write the history entry of the epoch."""
        self.write(trainer.history[-1])


class FileLogger(Logger):
    """A logger whose rows are kept, and written to a file as they come.

    A run that is continued keeps the rows up to the step it continues from; a last row that was cut off is dropped.

    Raises
    ------
    FormatError
        When the run begins, if the file cannot be written, or is continued and is not one of this logger's.
    """

    def __init__(self, path: str | os.PathLike[str], every_steps: int | None = None) -> None:
        super().__init__(every_steps)
        self.path = Path(path)

    def read(self) -> list[Row]:
        """Return the rows of the file."""
        raise MissingMethodError("FileLogger.read", "a subclass that defines it", type(self).__name__)

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        raise MissingMethodError("FileLogger.write_all", "a subclass that defines it", type(self).__name__)

    @contextmanager
    def _opened(self, mode: str) -> Iterator[IO[str]]:
        """Open the file; errors of the system are FormatErrors."""
        try:
            with open(self.path, mode, newline="", encoding="utf-8") as file:
                yield file
        except (OSError, ValueError) as e:  # ValueError: a name with NUL, bytes that are no text
            raise FormatError(type(self).__name__, f"a log at {str(self.path)!r}", str(e)) from e

    def _whole_rows(self, rows: Iterable[Row | None], text: str) -> list[Row]:
        """Return the rows read from a text, without a last row that was cut off; None stands for a line that is no row.

        Raises
        ------
        FormatError
            For a line that is no row with a step.
        """
        listed = list(rows)
        if listed and not text.endswith("\n"):
            listed.pop()  # even if it is a row: its last number may have lost digits
        good = [row is not None and _step(row) is not None for row in listed]
        if not all(good):
            wanted = f"a log with a step in every row at {str(self.path)!r}"
            raise FormatError(type(self).__name__, wanted, f"row {good.index(False) + 1}")
        return [row for row in listed if row is not None]

    def on_fit_start(self, trainer: Run) -> None:
        """Begin the file, or continue it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            there = self.path.exists()
        except (OSError, ValueError) as e:
            raise FormatError(type(self).__name__, f"a folder at {str(self.path.parent)!r}", str(e)) from e
        step = trainer.state.step
        rows = self.read() if step and there else []
        self.write_all([row for row in rows if (_step(row) or 0) <= step])


def _rows(op: str, rows: Any) -> list[Row]:
    """Return rows, as plain values.

    Raises
    ------
    DTypeError
        For anything but mappings with a step.
    """
    listed = list(rows) if isinstance(rows, list | tuple) else [rows]
    for row in listed:
        if not isinstance(row, Mapping) or _step(dict(row)) is None:
            raise DTypeError(op, "rows that are mappings with a step", describe(row))
    return [as_logged(row) for row in listed]


def _step(row: Row) -> float | None:
    """Return the step of a row, as number or as text."""
    try:
        step = float(row["step"])
    except (KeyError, TypeError, ValueError):
        return None
    return step if math.isfinite(step) else None


class CSVLogger(FileLogger):
    """Write rows of comma-separated values under a line of names.

    Parameters
    ----------
    path : path
    every_steps : int, optional
        Also write a row after so many steps; columns that only the rows of epochs have stay empty.

    Examples
    --------
    >>> import rbe
    >>> log = rbe.trainer.CSVLogger("out/run.csv", every_steps=100)
    """

    def __init__(self, path: str | os.PathLike[str], every_steps: int | None = None) -> None:
        super().__init__(path, every_steps)
        self._names: list[str] = []

    def read(self) -> list[Row]:
        """Return the rows of the file, as text."""
        with self._opened("r") as file:
            text = file.read()
        try:
            rows = [self._row(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
        except csv.Error as e:
            raise FormatError("CSVLogger", f"a log at {str(self.path)!r}", str(e)) from e
        return self._whole_rows(rows, text)

    @staticmethod
    def _row(row: dict[Any, Any]) -> Row | None:
        """Return the values of a row by name, None for one with more or fewer values than names."""
        if None in row or None in row.values():
            return None
        return {name: text for name, text in row.items() if text != ""}

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        rows = _rows("CSVLogger", rows)
        self._names = list(dict.fromkeys(name for row in rows for name in row))
        with self._opened("w") as file:
            writer = csv.DictWriter(file, self._names)
            if rows:
                writer.writeheader()
                writer.writerows(rows)

    def write(self, row: Row) -> None:
        """Add a row; one with a new name makes a column."""
        (row,) = _rows("CSVLogger", [row])
        if not set(row) <= set(self._names):
            self.write_all([*self.read(), row])
            return
        with self._opened("a") as file:
            csv.DictWriter(file, self._names).writerow(row)


class JSONLinesLogger(FileLogger):
    """Write one JSON object a line; NaN and infinities, for which JSON has no numbers, are null.

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
        with self._opened("r") as file:
            text = file.read()
        return self._whole_rows([_parsed(line) for line in text.splitlines() if line.strip()], text)

    def write_all(self, rows: list[Row]) -> None:
        """Replace the file by rows."""
        lines = [_line(row) for row in _rows("JSONLinesLogger", rows)]
        with self._opened("w") as file:
            file.writelines(lines)

    def write(self, row: Row) -> None:
        """Add a line."""
        line = _line(*_rows("JSONLinesLogger", [row]))
        with self._opened("a") as file:
            file.write(line)


def _parsed(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _line(row: Row) -> str:
    return json.dumps(_json(row), allow_nan=False) + "\n"


def _json(value: Any) -> Any:
    """Return a value with null for NaN and infinities, which JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _json(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_json(v) for v in value]
    return value


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

    def on_fit_start(self, trainer: Run) -> None:
        """Begin an event file; TensorBoard drops entries of an earlier one after the present step."""
        step = trainer.state.step
        self._writer = self._module.SummaryWriter(str(self.folder), purge_step=step + 1 if step else None)

    def write(self, row: Row) -> None:
        """Write the values of a row at its step."""
        (row,) = _rows("TensorBoardLogger", [row])
        for name, value in row.items():
            if name != "step" and isinstance(value, Real) and not isinstance(value, bool):
                self._writer.add_scalar(name, value, int(row["step"]))

    def on_fit_end(self, trainer: Run) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
