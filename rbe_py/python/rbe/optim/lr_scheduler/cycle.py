"""Cyclic schedules, with momentum in the opposite direction."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ..._arguments import check, real, whole
from ..._saved import number
from ...errors import DTypeError
from ..base import Optimizer
from .base import RATES, Change, LRScheduler, of_group, per_group, power

__all__ = ["CyclicLR", "OneCycleLR"]


class _Cycle(LRScheduler):
    """Base class of schedules that set rates, and optionally momentum, from their own values."""

    cycle_momentum: bool

    def _each(self, name: str, value: Any) -> list[float]:
        """Store an argument as a value for every group and for groups added later."""
        op = type(self).__name__
        values = [real(op, name, v) for v in per_group(op, name, value, len(self.optimizer.param_groups))]
        setattr(self, f"_single_{name}", None if isinstance(value, list | tuple) else values[0])
        return values

    def _value(self, name: str, i: int) -> float:
        values, single = getattr(self, f"{name}s"), getattr(self, f"_single_{name}")
        return float(of_group(type(self).__name__, name, values, single, i))

    def _momentum_range(self, cycle_momentum: bool, base_momentum: Any, max_momentum: Any) -> None:
        groups = self.optimizer.param_groups
        movable = all("momentum" in g or "betas" in g for g in groups)
        wanted = "groups with momentum or betas (or cycle_momentum=False)"
        check(type(self).__name__, movable or not cycle_momentum, wanted, "a group without")
        self.cycle_momentum = bool(cycle_momentum)
        self.base_momentums = self._each("base_momentum", base_momentum)
        self.max_momentums = self._each("max_momentum", max_momentum)

    @staticmethod
    def _peak(name: str, group: dict[str, Any]) -> float:
        """Return the value of `lr_lo` or `lr_hi` where `lr` is highest: its value before the first cycle."""
        peak = group.get(f"initial_{name}", group[name])
        return float(group.setdefault(f"initial_peak_{name}", real("peak", name, peak)))

    def _share(self) -> float:
        """Return the position between `max_momentum` (0) and `base_momentum` (1)."""
        raise NotImplementedError

    def _also(self, i: int, group: dict[str, Any]) -> dict[str, Any]:
        if not self.cycle_momentum:
            return {}
        high, low = self._value("max_momentum", i), self._value("base_momentum", i)
        momentum = high + (low - high) * self._share()
        return {"betas": (momentum, *group["betas"][1:])} if "betas" in group else {"momentum": momentum}

    def _check_values(self, *names: str) -> None:
        for name in names:
            for value in (*getattr(self, f"{name}s"), *([] if (s := getattr(self, f"_single_{name}")) is None else [s])):
                number(type(self).__name__, name, value)


class OneCycleLR(_Cycle):
    """Raise the rate to `max_lr` and lower it far below its start, with momentum in the opposite direction (Smith, Topin 2019).

    `lr_lo` and `lr_hi` have their initial values where `lr` is `max_lr`.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or list of float
        Highest rate; a list has one for every group.
    total_steps : int, optional
        Length of the cycle, default `epochs * steps_per_epoch`.
    pct_start : float
        Fraction of the cycle in which the rate rises.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
        Move `momentum`, or the first of `betas`, between `max_momentum` and `base_momentum`.
    div_factor : float
        The cycle begins at `max_lr / div_factor`.
    final_div_factor : float
        The cycle ends at its first rate divided by this.
    three_phase : bool
        Return to the first rate in a phase of its own before the final descent.

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
        self._attach(optimizer)
        op = "OneCycleLR"
        if total_steps is None:
            check(
                op, epochs is not None and steps_per_epoch is not None, "total_steps, or epochs and steps_per_epoch", "neither"
            )
            total_steps = whole(op, "epochs", epochs, 1) * whole(op, "steps_per_epoch", steps_per_epoch, 1)
        self.total_steps, self.pct_start = whole(op, "total_steps", total_steps, 1), real(op, "pct_start", pct_start)
        self.anneal_strategy, self.three_phase = anneal_strategy, bool(three_phase)
        self.div_factor, self.final_div_factor = (
            real(op, "div_factor", div_factor),
            real(op, "final_div_factor", final_div_factor),
        )
        self.max_lrs = self._each("max_lr", max_lr)
        self._momentum_range(cycle_momentum, base_momentum, max_momentum)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        op = "OneCycleLR"
        whole(op, "total_steps", self.total_steps, 1)
        check(op, 0 <= real(op, "pct_start", self.pct_start) <= 1, "pct_start in [0, 1]", self.pct_start)
        check(op, self.anneal_strategy in ("cos", "linear"), "anneal_strategy 'cos' or 'linear'", repr(self.anneal_strategy))
        for name in ("div_factor", "final_div_factor"):
            check(op, real(op, name, getattr(self, name)) > 0, f"{name} > 0", getattr(self, name))
        self._check_values("max_lr", "base_momentum", "max_momentum")

    def _first_rates(self, i: int, group: dict[str, Any]) -> dict[str, float]:
        if not self._is_initial or self.last_epoch == -1:
            lr = self._value("max_lr", i) / self.div_factor
            others = {name: self._peak(name, group) / self.div_factor for name in RATES[1:] if name in group}
            group.update({f"initial_{name}": rate for name, rate in {"lr": lr, **others}.items()})
        return super()._first_rates(i, group)

    def _phases(self) -> list[tuple[float, float, float]]:
        """Return the end of each phase, with the factor of `max_lr` and the position of momentum there."""
        start, low = 1 / self.div_factor, 1 / self.div_factor / self.final_div_factor
        up = float(self.pct_start * self.total_steps) - 1
        if self.three_phase:
            return [(up, 1.0, 1.0), (2 * up, start, 0.0), (self.total_steps - 1, low, 0.0)]
        return [(up, 1.0, 1.0), (self.total_steps - 1, low, 0.0)]

    def _between(self, a: float, b: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return a + (b - a) * share
        return b + (a - b) / 2 * (1 + math.cos(math.pi * share))

    def _at(self, curve: int, begin: float) -> float:
        """Return a curve of the phases (1: factor, 2: position of momentum) at `last_epoch`."""
        before, a, phases = 0.0, begin, self._phases()
        for i, phase in enumerate(phases):
            end, b = phase[0], phase[curve]
            if self.last_epoch <= end or i == len(phases) - 1:
                return self._between(a, b, (self.last_epoch - before) / (end - before) if end != before else 1.0)
            before, a = end, b
        return a

    def _share(self) -> float:
        return self._at(2, 0.0)

    def _change(self, i: int) -> Change:
        check("OneCycleLR", self.last_epoch <= self.total_steps, f"at most {self.total_steps} steps", f"{self.last_epoch}")
        return Change(fixed=self._value("max_lr", i) * self._at(1, 1 / self.div_factor))


class CyclicLR(_Cycle):
    """Alternate between `base_lr` and `max_lr` in straight lines (Smith 2017).

    `lr_lo` and `lr_hi` have their initial values where `lr` is `max_lr`.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float, or list of float
        Lowest and highest rate; a list has one for every group.
    step_size_up, step_size_down : int
        Number of rising and of falling steps; default of the latter: the former.
    mode : {"triangular", "triangular2", "exp_range"}
        All cycles of one height; each half as high as the last; height multiplied by `gamma` at each step.
    gamma : float
        Factor of "exp_range".
    scale_fn : callable, optional
        A function that returns the height, in place of `mode`.
    scale_mode : {"cycle", "iterations"}
        Whether `scale_fn` receives the number of the cycle, from 1, or of the step.
    cycle_momentum : bool
        Move `momentum`, or the first of `betas`, between `max_momentum` and `base_momentum`.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.CyclicLR(optimizer, 0.2, 1.0, step_size_up=2)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [0.2, 0.6, 1.0, 0.6, 0.2]
    """

    _not_saved: ClassVar[tuple[str, ...]] = ("optimizer", "scale_fn")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self._attach(optimizer)
        op = "CyclicLR"
        self.step_size_up = real(op, "step_size_up", step_size_up)
        self.step_size_down = self.step_size_up if step_size_down is None else real(op, "step_size_down", step_size_down)
        self.mode, self.gamma, self.scale_fn = mode, real(op, "gamma", gamma), scale_fn
        if scale_fn is not None and not callable(scale_fn):
            raise DTypeError(op, "a function as scale_fn", type(scale_fn).__name__)
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.low_lrs, self.max_lrs = self._each("low_lr", base_lr), self._each("max_lr", max_lr)
        self._momentum_range(cycle_momentum, base_momentum, max_momentum)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        op = "CyclicLR"
        check(op, real(op, "step_size_up", self.step_size_up) > 0, "step_size_up > 0", self.step_size_up)
        check(op, real(op, "step_size_down", self.step_size_down) > 0, "step_size_down > 0", self.step_size_down)
        modes = ("triangular", "triangular2", "exp_range")
        check(op, self.scale_fn is not None or self.mode in modes, f"a mode of {', '.join(modes)}", repr(self.mode))
        check(op, self.scale_mode in ("cycle", "iterations"), "scale_mode 'cycle' or 'iterations'", repr(self.scale_mode))
        real(op, "gamma", self.gamma)
        self._check_values("low_lr", "max_lr", "base_momentum", "max_momentum")

    def _first_rates(self, i: int, group: dict[str, Any]) -> dict[str, float]:
        low, high = self._value("low_lr", i), self._value("max_lr", i)
        check("CyclicLR", high != 0, "a max_lr other than 0", high)
        bases = {name: self._peak(name, group) * low / high for name in RATES[1:] if name in group}
        bases["lr"] = low
        if not self._is_initial or self.last_epoch == -1:
            group.update(bases)
        super()._first_rates(i, group)
        return bases

    def _height(self) -> float:
        """Return the position between the lowest (0) and the highest (1) rate."""
        length = self.step_size_up + self.step_size_down
        cycle = math.floor(1 + self.last_epoch / length)
        x, up = 1 + self.last_epoch / length - cycle, self.step_size_up / length
        return (x / up if x <= up else (x - 1) / (up - 1)) * self._scale(cycle)

    def _scale(self, cycle: int) -> float:
        if self.scale_fn is not None:
            return real(
                "CyclicLR", "value of scale_fn", self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
            )
        if self.mode == "triangular":
            return 1.0
        return power(0.5, cycle - 1) if self.mode == "triangular2" else power(self.gamma, self.last_epoch)

    def _share(self) -> float:
        return self._height()

    def _change(self, i: int) -> Change:
        low, high = self._value("low_lr", i), self._value("max_lr", i)
        return Change(fixed=low + (high - low) * self._height())
