"""Schedules along a cosine."""

import math
from typing import Any

from ..._arguments import check, count, real, whole
from ..._saved import number
from ..base import Optimizer
from .base import Chainable, Change, LRScheduler

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


def _proportions(op: str, eta_min: float, rates: dict[str, float]) -> dict[str, float]:
    """Return the initial rates, whose ratios scale `eta_min` for `lr_lo` and `lr_hi`."""
    known = len(rates) == 1 or eta_min == 0 or rates["lr"] != 0
    check(op, known, f"an initial lr other than 0 for lr_lo and lr_hi at an eta_min of {eta_min}", rates["lr"])
    return rates


class CosineAnnealingLR(Chainable):
    """Decrease the rates from their initial values to `eta_min` in `T_max` steps along half a cosine (Loshchilov, Hutter 2017).

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = count("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = real("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        count("CosineAnnealingLR", "T_max", self.T_max, 1)
        real("CosineAnnealingLR", "eta_min", self.eta_min)

    def _first_rates(self, i: int, group: dict[str, Any]) -> dict[str, float]:
        return _proportions("CosineAnnealingLR", self.eta_min, super()._first_rates(i, group))

    def _height(self, step: float) -> float:
        return (1 + math.cos(math.pi * step / self.T_max)) / 2

    def _closed(self, i: int) -> Change:
        height = self._height(self.last_epoch)
        return Change(initial=height, fixed=self.eta_min * (1 - height))

    def _change(self, i: int) -> Change:
        before, height = self._height(self.last_epoch - 1), self._height(self.last_epoch)
        if before == 0.0:  # at the lowest point no factor can raise the rate
            return Change(now=1.0, initial=height, fixed=-self.eta_min * height)
        ratio = height / before
        return Change(now=ratio, fixed=self.eta_min * (1 - ratio))


class CosineAnnealingWarmRestarts(LRScheduler):
    """Repeat half cosines from the initial rates to `eta_min`: first `T_0` steps, each `T_mult` times as long as the last.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        op = "CosineAnnealingWarmRestarts"
        self.T_0, self.T_mult = whole(op, "T_0", T_0, 1), whole(op, "T_mult", T_mult, 1)
        self.eta_min = real(op, "eta_min", eta_min)
        self.T_cur: float = -1  # steps since the last restart
        self.T_i: float = self.T_0  # steps from the last restart to the next
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        op = "CosineAnnealingWarmRestarts"
        whole(op, "T_0", self.T_0, 1)
        whole(op, "T_mult", self.T_mult, 1)
        real(op, "eta_min", self.eta_min)

    def _check_progress(self, op: str) -> None:
        super()._check_progress(op)
        length, at = number(op, "T_i", self.T_i), number(op, "T_cur", self.T_cur)
        check(op, length >= 1 and -1 <= at < length, "T_cur below T_i", f"{at} and {length}")

    def _first_rates(self, i: int, group: dict[str, Any]) -> dict[str, float]:
        return _proportions("CosineAnnealingWarmRestarts", self.eta_min, super()._first_rates(i, group))

    def _move(self, epoch: float | None) -> None:
        if epoch is not None or self._is_initial:
            at = self.last_epoch + 1 if epoch is None else count("CosineAnnealingWarmRestarts", "epoch", epoch, 0)
            self.last_epoch = math.floor(at)
            self.T_cur, self.T_i = self._place(at)
            return
        self.last_epoch, self.T_cur = self.last_epoch + 1, self.T_cur + 1
        if self.T_cur >= self.T_i:
            self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult

    def _place(self, at: float) -> tuple[float, float]:
        if self.T_mult == 1:
            return at % self.T_0, self.T_0
        length = self.T_0
        while at >= length:
            at, length = at - length, length * self.T_mult
        return at, length

    def _change(self, i: int) -> Change:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return Change(initial=height, fixed=self.eta_min * (1 - height))
