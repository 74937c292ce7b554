"""Schedules that multiply the rates."""

import bisect
from collections.abc import Sequence

from ..._arguments import check, count, real, whole
from ..base import Optimizer
from .base import KEEP, Chainable, Change, power

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class StepLR(Chainable):
    """Multiply the rates by `gamma` every `step_size` steps.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = count("StepLR", "step_size", step_size, 1)
        self.gamma = real("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        count("StepLR", "step_size", self.step_size, 1)
        real("StepLR", "gamma", self.gamma)

    def _closed(self, i: int) -> Change:
        return Change(initial=power(self.gamma, self.last_epoch // self.step_size))

    def _change(self, i: int) -> Change:
        return KEEP if self.last_epoch % self.step_size else Change(now=self.gamma)


class MultiStepLR(Chainable):
    """Multiply the rates by `gamma` at each of the `milestones`.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2])
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.1, 0.01]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = sorted(whole("MultiStepLR", "milestone", m, 0) for m in milestones)
        self.gamma = real("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.milestones = sorted(whole("MultiStepLR", "milestone", m, 0) for m in self.milestones)
        real("MultiStepLR", "gamma", self.gamma)

    def _closed(self, i: int) -> Change:
        return Change(initial=power(self.gamma, bisect.bisect_right(self.milestones, self.last_epoch)))

    def _change(self, i: int) -> Change:
        return Change(now=power(self.gamma, self.milestones.count(self.last_epoch)))


class ExponentialLR(Chainable):
    """Multiply the rates by `gamma` every step.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = real("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        real("ExponentialLR", "gamma", self.gamma)

    def _closed(self, i: int) -> Change:
        return Change(initial=power(self.gamma, self.last_epoch))

    def _change(self, i: int) -> Change:
        return Change(now=self.gamma)


class ConstantLR(Chainable):
    """Multiply the rates by `factor` for the first `total_iters` steps.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        self.factor = real("ConstantLR", "factor", factor)
        self.total_iters = count("ConstantLR", "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        check("ConstantLR", 0 <= real("ConstantLR", "factor", self.factor) <= 1, "factor in [0, 1]", self.factor)
        count("ConstantLR", "total_iters", self.total_iters, 0)

    def _closed(self, i: int) -> Change:
        # As in torch, the factor applies at step 0 even if total_iters is 0.
        return Change(initial=self.factor if self.last_epoch < max(self.total_iters, 1) else 1.0)

    def _change(self, i: int) -> Change:
        if self.last_epoch != self.total_iters:
            return KEEP
        return Change(now=1.0 / self.factor) if self.factor else Change(initial=1.0)  # no factor can raise a rate of 0


class LinearLR(Chainable):
    """Multiply the rates by a factor that changes from `start_factor` to `end_factor` in `total_iters` equal steps.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = real("LinearLR", "start_factor", start_factor)
        self.end_factor = real("LinearLR", "end_factor", end_factor)
        self.total_iters = count("LinearLR", "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        start, end = (real("LinearLR", "factor", f) for f in (self.start_factor, self.end_factor))
        check("LinearLR", 0 < start <= 1 and 0 <= end <= 1, "factors in (0, 1]", f"{start} and {end}")
        count("LinearLR", "total_iters", self.total_iters, 1)

    def _closed(self, i: int) -> Change:
        progress = min(self.last_epoch, self.total_iters) / self.total_iters
        return Change(initial=self.start_factor + (self.end_factor - self.start_factor) * progress)

    def _change(self, i: int) -> Change:
        if self.last_epoch > self.total_iters:
            return KEEP
        rise = self.end_factor - self.start_factor
        return Change(now=1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))


class PolynomialLR(Chainable):
    """Multiply the rates by `(1 - t / total_iters) ** power` at step t, and end at 0.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.562, 0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = count("PolynomialLR", "total_iters", total_iters, 1)
        self.power = real("PolynomialLR", "power", power)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        count("PolynomialLR", "total_iters", self.total_iters, 1)
        check("PolynomialLR", real("PolynomialLR", "power", self.power) >= 0, "power >= 0", self.power)

    def _left(self, step: float) -> float:
        return 1.0 - min(step, self.total_iters) / self.total_iters

    def _closed(self, i: int) -> Change:
        return Change(initial=power(self._left(self.last_epoch), self.power))

    def _change(self, i: int) -> Change:
        if self.last_epoch > self.total_iters:
            return KEEP
        return Change(now=power(self._left(self.last_epoch) / self._left(self.last_epoch - 1), self.power))
