"""Learning-rate schedules, with torch's names, signatures and values.

What a schedule does to `lr` it does in proportion to `lr_lo` and `lr_hi` too: the three rates of a HybridOptimizer keep
the ratios they were given. A rate in a schedule's own arguments (`eta_min`, `max_lr`, `min_lr`) is one of `lr`.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import DTypeError, TensorError
from .base import Optimizer

RATES = ("lr", "lr_lo", "lr_hi")
_NOT_SAVED = ("optimizer", "lr_lambdas", "_schedulers")


def _per_group(op: str, value: Any, groups: int) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise TensorError(op, f"one value, or {groups} for as many groups", str(len(value)))
    return list(value)


def _check(op: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise TensorError(op, expected, str(got))


class LRScheduler:
    """Base of schedules that are a factor of the initial rates, by the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        Steps of an earlier run less one, to continue it; -1 starts anew.

    Attributes
    ----------
    last_epoch : int
        Steps so far.
    base_lrs : list of float
        Initial rate of every group.

    Examples
    --------
    >>> import rbe
    >>> class Half(rbe.optim.lr_scheduler.LRScheduler):
    ...     def factor(self, group):
    ...         return 0.5 ** self.last_epoch
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = Half(optimizer)
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(type(self).__name__, "an optimizer", type(optimizer).__name__)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            for name in RATES:
                if name in group and last_epoch == -1:
                    group.setdefault(f"initial_{name}", group[name])
                elif name in group and f"initial_{name}" not in group:
                    wanted = f"initial_{name} in group {i} to continue from last_epoch {last_epoch}"
                    raise TensorError(type(self).__name__, wanted, "none")
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch: float = last_epoch + 1
        self._apply()

    def factor(self, group: int) -> float:
        """Return what the initial rates of a group are multiplied by at `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} has no factor")

    def _relative(self, rate: float, group: int) -> float:
        base = self.base_lrs[group]
        if rate == 0.0:
            return 0.0
        _check(type(self).__name__, base != 0, f"an initial lr other than 0 for a rate of {rate}", base)
        return rate / base

    def _apply(self) -> None:
        for i, group in enumerate(self.optimizer.param_groups):
            factor = self.factor(i)
            for name in RATES:
                if name in group:
                    group[name] = group[f"initial_{name}"] * factor

    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or to the step `epoch`, and set the rates."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return all but the optimiser and functions."""
        return {k: v for k, v in self.__dict__.items() if k not in _NOT_SAVED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.__dict__.update(state_dict)
        self._apply()


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
        self.lr_lambdas = _per_group("LambdaLR", lr_lambda, len(optimizer.param_groups))
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
        _check("StepLR", step_size >= 1, "step_size >= 1", step_size)
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
        _check("ConstantLR", 0 <= factor <= 1, "factor in [0, 1]", factor)
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
        _check("LinearLR", 0 < start_factor <= 1 and 0 <= end_factor <= 1, "factors in (0, 1]", (start_factor, end_factor))
        _check("LinearLR", total_iters >= 1, "total_iters >= 1", total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        """Return the factor on the line."""
        progress = min(self.last_epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * progress


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
        _check("CosineAnnealingLR", T_max >= 1, "T_max >= 1", T_max)
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
        _check("CosineAnnealingWarmRestarts", T_0 >= 1 and T_mult >= 1, "T_0 >= 1 and T_mult >= 1", (T_0, T_mult))
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
            _check(
                op, bool(epochs and steps_per_epoch), "total_steps, or epochs and steps_per_epoch", (epochs, steps_per_epoch)
            )
            total_steps = int(epochs or 0) * int(steps_per_epoch or 0)
        _check(op, total_steps >= 1, "total_steps >= 1", total_steps)
        _check(op, 0 <= pct_start <= 1, "pct_start in [0, 1]", pct_start)
        _check(op, anneal_strategy in ("cos", "linear"), "anneal_strategy 'cos' or 'linear'", repr(anneal_strategy))
        groups = optimizer.param_groups
        movable = all("momentum" in g or "betas" in g for g in groups)
        _check(op, movable or not cycle_momentum, "groups with momentum or betas (or cycle_momentum=False)", "others")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        self.max_lrs = _per_group(op, max_lr, len(groups))
        self.momenta = list(
            zip(_per_group(op, max_momentum, len(groups)), _per_group(op, base_momentum, len(groups)), strict=True)
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
        _check("OneCycleLR", self.last_epoch <= self.total_steps, f"at most {self.total_steps} steps", self.last_epoch)
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
        _check(op, len(schedulers) >= 1, "one scheduler or more", "none")
        _check(op, len(milestones) == len(schedulers) - 1, f"{len(schedulers) - 1} milestones", len(milestones))
        fits = all(isinstance(s, LRScheduler) and s.optimizer is optimizer for s in schedulers)
        _check(op, fits, "schedulers of this optimizer that follow steps alone", [type(s).__name__ for s in schedulers])
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
        own = {k: v for k, v in self.__dict__.items() if k not in _NOT_SAVED}
        return {**own, "schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        states = state_dict["schedulers"]
        _check("SequentialLR", len(states) == len(self._schedulers), f"{len(self._schedulers)} schedulers", len(states))
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "schedulers"})
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.__dict__.update(state)
        self._schedulers[bisect.bisect_right(self.milestones, self.last_epoch)]._apply()


class ReduceLROnPlateau:
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
        op = "ReduceLROnPlateau"
        _check(op, 0 <= factor < 1, "factor in [0, 1)", factor)
        _check(op, mode in ("min", "max"), "mode 'min' or 'max'", repr(mode))
        _check(op, threshold_mode in ("rel", "abs"), "threshold_mode 'rel' or 'abs'", repr(threshold_mode))
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = _per_group(op, min_lr, len(optimizer.param_groups))
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

    def get_last_lr(self) -> list[float]:
        """Return the rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return all but the optimiser."""
        return {k: v for k, v in self.__dict__.items() if k not in _NOT_SAVED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; the rates are the optimiser's state."""
        self.__dict__.update(state_dict)
