"""Schedules one after another."""

import bisect
from collections.abc import Sequence
from typing import Any

from ..base import Optimizer
from .base import NOT_SAVED, LRScheduler, check


class SequentialLR:
    """Schedules one after another, each from its beginning.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of schedulers of this optimiser
    milestones : list of int
        Step at which each schedule but the first takes over.

    Examples
    --------
    >>> import rbe
    >>> from rbe.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> schedules = [ConstantLR(optimizer, 0.1), ExponentialLR(optimizer, 0.5)]
    >>> scheduler = SequentialLR(optimizer, schedules, milestones=[2])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [0.1, 0.1, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        op = "SequentialLR"
        check(op, len(schedulers) >= 1, "one scheduler or more", "none")
        check(op, len(milestones) == len(schedulers) - 1, f"{len(schedulers) - 1} milestones", len(milestones))
        fits = all(isinstance(s, LRScheduler) and s.optimizer is optimizer for s in schedulers)
        check(op, fits, "schedulers of this optimizer that follow steps alone", [type(s).__name__ for s in schedulers])
        self.optimizer, self._schedulers, self.milestones = optimizer, list(schedulers), list(milestones)
        self.last_epoch = last_epoch + 1
        if last_epoch == -1:
            self._schedulers[0].step(0)

    def step(self) -> None:
        """Advance by one step and set the rates."""
        self.last_epoch += 1
        which = bisect.bisect_right(self.milestones, self.last_epoch)
        starts = which > 0 and self.milestones[which - 1] == self.last_epoch
        self._schedulers[which].step(0 if starts else None)

    def get_last_lr(self) -> list[float]:
        """Return the rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return all but the optimiser and functions."""
        own = {k: v for k, v in self.__dict__.items() if k not in NOT_SAVED}
        return {**own, "schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        states = state_dict["schedulers"]
        check("SequentialLR", len(states) == len(self._schedulers), f"{len(self._schedulers)} schedulers", len(states))
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "schedulers"})
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.__dict__.update(state)
        self._schedulers[bisect.bisect_right(self.milestones, self.last_epoch)]._apply()
