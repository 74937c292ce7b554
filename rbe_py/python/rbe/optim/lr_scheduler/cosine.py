"""Schedules along a cosine."""

import math
from collections.abc import Sequence

from ..base import Optimizer
from .base import RATES, LRScheduler, check, per_group


class CosineAnnealingLR(LRScheduler):
    """From the initial rates to `eta_min` in `T_max` steps along half a cosine (Loshchilov, Hutter 2017).

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
        check("CosineAnnealingLR", T_max >= 1, "T_max >= 1", T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return the factor on the cosine."""
        low = self._relative(self.eta_min, group)
        return low + (1 - low) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines from the initial rates to `eta_min`, the first of `T_0` steps, each `T_mult` times as long as the last.

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
        check("CosineAnnealingWarmRestarts", T_0 >= 1 and T_mult >= 1, "T_0 >= 1 and T_mult >= 1", (T_0, T_mult))
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return the factor on the cosine."""
        at, length = self.last_epoch, self.T_0
        while at >= length:
            at, length = at - length, length * self.T_mult
        low = self._relative(self.eta_min, group)
        return low + (1 - low) * (1 + math.cos(math.pi * at / length)) / 2


class OneCycleLR(LRScheduler):
    """Up to `max_lr` and down again far below the start, momentum the other way (Smith, Topin 2019).

    `lr_lo` and `lr_hi` have their initial values where `lr` has `max_lr`.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or list of float
        Highest rate; a list holds one for every group.
    total_steps : int, optional
        Length of the cycle, default `epochs * steps_per_epoch`.
    pct_start : float
        Share of the cycle that goes up.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
        Move `momentum`, or the first of `betas`, between `max_momentum` and `base_momentum`.
    div_factor : float
        The cycle begins at `max_lr / div_factor`.
    final_div_factor : float
        It ends at the beginning's rate divided by this.
    three_phase : bool
        Come down to the beginning's rate first, and then further.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=4)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [0.04, 0.812, 0.283, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        op = "OneCycleLR"
        if total_steps is None:
            check(op, bool(epochs and steps_per_epoch), "total_steps, or epochs and steps_per_epoch", (epochs, steps_per_epoch))
            total_steps = int(epochs or 0) * int(steps_per_epoch or 0)
        check(op, total_steps >= 1, "total_steps >= 1", total_steps)
        check(op, 0 <= pct_start <= 1, "pct_start in [0, 1]", pct_start)
        check(op, anneal_strategy in ("cos", "linear"), "anneal_strategy 'cos' or 'linear'", repr(anneal_strategy))
        groups = optimizer.param_groups
        movable = all("momentum" in g or "betas" in g for g in groups)
        check(op, movable or not cycle_momentum, "groups with momentum or betas (or cycle_momentum=False)", "others")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        self.max_lrs = per_group(op, max_lr, len(groups))
        self.momenta = list(
            zip(per_group(op, max_momentum, len(groups)), per_group(op, base_momentum, len(groups)), strict=True)
        )
        start, low = 1 / div_factor, 1 / div_factor / final_div_factor
        up = float(pct_start * total_steps) - 1
        # End of each phase, factor of max_lr and share of the way from the highest momentum to the lowest at that end.
        self.phases = [[up, 1.0, 1.0], [total_steps - 1, low, 0.0]]
        if three_phase:
            self.phases = [[up, 1.0, 1.0], [2 * up, start, 0.0], [total_steps - 1, low, 0.0]]
        self.begin = start
        super().__init__(optimizer, last_epoch)

    def _between(self, a: float, b: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return a + (b - a) * share
        return b + (a - b) / 2 * (1 + math.cos(math.pi * share))

    def _at(self, low_to_high: int, begin: float) -> float:
        """Return a curve of the phases (1 the factor, 2 the share of momentum) at `last_epoch`."""
        before, a = 0.0, begin
        for i, phase in enumerate(self.phases):
            end, b = phase[0], phase[low_to_high]
            if self.last_epoch <= end or i == len(self.phases) - 1:
                return self._between(a, b, (self.last_epoch - before) / (end - before) if end != before else 1.0)
            before, a = end, b
        return a

    def factor(self, group: int) -> float:
        """Return the factor of the highest rates."""
        return self._at(1, self.begin)

    def _apply(self) -> None:
        check("OneCycleLR", self.last_epoch <= self.total_steps, f"at most {self.total_steps} steps", self.last_epoch)
        factor, share = self.factor(0), self._at(2, 0.0)
        for group, max_lr, (high, low) in zip(self.optimizer.param_groups, self.max_lrs, self.momenta, strict=True):
            group["lr"] = max_lr * factor
            for name in RATES[1:]:
                if name in group:
                    group[name] = group[f"initial_{name}"] * factor
            if self.cycle_momentum:
                momentum = high + (low - high) * share
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
