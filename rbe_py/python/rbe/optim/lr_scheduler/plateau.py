"""A schedule that follows a metric."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._arguments import check, real, whole
from ..._saved import integer, number
from ..._tensor import RBETensor
from ..base import Optimizer
from .base import MOST_STEPS, RATES, LRScheduler, of_group, per_group

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by `factor` when a metric has not improved for `patience` steps.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether smaller or larger values are better.
    factor : float
    patience : int
        Number of steps without improvement before a reduction.
    threshold : float
        Smallest improvement that counts, relative to the magnitude of the best value or ("abs") absolute.
    threshold_mode : {"rel", "abs"}
    cooldown : int
        Number of steps after a reduction in which steps without improvement are not counted.
    min_lr : float, or list of float
        Lowest rate; a list has one for every group.
    eps : float
        Smaller changes of the rate are not made.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     scheduler.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self._attach(optimizer)
        op = "ReduceLROnPlateau"
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor, self.threshold, self.eps = (
            real(op, "factor", factor),
            real(op, "threshold", threshold),
            real(op, "eps", eps),
        )
        self.patience, self.cooldown = whole(op, "patience", patience, 0), whole(op, "cooldown", cooldown, 0)
        listed = per_group(op, "min_lr", min_lr, len(optimizer.param_groups))
        self.min_lrs = [real(op, "min_lr", least) for least in listed]
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else self.min_lrs[0]
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._check_arguments()
        self.best = math.inf if mode == "min" else -math.inf
        self._keep_last()

    def _check_arguments(self) -> None:
        op = "ReduceLROnPlateau"
        check(op, 0 <= real(op, "factor", self.factor) < 1, "factor in [0, 1)", self.factor)
        check(op, self.mode in ("min", "max"), "mode 'min' or 'max'", repr(self.mode))
        check(op, self.threshold_mode in ("rel", "abs"), "threshold_mode 'rel' or 'abs'", repr(self.threshold_mode))

    def _check(self) -> None:
        op = "ReduceLROnPlateau"
        self._check_arguments()
        for name in ("patience", "cooldown", "num_bad_epochs", "cooldown_counter"):
            whole(op, name, getattr(self, name), 0)
        for name in ("threshold", "eps"):
            real(op, name, getattr(self, name))
        for least in (*self.min_lrs, *(() if self.default_min_lr is None else (self.default_min_lr,))):
            number(op, "min_lr", least)
        check(op, not math.isnan(number(op, "best", self.best, finite=False)), "a best that is a number", self.best)

    def _check_progress(self, op: str) -> None:
        self.last_epoch = integer(op, "last_epoch", self.last_epoch, 0, MOST_STEPS)
        for rate in self._last_lr:
            number(op, "rate", rate)

    def _better(self, value: float) -> bool:
        if not math.isfinite(self.best):
            return value < self.best if self.mode == "min" else value > self.best
        lower = self.mode == "min"
        if self.threshold_mode == "abs":
            bound = self.best - self.threshold if lower else self.best + self.threshold
        else:  # relative to the magnitude, so that the bound is on the better side of negative values too
            nearer_zero = lower == (self.best >= 0)
            bound = self.best * (1.0 - self.threshold if nearer_zero else 1.0 + self.threshold)
        return value < bound if lower else value > bound

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Advance by one step with its metric, and reduce the rates if it has not improved for long enough.

        Parameters
        ----------
        metrics : number, or tensor of one element
            NaN does not count as an improvement.
        epoch : int, optional
            Number of the step; default: the next one.

        Raises
        ------
        DTypeError
            For a metric that is not a number; nothing changes then.
        TensorError
            If groups were added and `min_lr` is a list.
        """
        value = _metric(metrics)
        with self._all_or_nothing():
            self._move(epoch)
            if self._better(value):
                self.best, self.num_bad_epochs = value, 0
            else:
                self.num_bad_epochs += 1
            if self.cooldown_counter > 0:
                self.cooldown_counter -= 1
                self.num_bad_epochs = 0
            if self.num_bad_epochs > self.patience:
                self._reduce()
                self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            self._keep_last()

    def get_lr(self) -> list[float]:
        """Return `lr` of every group."""
        return [real("ReduceLROnPlateau", "lr", group["lr"]) for group in self.optimizer.param_groups]

    def _reduce(self) -> None:
        op = "ReduceLROnPlateau"
        for i, group in enumerate(self.optimizer.param_groups):
            old = real(op, "lr", group["lr"])
            new = max(old * self.factor, of_group(op, "min_lr", self.min_lrs, self.default_min_lr, i))
            if old - new > self.eps or old == 0.0:
                ratio = new / old if old else self.factor
                group["lr"] = new
                group.update({name: real(op, name, group[name]) * ratio for name in RATES[1:] if name in group})


def _metric(value: Any) -> float:
    """Return a metric as a float; NaN and infinities are accepted."""
    if isinstance(value, RBETensor | np.ndarray) and not getattr(value, "is_packed", False):
        value = value.item() if math.prod(value.shape) == 1 else value
    return number("ReduceLROnPlateau", "metric", value, finite=False)
