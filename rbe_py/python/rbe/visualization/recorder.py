"""Flips and charges over time."""

from typing import Any

import numpy as np

from .._arguments import describe, whole
from ..errors import DTypeError
from ..optim.hybrid import HybridOptimizer
from ..trainer.callback import Callback
from ..trainer.run import Run
from ._axes import Path, drawing

__all__ = ["Recorder", "plot_flips"]

FULL = 127.0  # a charge of 1


class Recorder(Callback):
    """Record how many bits flip and how large charges are: a callback of a Trainer; in other loops call `observe`.

    Parameters
    ----------
    every : int
        Steps between observations; each reads the charges of the whole optimiser state.

    Attributes
    ----------
    steps : list of int
    flips : list of int
        Bits flipped by the observed steps.
    charges : list of (float, float, float)
        10th, 50th and 90th percentile of the charges of all bits, in [0, 1].

    Examples
    --------
    >>> import rbe
    >>> model = rbe.RBELinear(64, 8)
    >>> optimizer, recorder = rbe.optim.HybridOptimizer(model.parameters()), rbe.visualization.Recorder()
    >>> for _ in range(3):
    ...     optimizer.step_with_autodiff(model(rbe.ones(4, 64)).square().mean())
    ...     recorder.observe(optimizer)
    >>> len(recorder.flips), len(recorder.charges)
    (3, 3)
    """

    def __init__(self, every: int = 1) -> None:
        self.every = whole("Recorder", "every", every, 1)
        self.steps: list[int] = []
        self.flips: list[int] = []
        self.charges: list[tuple[float, float, float]] = []

    def observe(self, optimizer: HybridOptimizer) -> None:
        """Record the optimiser's last step.

        Raises
        ------
        DTypeError
            If `optimizer` is not a HybridOptimizer.
        """
        if not isinstance(optimizer, HybridOptimizer):
            raise DTypeError("Recorder", "a HybridOptimizer", type(optimizer).__name__)
        state = optimizer.state_dict()
        charges = [entry["charges"].numpy().ravel() for entry in state["state"].values() if "charges" in entry]
        low, middle, high = np.percentile(np.concatenate(charges or [np.zeros(1)]), (10, 50, 90)) / FULL
        self.steps.append(state["steps"])
        self.flips.append(optimizer.flips)
        self.charges.append((float(low), float(middle), float(high)))

    def on_step_end(self, trainer: Run) -> None:
        """Record the step if `every` steps have passed."""
        if trainer.state.step % self.every == 0:
            self.observe(trainer.optimizer)  # type: ignore[arg-type]


def plot_flips(recorder: Recorder, *, path: Path | None = None) -> Any:
    """Plot flips of each step and the distribution of charges over time.

    Parameters
    ----------
    recorder : Recorder
    path : path, optional
        File to write.

    Returns
    -------
    list of two matplotlib Axes

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    DTypeError
        If `recorder` is not a Recorder.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> flips, charges = rbe.visualization.plot_flips(rbe.visualization.Recorder())
    >>> flips.get_ylabel()
    'bits flipped by a step'
    """
    if not isinstance(recorder, Recorder):
        raise DTypeError("plot_flips", "a Recorder", describe(recorder))
    with drawing("plot_flips", None, path, 2) as axes:
        left, right = axes
        left.plot(recorder.steps, recorder.flips)
        left.set(xlabel="step", ylabel="bits flipped by a step")
        low, middle, high = np.array(recorder.charges, dtype=np.float64).reshape(-1, 3).T
        right.fill_between(recorder.steps, low, high, alpha=0.3, label="10 % to 90 %")
        right.plot(recorder.steps, middle, label="median")
        right.set(xlabel="step", ylabel="charge", ylim=(0, 1))
        right.legend()
    return list(axes)
