"""Losses as modules."""

from .. import _rbe
from .._rbe import RBETensor
from . import functional as F
from .module import Module


class MSELoss(Module):
    """Squared differences of prediction and target."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, prediction: RBETensor, target: RBETensor) -> RBETensor:
        """Return the loss."""
        if self.reduction == "mean":
            return _rbe.mse_loss(prediction, target)
        F.check_same_shape("MSELoss", prediction, target)
        return F.reduce((prediction - target).square(), self.reduction)


class CrossEntropyLoss(Module):
    """Cross entropy of logits (N, C) or (N, C, …) and class indices, in nats."""

    def __init__(
        self,
        weight: RBETensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    weight: RBETensor | None

    def forward(self, logits: RBETensor, target: RBETensor) -> RBETensor:
        """Return the loss."""
        return F.cross_entropy(logits, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)
