"""A schedule that follows a measured value."""

import math
from collections.abc import Sequence
from typing import Any

from ..base import Optimizer
from .base import RATES, Schedule, check, per_group


class ReduceLROnPlateau(Schedule):
    """Multiply the rates by `factor` when a metric has not improved for `patience` steps.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether less or more is better.
    factor : float
    patience : int
        Steps without improvement that are let pass.
    threshold : float
        Improvement that counts, relative to the best or ("abs") absolute.
    threshold_mode : {"rel", "abs"}
    cooldown : int
        Steps after a reduction in which nothing is counted.
    min_lr : float, or list of float
        Lowest rate; a list holds one for every group.
    eps : float
        A smaller change of the rate is not made.

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
        super().__init__(optimizer)
        op = "ReduceLROnPlateau"
        check(op, 0 <= factor < 1, "factor in [0, 1)", factor)
        check(op, mode in ("min", "max"), "mode 'min' or 'max'", repr(mode))
        check(op, threshold_mode in ("rel", "abs"), "threshold_mode 'rel' or 'abs'", repr(threshold_mode))
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = per_group(op, min_lr, len(optimizer.param_groups))
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def _better(self, value: float) -> bool:
        if not math.isfinite(self.best):
            return value < self.best if self.mode == "min" else value > self.best
        margin = self.threshold * (self.best if self.threshold_mode == "rel" else 1.0)
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def step(self, metrics: Any) -> None:
        """Take the metric of one step (a number or a tensor of one element), and reduce the rates if it is time."""
        value = float(metrics)
        self.last_epoch += 1
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

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = group["lr"]
            new = max(old * self.factor, least)
            if old - new > self.eps or old == 0.0:
                ratio = new / old if old else self.factor
                group["lr"] = new
                for name in RATES[1:]:
                    if name in group:
                        group[name] *= ratio
