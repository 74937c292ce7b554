"""What schedules share."""

from typing import Any

from ...errors import DTypeError, TensorError
from ..base import Optimizer

RATES = ("lr", "lr_lo", "lr_hi")
NOT_SAVED = ("optimizer", "lr_lambdas", "_schedulers")


def per_group(op: str, value: Any, groups: int) -> list[Any]:
    """Return one value for every group."""
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise TensorError(op, f"one value, or {groups} for as many groups", str(len(value)))
    return list(value)


def check(op: str, holds: bool, expected: str, got: object) -> None:
    """Raise TensorError unless `holds`."""
    if not holds:
        raise TensorError(op, expected, str(got))


class Schedule:
    """What sets the rates of an optimiser, and can be saved."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(type(self).__name__, "an optimizer", type(optimizer).__name__)
        self.optimizer = optimizer

    def get_last_lr(self) -> list[float]:
        """Return the rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return all but the optimiser and functions."""
        return {k: v for k, v in self.__dict__.items() if k not in NOT_SAVED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.__dict__.update(state_dict)


class LRScheduler(Schedule):
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
        super().__init__(optimizer)
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
        check(type(self).__name__, base != 0, f"an initial lr other than 0 for a rate of {rate}", base)
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

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned, and set the rates."""
        super().load_state_dict(state_dict)
        self._apply()
