"""Schedules that combine other schedules: in sequence, or together."""

import bisect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..._arguments import check, real, whole
from ..._saved import entries, integer, like, sequence
from ..base import Optimizer
from .base import MOST_STEPS, RATES, LRScheduler
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composite(LRScheduler):
    """Base class of schedules that step other schedules."""

    _not_saved: ClassVar[tuple[str, ...]] = ("optimizer", "_schedulers")
    _schedulers: list[LRScheduler]

    def _hold(self, optimizer: Any, schedulers: Sequence[LRScheduler]) -> None:
        op = type(self).__name__
        listed = list(schedulers)
        check(op, len(listed) >= 1, "one scheduler or more", "none")
        self._attach(listed[0].optimizer if optimizer is None and isinstance(listed[0], LRScheduler) else optimizer)
        for s in listed:
            fits = isinstance(s, LRScheduler) and not isinstance(s, ReduceLROnPlateau) and s.optimizer is self.optimizer
            check(op, fits, "schedulers of this optimizer that follow steps alone", type(s).__name__)
        self._schedulers = listed

    def _parts(self) -> list[LRScheduler]:
        return self._schedulers

    def _check(self) -> None:
        self.last_epoch = integer(type(self).__name__, "last_epoch", self.last_epoch, -1, MOST_STEPS)

    def _to_initial_rates(self) -> None:
        for group in self.optimizer.param_groups:
            group.update({name: group[f"initial_{name}"] for name in RATES if f"initial_{name}" in group})

    def get_lr(self) -> list[float]:
        """Return `lr` of every group."""
        return [real(type(self).__name__, "lr", group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the schedules with their positions."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def _take(self, state_dict: Mapping[str, Any]) -> None:
        op = f"{type(self).__name__}.load_state_dict"
        present = LRScheduler.state_dict(self)
        found = entries(op, "a state", state_dict, [*present, "_schedulers"])
        states = sequence(op, "_schedulers", found["_schedulers"], len(self._schedulers))
        self.__dict__.update({name: like(op, name, found[name], present[name]) for name in present})
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler._take(state)
        self._check()


class SequentialLR(_Composite):
    """A sequence of schedules, each started at its beginning and from the initial rates.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of schedulers of this optimiser
    milestones : list of int
        Steps at which each schedule but the first starts.
    last_epoch : int
        Number of steps of an earlier run minus one, to continue it; -1 starts anew.

    Raises
    ------
    TensorError
        For a scheduler of another optimiser, or one that follows a metric; if the number of milestones is not one less than
        that of schedulers, or they are not in order.

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
        self._hold(optimizer, schedulers)
        self.milestones = [whole("SequentialLR", "milestone", m, 0) for m in milestones]
        self.last_epoch = whole("SequentialLR", "last_epoch", last_epoch, -1) + 1
        self._check()
        with self._all_or_nothing():
            self._restart_all()
            if self.last_epoch > 0:
                self._go(self.last_epoch)

    def _check(self) -> None:
        super()._check()
        op = "SequentialLR"
        for milestone in self.milestones:
            integer(op, "milestone", milestone)
        changes = len(self._schedulers) - 1
        check(op, len(self.milestones) == changes, f"{changes} milestones", f"{len(self.milestones)}")
        check(op, self.milestones == sorted(self.milestones), "milestones in order", f"{self.milestones}")

    def _restart_all(self) -> None:
        self._to_initial_rates()
        for part in self._everything():
            if part is not self:
                part.last_epoch = -1
        first = self._schedulers[bisect.bisect_right(self.milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _go(self, step: int) -> None:
        which = bisect.bisect_right(self.milestones, step)
        self._schedulers[which].step(step - (self.milestones[which - 1] if which else 0))
        self._last_lr = self._schedulers[which].get_last_lr()

    def _initial_step(self) -> None:
        self.last_epoch = 0
        self._restart_all()

    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or jump to step `epoch`, and change the rates; if it raises, nothing has changed."""
        with self._all_or_nothing():
            self._move(epoch)
            which = bisect.bisect_right(self.milestones, self.last_epoch)
            starts = which > 0 and self.milestones[which - 1] == self.last_epoch
            if epoch is not None:
                self._go(self.last_epoch)
            elif starts:
                self._schedulers[which]._restart()
            else:
                self._schedulers[which].step()
            self._last_lr = self._schedulers[which].get_last_lr()


class ChainedScheduler(_Composite):
    """Schedules that step together, each changing the rates that the previous one returns.

    Parameters
    ----------
    schedulers : sequence of schedulers of one optimiser
    optimizer : Optimizer, optional
        The optimiser of the schedulers.

    Examples
    --------
    >>> import rbe
    >>> from rbe.optim.lr_scheduler import ChainedScheduler, ExponentialLR, StepLR
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = ChainedScheduler([ExponentialLR(optimizer, 0.5), StepLR(optimizer, 2, gamma=0.1)])
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.025]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._hold(optimizer, schedulers)
        self.last_epoch = self._schedulers[0].last_epoch
        self._keep_last()

    def _initial_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._initial_step()
        self.last_epoch = 0
        self._keep_last()

    def _restart(self) -> None:
        self._to_initial_rates()
        for part in self._everything():
            part.last_epoch = -1
        self._initial_step()

    def step(self, epoch: float | None = None) -> None:
        """Advance all schedules by one step; if it raises, nothing has changed.

        Raises
        ------
        TensorError
            If `epoch` is given: combined schedules cannot jump.
        """
        check("ChainedScheduler", epoch is None, "a step without an epoch", epoch)
        with self._all_or_nothing():
            self._move(None)
            for scheduler in self._schedulers:
                scheduler.step()
            self._keep_last()
