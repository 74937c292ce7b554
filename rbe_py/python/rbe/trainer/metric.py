"""What is measured beside the loss."""

from collections.abc import Callable
from typing import Any

from .._rbe import RBETensor

Metric = Callable[[Any, Any], Any]


def accuracy(outputs: RBETensor, target: RBETensor) -> float:
    """Return the share of samples whose largest output is that of the class named by the target.

    Parameters
    ----------
    outputs : tensor (n, classes, …)
    target : int64 tensor (n, …)

    Examples
    --------
    >>> import rbe
    >>> rbe.trainer.accuracy(rbe.tensor([[0.1, 0.9], [0.8, 0.2]]), rbe.tensor([1, 1]))
    0.5
    """
    return float((outputs.argmax(1) == target)._cast("float64").mean().item())


class Averages:
    """Running means over samples, in the order they come: saved and continued they are the same to the last bit."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.samples = 0

    def add(self, values: dict[str, float], samples: int) -> None:
        """Count the means of a batch."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * samples
        self.samples += samples

    def means(self) -> dict[str, float]:
        """Return the means so far."""
        return {name: total / self.samples for name, total in self.sums.items()} if self.samples else {}

    def state_dict(self) -> dict[str, Any]:
        """Return sums and count."""
        return {"sums": dict(self.sums), "samples": self.samples}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.sums, self.samples = dict(state_dict["sums"]), state_dict["samples"]
