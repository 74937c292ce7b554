"""Schedules: one factor of every rate (`lr`, `lr_lo` and `lr_hi` together) as a function of the step."""

import math
from collections.abc import Callable
from typing import Any

from ..errors import TensorError
from .base import Optimizer

RATES = ("lr", "lr_lo", "lr_hi")


class LambdaLR:
    """Multiply the initial rates by `lr_lambda(step)`.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable
        Takes the number of `step()` calls so far, returns a factor.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.optimizer = optimizer
        self.lr_lambda = lr_lambda
        self.last_epoch = 0
        for group in optimizer.param_groups:
            for name in RATES:
                if name in group:
                    group.setdefault(f"initial_{name}", group[name])
        self._apply()

    def factor(self, step: int) -> float:
        """Return the factor at a step."""
        return self.lr_lambda(step)

    def _apply(self) -> None:
        factor = self.factor(self.last_epoch)
        for group in self.optimizer.param_groups:
            for name in RATES:
                if name in group:
                    group[name] = group[f"initial_{name}"] * factor

    def step(self) -> None:
        """Advance by one and set the rates."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a number of steps."""
        self.last_epoch = int(state_dict["last_epoch"])
        self._apply()


class CosineAnnealingLR(LambdaLR):
    """From the initial rates to `eta_min` of them along half a cosine of `T_max` steps, after a linear warm-up.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Steps, warm-up included.
    eta_min : float
        Final factor.
    warmup : int
        Steps of linear warm-up.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, warmup: int = 0) -> None:
        if T_max < 1 or not 0 <= warmup <= T_max:
            raise TensorError("CosineAnnealingLR", "T_max >= 1 and warmup up to T_max", f"{T_max} and {warmup}")

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            progress = min((step - warmup) / max(T_max - warmup, 1), 1.0)
            return eta_min + (1 - eta_min) * 0.5 * (1 + math.cos(math.pi * progress))

        super().__init__(optimizer, factor)
