"""The loss of a classifier."""

from typing import Any

from .. import ops
from .base import Layer

__all__ = ["SoftmaxCrossEntropy"]


class SoftmaxCrossEntropy(Layer):
    """Cross entropy (nats) of the softmax of logits (n, classes, …) and class numbers (n, …), over `rbe.ops.cross_entropy`.

    `backward()` without an argument returns the gradient of the logits.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Examples
    --------
    >>> import rbe
    >>> loss = rbe.layers.SoftmaxCrossEntropy()
    >>> round(loss(rbe.zeros(1, 2), rbe.tensor([0])).item(), 4), loss.backward().tolist()
    (0.6931, [[-0.5, 0.5]])
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def call(self, *inputs: Any) -> Any:
        """Return the loss of logits and class numbers."""
        logits, target = inputs
        return ops.cross_entropy(logits, target, reduction=self.reduction)
