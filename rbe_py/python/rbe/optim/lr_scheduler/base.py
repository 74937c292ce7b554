"""Base classes of schedules."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from ..._arguments import check, real, whole
from ..._saved import entries, integer, like, number, plain, sequence
from ...errors import DTypeError, MissingMethodError, NonFiniteError, TensorError
from ..base import Optimizer

__all__ = ["LRScheduler"]

RATES = ("lr", "lr_lo", "lr_hi")
MOST_STEPS = 2**53  # largest integer up to which float64 distinguishes consecutive steps


def per_group(op: str, name: str, value: Any, groups: int) -> list[Any]:
    """Return a list with one value for every group.

    Raises
    ------
    TensorError
        For a list of another length.
    """
    if not isinstance(value, list | tuple):
        return [value] * groups
    check(op, len(value) == groups, f"one {name}, or {groups} for as many groups", f"{len(value)}")
    return list(value)


def of_group(op: str, name: str, values: list[Any], single: Any, i: int) -> Any:
    """Return the value of a group; a group added later has the value that all groups share.

    Raises
    ------
    TensorError
        If the groups have a list of values.
    """
    check(op, i < len(values) or single is not None, f"a {name} for every group", f"{len(values)} for {i + 1} groups")
    return values[i] if i < len(values) else single


def power(base: float, exponent: float) -> float:
    """Return a power, infinite if it overflows; the resulting rate is then refused."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


class Change(NamedTuple):
    """The change of a rate by a step: `now · rate + initial · initial rate + fixed`.

    `fixed` is a value of `lr`; for `lr_lo` and `lr_hi` it is scaled by the ratio of their initial values to the initial `lr`.
    """

    now: float = 0.0
    initial: float = 0.0
    fixed: float = 0.0


KEEP = Change(now=1.0)


class _Undo:
    """Context that restores the attributes of schedules and the groups of an optimiser if its block raises."""

    def __init__(self, held: list[dict[str, Any]]) -> None:
        self.held, self.before = held, [dict(d) for d in held]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is not None:
            for present, old in zip(self.held, self.before, strict=True):
                present.clear()
                present.update(old)


class LRScheduler:
    """Base class of schedules: each step changes the optimiser's current rates.

    Schedules of one optimiser therefore combine, and the next step starts from a rate that was set by hand, as in torch. A
    user-defined schedule overrides `get_lr`.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        Number of steps of an earlier run minus one, to continue it with an optimiser whose state was loaded; -1 starts anew.
        A rate that is still the initial one is set by the schedule's formula.

    Attributes
    ----------
    last_epoch : int
        Number of steps so far.
    base_lrs : list of float
        Initial `lr` of every group.

    Raises
    ------
    DTypeError
        If `optimizer` is not an optimiser, or an argument has a wrong type.
    TensorError
        For an argument out of range, or if groups have no initial rates to continue from.

    Examples
    --------
    >>> import rbe
    >>> class Half(rbe.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr * 0.5 ** self.last_epoch for lr in self.base_lrs]
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = Half(optimizer)
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    _not_saved: ClassVar[tuple[str, ...]] = ("optimizer",)
    _is_initial = False  # True during the step that the constructor makes
    _last_lr: list[float]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._attach(optimizer)
        op = type(self).__name__
        self.last_epoch = whole(op, "last_epoch", last_epoch, -1)
        if self.last_epoch >= 0:
            for i, group in enumerate(optimizer.param_groups):
                for name in RATES:
                    if name in group and f"initial_{name}" not in group:
                        raise TensorError(op, f"initial_{name} in group {i} to continue from last_epoch {last_epoch}", "none")
        self.base_lrs: list[float] = []
        self._other_bases: list[dict[str, float]] = []  # initial lr_lo and lr_hi of every group that has them
        self._check()
        self._initial_step()

    def _attach(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(type(self).__name__, "an optimizer", type(optimizer).__name__)
        self.optimizer = optimizer

    def _check(self) -> None:
        """Raise unless all numbers, of the constructor or of a loaded state, are in range."""

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            del self._is_initial

    def _first_rates(self, i: int, group: dict[str, Any]) -> dict[str, float]:
        """Return the initial rates of a group that is new to the schedule."""
        names = [name for name in RATES if name in group]
        for name in names:
            group.setdefault(f"initial_{name}", real(type(self).__name__, name, group[name]))
        return {name: group[f"initial_{name}"] for name in names}

    def _adopt_groups(self) -> None:
        groups = self.optimizer.param_groups
        for i in range(len(self.base_lrs), len(groups)):
            rates = self._first_rates(i, groups[i])
            self.base_lrs = [*self.base_lrs, rates.pop("lr")]
            self._other_bases = [*self._other_bases, rates]

    def _change(self, i: int) -> Change:
        """Return the change of group i by one step, to `last_epoch`."""
        raise MissingMethodError("LRScheduler.get_lr", "a subclass that defines it", type(self).__name__)

    def _closed(self, i: int) -> Change:
        """Return the change of group i by a jump to `last_epoch`."""
        return self._change(i)

    def _first(self, i: int) -> Change:
        """Return the change of group i by the constructor."""
        return self._change(i)

    def _also(self, i: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return other entries of group i that change."""
        return {}

    def _move(self, epoch: float | None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else whole(type(self).__name__, "epoch", epoch, 0)

    def get_lr(self) -> list[float]:
        """Return `lr` of every group after the current step; a user-defined schedule overrides this method."""
        plan = self._first if self._is_initial else self._change
        groups = self.optimizer.param_groups
        return [self._applied(plan(i), real("get_lr", "lr", g["lr"]), self.base_lrs[i], 1.0) for i, g in enumerate(groups)]

    @staticmethod
    def _applied(change: Change, rate: float, base: float, proportion: float) -> float:
        return change.now * rate + change.initial * base + change.fixed * proportion

    def _changes(self, jump: bool) -> list[Change]:
        groups, op = self.optimizer.param_groups, type(self).__name__
        if type(self).get_lr is not LRScheduler.get_lr:
            rates = self.get_lr()
            check(op, len(rates) == len(groups), f"{len(groups)} rates of get_lr", f"{len(rates)}")
            return [Change(fixed=real(op, "rate of get_lr", rate)) for rate in rates]
        plan = self._closed if jump else self._first if self._is_initial else self._change
        return [plan(i) for i in range(len(groups))]

    def _new_rates(self, i: int, group: dict[str, Any], change: Change) -> dict[str, float]:
        first, found = self.base_lrs[i], {"lr": self._new_rate("lr", i, group, change, self.base_lrs[i], 1.0)}
        for name, base in self._other_bases[i].items():
            if name in group:
                if change.fixed and not first:
                    wanted = f"an initial lr other than 0 for a rate of {change.fixed}"
                    raise TensorError(type(self).__name__, wanted, str(first))
                found[name] = self._new_rate(name, i, group, change, base, base / first if change.fixed else 1.0)
        return found

    def _new_rate(self, name: str, i: int, group: dict[str, Any], change: Change, base: float, proportion: float) -> float:
        op = type(self).__name__
        found = self._applied(change, real(op, name, group[name]), base, proportion)
        if not math.isfinite(found):
            raise NonFiniteError(op, f"a finite {name} of group {i}", str(found))
        return found

    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or jump to step `epoch`, and change the rates; if it raises, nothing has changed."""
        with self._all_or_nothing():
            self._adopt_groups()
            self._step_count += 1
            self._move(epoch)
            groups = self.optimizer.param_groups
            for i, change in enumerate(self._changes(epoch is not None)):
                rates, more = self._new_rates(i, groups[i], change), self._also(i, groups[i])
                groups[i].update(rates, **more)
            self._keep_last()

    def _keep_last(self) -> None:
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return `lr` of every group after the last step of this schedule."""
        return list(self._last_lr)

    def _parts(self) -> "list[LRScheduler]":
        """Return the schedules that this one steps."""
        return []

    def _restart(self) -> None:
        """Restart from the initial rates."""
        self.step(0)

    def _everything(self) -> "Iterator[LRScheduler]":
        yield self
        for part in self._parts():
            yield from part._everything()

    def _all_or_nothing(self) -> "_Undo":
        return _Undo([*(s.__dict__ for s in self._everything()), *self.optimizer.param_groups])

    def state_dict(self) -> dict[str, Any]:
        """Return all attributes but the optimiser and plain functions."""
        return {k: plain(v) for k, v in self.__dict__.items() if k not in self._not_saved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a state that `state_dict` returned; the rates are part of the optimiser's state.

        Raises
        ------
        DTypeError, TensorError
            For a damaged state, or the state of another schedule; nothing changes then.
        """
        with self._all_or_nothing():
            self._take(state_dict)

    def _take(self, state_dict: Mapping[str, Any]) -> None:
        op, present = f"{type(self).__name__}.load_state_dict", LRScheduler.state_dict(self)
        found = entries(op, "a state", state_dict, present)
        self.__dict__.update({name: like(op, name, found[name], present[name]) for name in present})
        self._check_progress(op)
        self._check()

    def _check_progress(self, op: str) -> None:
        groups = len(self.optimizer.param_groups)
        self.last_epoch = integer(op, "last_epoch", self.last_epoch, -1, MOST_STEPS)
        for name in ("base_lrs", "_other_bases", "_last_lr"):
            found = sequence(op, name, getattr(self, name))
            check(op, len(found) <= groups, f"{name} of {groups} groups", f"{len(found)}")
        check(op, len(self.base_lrs) == len(self._other_bases), "as many base_lrs as _other_bases", f"{len(self.base_lrs)}")
        for rates in (self.base_lrs, self._last_lr, *(rates.values() for rates in self._other_bases)):
            for rate in rates:
                number(op, "rate", rate)


class Chainable(LRScheduler):
    """Base class of schedules whose steps multiply the current rates, with a formula for jumps."""

    def _closed(self, i: int) -> Change:
        raise NotImplementedError

    def _first(self, i: int) -> Change:
        closed, group = self._closed(i), self.optimizer.param_groups[i]
        if self.last_epoch == 0:
            return Change(now=closed.initial)
        # A loaded optimiser already has its rates; one with the initial rates is new.
        return closed if group["lr"] == group["initial_lr"] else KEEP
