"""A model applied to batches, without training it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._rbe import RBETensor, concat
from ..autograd import no_grad
from ..errors import TensorError
from ..nn.module import Module
from .metric import Averages, Metric, accuracy

Loss = Callable[[Any, Any], RBETensor]
NAMED: dict[str, Metric] = {"accuracy": accuracy}


class Evaluator:
    """A model with its loss and metrics: what a trainer does when it does not train."""

    def __init__(self, model: Module, loss: Loss, metrics: Sequence[str | Metric] | Mapping[str, Metric]) -> None:
        self.model, self.loss, self.metrics = model, loss, _named(metrics)

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

    def samples(self, batch: Any) -> int:
        """Return the number of samples of a batch."""
        return len(batch[-1])

    def _measure(self, outputs: Any, target: Any) -> dict[str, float]:
        if not self.metrics:
            return {}
        with no_grad():
            return {name: float(metric(outputs, target)) for name, metric in self.metrics.items()}

    def evaluate(self, loader: Iterable[Any]) -> dict[str, float]:
        """Return the means of loss and metrics over the samples of a loader, in evaluation mode.

        Returns
        -------
        dict
            "loss" and the metrics by name; empty for an empty loader.
        """
        return self._evaluate(loader, lambda: False) or {}

    def _evaluate(self, loader: Iterable[Any], leave: Callable[[], bool]) -> dict[str, float] | None:
        """The means, or None once `leave` says so."""
        averages = Averages()
        with _Evaluating(self.model), no_grad():
            for batch in loader:
                if leave():
                    return None
                outputs, target = self.forward(batch)
                found = {"loss": self.loss(outputs, target).item(), **self._measure(outputs, target)}
                averages.add(found, self.samples(batch))
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
            For a loader without batches.
        """
        parts = []
        with _Evaluating(self.model), no_grad():
            for batch in loader:
                inputs = list(batch) if isinstance(batch, tuple | list) else [batch]
                parts.append(self.model(*(inputs[:-1] if len(inputs) > 1 else inputs)))
        if not parts:
            raise TensorError("predict", "one batch or more", "none")
        return concat(parts, 0)


class _Evaluating:
    """A model in evaluation mode; every module of it has its own mode back afterwards."""

    def __init__(self, model: Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()

    def __exit__(self, *error: object) -> None:
        for module, mode in self.modes:
            object.__setattr__(module, "training", mode)


def _named(metrics: Sequence[str | Metric] | Mapping[str, Metric]) -> dict[str, Metric]:
    """Metrics by the name under which they are logged."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    named: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str) and metric not in NAMED:
            raise TensorError("Trainer", f"metrics {', '.join(NAMED)} or callables", repr(metric))
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        named[name] = NAMED[metric] if isinstance(metric, str) else metric
    return named
