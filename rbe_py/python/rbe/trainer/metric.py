"""Metrics, and their averages over batches."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from .._arguments import describe
from .._saved import entries, integer, number
from .._tensor import RBETensor
from ..errors import DTypeError, ShapeError
from ._weighing import Weight

__all__ = ["Averages", "accuracy"]

Metric = Callable[[Any, Any], Any]


class Accuracy:
    """The share of right classes among the targets that are not `ignored`, with their number."""

    def __init__(self, ignored: int) -> None:
        self.ignored = ignored

    def __call__(self, outputs: RBETensor, target: RBETensor) -> tuple[float, float]:
        """Return share and number; the share of none is NaN."""
        for name, value in (("outputs", outputs), ("a target", target)):
            if not isinstance(value, RBETensor):
                raise DTypeError("accuracy", f"a tensor as {name}", describe(value))
        found = outputs.detach().argmax(1)
        if tuple(found.shape) != tuple(target.shape):
            raise ShapeError("accuracy", f"a target {tuple(found.shape)}", str(tuple(target.shape)))
        kept = target != self.ignored
        number_kept = float(kept.sum().item())
        right = float(((found == target) & kept).sum().item())
        return (right / number_kept if number_kept else math.nan), number_kept


class AccuracyOfClasses(Accuracy):
    """`Accuracy` for targets that are class numbers; of other targets, such as probabilities, nothing is measured."""

    def __call__(self, outputs: RBETensor, target: RBETensor) -> tuple[float, float]:
        """Return share and number; NaN and 0 for other targets."""
        numbered = target.dtype.name == "int64" and target.ndim == outputs.ndim - 1
        return super().__call__(outputs, target) if numbered else (math.nan, 0.0)


def accuracy(outputs: RBETensor, target: RBETensor, ignore_index: int = -100) -> float:
    """Return the share of targets whose class has the largest output.

    Parameters
    ----------
    outputs : tensor (n, classes, …)
    target : int64 tensor (n, …)
    ignore_index : int
        Targets of this value are left out; a `Trainer` takes the ignore_index of its loss.

    Returns
    -------
    float
        NaN if there is no target.

    Examples
    --------
    >>> import rbe
    >>> rbe.trainer.accuracy(rbe.tensor([[0.1, 0.9], [0.8, 0.2]]), rbe.tensor([1, 1]))
    0.5
    """
    return Accuracy(ignore_index)(outputs, target)[0]


class Averages:
    """Running means. Values are added in order, so that a continued run gives the same bits."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.weights: dict[str, Weight] = {}
        self.samples: float = 0

    def add(self, name: str, value: float, weight: Weight) -> None:
        """Add the mean of a batch with its divisor `weight`, or (None) a sum. A divisor of 0 adds nothing."""
        if weight is None:
            self.weights[name] = None
            self.sums[name] = self.sums.get(name, 0.0) + value
            return
        self.weights[name] = (self.weights.get(name) or 0.0) + weight
        self.sums[name] = self.sums.get(name, 0.0) + (value * weight if weight else 0.0)

    def copy(self) -> "Averages":
        """Return an independent copy."""
        other = Averages()
        other.sums, other.weights, other.samples = dict(self.sums), dict(self.weights), self.samples
        return other

    def means(self) -> dict[str, float]:
        """Return the means so far: NaN where the divisors add up to 0."""
        found = {}
        for name, total in self.sums.items():
            weight = self.weights[name]
            found[name] = total if weight is None else total / weight if weight else math.nan
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return sums, weights and the number of samples."""
        return {"sums": dict(self.sums), "weights": dict(self.weights), "samples": self.samples}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        DTypeError, TensorError
            For a damaged state; nothing has changed then.
        """
        op = "Trainer.load_state_dict"
        saved = entries(op, "averages", state_dict, ("sums", "weights", "samples"))
        sums = entries(op, "sums", saved["sums"], (), others=True)
        weights = entries(op, "weights", saved["weights"], sums)
        found = {str(name): number(op, f"sum of {name}", value, finite=False) for name, value in sums.items()}
        counted = {str(n): None if w is None else number(op, f"weight of {n}", w) for n, w in weights.items()}
        samples = saved["samples"]
        whole = isinstance(samples, int)
        self.samples = integer(op, "samples", samples) if whole else number(op, "samples", samples)
        self.sums, self.weights = found, counted
