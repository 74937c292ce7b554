"""Schedules that multiply the rates by a function, or by a factor at certain steps."""

import bisect
from collections.abc import Callable, Sequence

from ..base import Optimizer
from .base import LRScheduler, check, per_group


class LambdaLR(LRScheduler):
    """Multiply the initial rates by a function of the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable, or list of callables
        Takes the number of steps, returns a factor; a list holds one for every group.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.333]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = per_group("LambdaLR", lr_lambda, len(optimizer.param_groups))
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return what the function of a group gives."""
        return float(self.lr_lambdas[group](self.last_epoch))


class StepLR(LRScheduler):
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
        check("StepLR", step_size >= 1, "step_size >= 1", step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return a power of gamma."""
        return float(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
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
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return a power of gamma."""
        return self.gamma ** bisect.bisect_right(self.milestones, self.last_epoch)


class ExponentialLR(LRScheduler):
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
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return a power of gamma."""
        return float(self.gamma**self.last_epoch)


class ConstantLR(LRScheduler):
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
        check("ConstantLR", 0 <= factor <= 1, "factor in [0, 1]", factor)
        self.start_factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return the factor, then 1."""
        return self.start_factor if self.last_epoch < self.total_iters else 1.0


class LinearLR(LRScheduler):
    """Multiply the rates by a factor that goes from `start_factor` to `end_factor` in `total_iters` equal steps.

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
        check("LinearLR", 0 < start_factor <= 1 and 0 <= end_factor <= 1, "factors in (0, 1]", (start_factor, end_factor))
        check("LinearLR", total_iters >= 1, "total_iters >= 1", total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return the factor on the line."""
        progress = min(self.last_epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * progress
