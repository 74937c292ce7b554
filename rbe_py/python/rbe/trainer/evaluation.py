"""A model applied to batches, without training it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._arguments import describe
from .._rbe import concat
from .._tensor import RBETensor
from ..autograd import no_grad
from ..errors import DTypeError, TensorError
from ..nn.module import Module
from ._weighing import Weight, as_number, weighed
from .metric import Accuracy, Averages, Metric, accuracy

__all__ = ["Evaluator"]

Loss = Callable[[Any, Any], Any]
IGNORED = -100  # default of ignore_index in losses


class Evaluator:
    """A model with its loss and metrics, for evaluation and prediction."""

    def __init__(self, model: Module, loss: Loss, metrics: Sequence[str | Metric] | Mapping[str, Metric]) -> None:
        if not isinstance(model, Module):
            raise DTypeError("Trainer", "a Module as model", describe(model))
        if not callable(loss):
            raise DTypeError("Trainer", "a function of outputs and target as loss", describe(loss))
        self.model, self.loss = model, loss
        self.metrics = _named(metrics, getattr(loss, "ignore_index", IGNORED))

    def forward(self, batch: Any) -> tuple[Any, Any]:
        """Return outputs and target of a batch.

        Raises
        ------
        TensorError
            For a batch without inputs and target.
        """
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            raise TensorError("Trainer", "batches of inputs and a target (or a forward of your own)", type(batch).__name__)
        *inputs, target = batch
        return self.model(*inputs), target

    def samples(self, batch: Any) -> float:
        """Return the number of samples of a batch: the divisor of losses and metrics that do not say otherwise.

        Raises
        ------
        TensorError
            For a batch whose last part has no length.
        """
        try:
            return len(batch[-1])
        except (TypeError, KeyError, IndexError) as e:
            wanted = "batches whose last part, the target, has a length (or samples of your own)"
            raise TensorError("Trainer", wanted, describe(batch)) from e

    def _compute(self, batch: Any, averages: Averages) -> tuple[RBETensor, Weight]:
        """Return the loss of a batch and the divisor of its mean, after adding loss and metrics to the averages."""
        outputs, target = self.forward(batch)
        samples = self.samples(batch)
        loss, weight = weighed(self.loss, outputs, target, samples)
        if not isinstance(loss, RBETensor):
            raise DTypeError("Trainer", "a loss that is a tensor", describe(loss))
        averages.add("loss", as_number("loss", loss), weight)
        with no_grad():
            for name, metric in self.metrics.items():
                value, over = weighed(metric, outputs, target, samples)
                averages.add(name, as_number(name, value), over)
        averages.samples += samples
        return loss, weight

    def evaluate(self, loader: Iterable[Any]) -> dict[str, float]:
        """Return loss and metrics of a loader, in evaluation mode, as if it were one batch.

        Means of batches are weighted by their divisors: the number of samples, or what `denominator` of the loss returns
        (`CrossEntropyLoss.denominator`: targets that are not ignored, weighted by their classes). Sums are added.

        Returns
        -------
        dict
            "loss" and the metrics by name; NaN where there was nothing to average over, empty for an empty loader.
        """
        return self._evaluate(loader, lambda: False) or {}

    def _evaluate(self, loader: Iterable[Any], leave: Callable[[], bool]) -> dict[str, float] | None:
        """The means, or None once `leave` says so."""
        averages = Averages()
        with evaluating(self.model), no_grad():
            for batch in loader:
                if leave():
                    return None
                self._compute(batch, averages)
        return averages.means()

    def predict(self, loader: Iterable[Any]) -> RBETensor:
        """Return the model's outputs for all batches, one after another, in evaluation mode.

        Parameters
        ----------
        loader : iterable
            Of batches as for `fit`, whose target is not used, or of tensors or 1-tuples that are the input.

        Raises
        ------
        TensorError
            For a loader that yields no batch.
        """
        parts = []
        with evaluating(self.model), no_grad():
            for batch in loader:
                inputs = list(batch) if isinstance(batch, tuple | list) else [batch]
                parts.append(self.model(*(inputs[:-1] if len(inputs) > 1 else inputs)))
        if not parts:
            raise TensorError("predict", "one batch or more", "0 batches")
        return concat(parts, 0)


class evaluating:
    """Context in which a model is in evaluation mode; afterwards every module is back in the mode that it had."""

    def __init__(self, model: Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()

    def __exit__(self, *error: object) -> None:
        for module, mode in self.modes:
            object.__setattr__(module, "training", mode)


def _named(metrics: Any, ignored: int) -> dict[str, Metric]:
    """Metrics by the name under which they are logged."""
    if isinstance(metrics, str) or not isinstance(metrics, Mapping | Sequence):
        raise DTypeError("Trainer", "a list or mapping of metrics", describe(metrics))
    pairs = metrics.items() if isinstance(metrics, Mapping) else ((_name(metric), metric) for metric in metrics)
    named: dict[str, Metric] = {}
    for name, metric in pairs:
        if not isinstance(name, str) or name == "loss":
            raise TensorError("Trainer", "metrics of names other than 'loss'", describe(name))
        if name in named:
            raise TensorError("Trainer", "metrics of different names (give a mapping)", f"{name!r} twice")
        if metric == "accuracy" or metric is accuracy:
            metric = Accuracy(ignored)
        elif not callable(metric):
            raise TensorError("Trainer", "metrics that are 'accuracy' or callable", describe(metric))
        named[name] = metric
    return named


def _name(metric: Any) -> str:
    return metric if isinstance(metric, str) else str(getattr(metric, "__name__", type(metric).__name__))
