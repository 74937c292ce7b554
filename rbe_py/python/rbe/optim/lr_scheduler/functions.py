"""Schedules defined by a function."""

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar

from ..._arguments import real
from ..._saved import entries, like, plain, sequence
from ...errors import DTypeError
from ..base import Optimizer
from .base import KEEP, Change, LRScheduler, of_group, per_group

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _ByFunction(LRScheduler):
    """Base class of schedules that call a function, or one for every group, with the number of steps."""

    _not_saved: ClassVar[tuple[str, ...]] = ("optimizer", "lr_lambdas", "_function")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self._attach(optimizer)
        op = type(self).__name__
        self.lr_lambdas = per_group(op, "lr_lambda", lr_lambda, len(optimizer.param_groups))
        self._function = None if isinstance(lr_lambda, list | tuple) else lr_lambda  # function of groups added later
        for function in self.lr_lambdas:
            if not callable(function):
                raise DTypeError(op, "functions of the number of steps", type(function).__name__)
        super().__init__(optimizer, last_epoch)

    def _factor(self, i: int) -> float:
        op = type(self).__name__
        function = of_group(op, "lr_lambda", self.lr_lambdas, self._function, i)
        return real(op, f"factor of group {i}", function(self.last_epoch))

    def state_dict(self) -> dict[str, Any]:
        """Return all attributes but the optimiser and plain functions; for callable objects their attributes, as in torch."""
        return {**super().state_dict(), "lr_lambdas": [_held(function) for function in self.lr_lambdas]}

    def _take(self, state_dict: Mapping[str, Any]) -> None:
        op = f"{type(self).__name__}.load_state_dict"
        saved = dict(entries(op, "a state", state_dict, self.state_dict()))
        listed = sequence(op, "lr_lambdas", saved.pop("lr_lambdas"), len(self.lr_lambdas))
        held = [like(op, f"lr_lambdas[{i}]", new, _held(self.lr_lambdas[i])) for i, new in enumerate(listed)]
        super()._take(saved)
        for function, new in zip(self.lr_lambdas, held, strict=True):
            if new is not None and _held(function) is not None:
                function.__dict__.update(new)


def _held(function: Any) -> dict[str, Any] | None:
    """Return the attributes of a callable object, None for plain functions, methods and classes."""
    if isinstance(function, FunctionType | type) or not hasattr(function, "__dict__") or hasattr(function, "__func__"):
        return None
    held: dict[str, Any] = plain(function.__dict__)
    return held


class LambdaLR(_ByFunction):
    """Multiply the initial rates by a function of the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable, or list of callables
        Takes the number of steps and returns a factor; a list has one for every group.

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

    def _change(self, i: int) -> Change:
        return Change(initial=self._factor(i))


class MultiplicativeLR(_ByFunction):
    """Multiply the current rates at each step by a function of the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable, or list of callables
        Takes the number of steps and returns a factor; a list has one for every group.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = rbe.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda step: 0.5)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.25]
    """

    def _first(self, i: int) -> Change:
        return KEEP

    def _change(self, i: int) -> Change:
        return Change(now=self._factor(i))
