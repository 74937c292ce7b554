"""A progress bar of a run."""

import time
from numbers import Real
from typing import Any

from .._compat import require
from .callback import Callback
from .run import Run

__all__ = ["Progress"]


class Progress(Callback):
    """A tqdm progress bar over all batches: epoch, loss, metrics, examples a second, remaining time.

    Parameters
    ----------
    **options
        Passed to `tqdm`: file, disable, mininterval, …

    Raises
    ------
    DependencyError
        If tqdm is not installed.

    Examples
    --------
    >>> import rbe
    >>> progress = rbe.trainer.Progress(mininterval=1.0)
    """

    def __init__(self, **options: Any) -> None:
        self._tqdm = require("Progress", "tqdm").tqdm
        self.options = options
        self._bar: Any = None

    def on_fit_start(self, trainer: Run) -> None:
        """Show the bar; batches of a continued run count as done."""
        per_epoch, state = trainer.batches_per_epoch, trainer.state
        total = per_epoch * trainer.epochs if per_epoch else None
        self._bar = self._tqdm(total=total, initial=state.epoch * (per_epoch or 0) + state.batch, unit="batch", **self.options)
        self._samples, self._started = 0.0, time.perf_counter()
        self._batch, self._counted = state.batch, state.averages.samples

    def on_epoch_start(self, trainer: Run) -> None:
        """Show the number of the epoch."""
        self._bar.set_description(f"epoch {trainer.state.epoch + 1}/{trainer.epochs}", refresh=False)
        self._batch, self._counted = trainer.state.batch, trainer.state.averages.samples

    def on_step_end(self, trainer: Run) -> None:
        """Advance the bar."""
        state = trainer.state
        self._samples += state.averages.samples - self._counted
        rate = self._samples / max(time.perf_counter() - self._started, 1e-9)
        figures = [_figure(name, value) for name, value in state.logs.items()]
        self._bar.set_postfix_str(", ".join([*figures, f"{rate:.0f} examples/s"]), refresh=False)
        self._bar.update(state.batch - self._batch)
        self._batch, self._counted = state.batch, state.averages.samples

    def on_epoch_end(self, trainer: Run) -> None:
        """Write the record of the epoch above the bar."""
        entry = trainer.history[-1]
        figures = [_figure(name, value) for name, value in entry.items() if name not in ("epoch", "step")]
        self._bar.write(f"epoch {entry['epoch']}: " + ", ".join(figures), file=self.options.get("file"))

    def on_fit_end(self, trainer: Run) -> None:
        """Close the bar and leave it on the screen."""
        if self._bar is not None:
            self._bar.close()


def _figure(name: str, value: Any) -> str:
    """Format a name and its value; values of callbacks need not be numbers."""
    return f"{name} {value:.4g}" if isinstance(value, Real) else f"{name} {value}"
