"""Losses as modules, with torch's names and signatures."""

from typing import Any

from .._tensor import RBETensor
from ..errors import TensorError
from . import functional as F
from .module import Module


class _Loss(Module):
    """Base of losses: the reduction, and the arguments of the function that computes the loss."""

    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in self.reductions:
            raise TensorError(type(self).__name__, f"a reduction of {self.reductions}", repr(reduction))
        self.reduction = reduction

    _names: tuple[str, ...] = ("reduction",)  # attributes that are arguments of the function

    def _function(self, *args: Any, **kwargs: Any) -> RBETensor:
        raise NotImplementedError(f"{type(self).__name__} has no function")

    def forward(self, input: RBETensor, target: RBETensor) -> RBETensor:
        """Return the loss of a prediction and its target."""
        return self._function(input, target, **self._options())

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def denominator(self, *args: RBETensor) -> float | None:
        """Return the divisor of the mean that `forward` returns for these arguments; None if it returns a sum.

        A `Trainer` weights batches by it. User-defined losses may have this method, too.

        Raises
        ------
        TensorError
            For the reduction "none".
        """
        return F.denominator(self._function, *args, **self._options())

    def extra_repr(self) -> str:
        """Return the reduction."""
        return f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """Squared differences of prediction and target.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MSELoss()(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(2.)
    """

    _function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """Absolute differences of prediction and target.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.L1Loss()(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(1.)
    """

    _function = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """`d² / (2 beta)` where `|d| < beta` and `|d| - beta / 2` elsewhere, for differences d.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.SmoothL1Loss()(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(0.75)
    """

    _function = staticmethod(F.smooth_l1_loss)
    _names = ("reduction", "beta")

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta


class HuberLoss(_Loss):
    """`d² / 2` where `|d| <= delta` and `delta (|d| - delta / 2)` elsewhere, for differences d.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.HuberLoss()(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(0.75)
    """

    _function = staticmethod(F.huber_loss)
    _names = ("reduction", "delta")

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta


class CrossEntropyLoss(_Loss):
    """Cross entropy in nats of logits (N, C) or (N, C, …) and class indices or probabilities.

    Parameters
    ----------
    weight : tensor (C), optional
        Weight of each class.
    ignore_index : int
        Class index that takes no part.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        Share of the probability mass spread over all classes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CrossEntropyLoss()(rbe.tensor([[2.0, 0.0], [0.0, 0.0]]), rbe.tensor([0, 1]))
    tensor(0.41)
    """

    _function = staticmethod(F.cross_entropy)
    _names = ("weight", "ignore_index", "reduction", "label_smoothing")

    weight: RBETensor | None

    def __init__(
        self,
        weight: RBETensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing


class NLLLoss(_Loss):
    """Minus the log-probability of the target class, given log-probabilities (N, C) or (N, C, …).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.NLLLoss()(rbe.tensor([[-1.0, -2.0]]), rbe.tensor([1]))
    tensor(2.)
    """

    _function = staticmethod(F.nll_loss)
    _names = ("weight", "ignore_index", "reduction")

    weight: RBETensor | None

    def __init__(self, weight: RBETensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index


class BCELoss(_Loss):
    """Binary cross entropy of probabilities and targets of one shape.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.BCELoss()(rbe.tensor([0.5, 0.5]), rbe.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.binary_cross_entropy)
    _names = ("weight", "reduction")

    weight: RBETensor | None

    def __init__(self, weight: RBETensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of `sigmoid(x)` and targets of one shape, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.BCEWithLogitsLoss()(rbe.zeros(2), rbe.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.binary_cross_entropy_with_logits)
    _names = ("weight", "reduction", "pos_weight")

    weight: RBETensor | None
    pos_weight: RBETensor | None

    def __init__(
        self, weight: RBETensor | None = None, *, reduction: str = "mean", pos_weight: RBETensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)


class KLDivLoss(_Loss):
    """`t (ln t - x)` for log-probabilities x and probabilities t of one shape.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.KLDivLoss(reduction="batchmean")(rbe.tensor([[0.5, 0.5]]).log(), rbe.tensor([[0.5, 0.5]]))
    tensor(0.)
    """

    _function = staticmethod(F.kl_div)
    _names = ("reduction", "log_target")

    reductions = ("mean", "batchmean", "sum", "none")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target


class CosineEmbeddingLoss(_Loss):
    """`1 - cos` of two vectors where the target is 1 and `max(0, cos - margin)` where it is -1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CosineEmbeddingLoss()(rbe.tensor([[1.0, 0.0]]), rbe.tensor([[0.0, 2.0]]), rbe.tensor([1]))
    tensor(1.)
    """

    _function = staticmethod(F.cosine_embedding_loss)
    _names = ("margin", "reduction")

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(  # type: ignore[override]
        self, input1: RBETensor, input2: RBETensor, target: RBETensor
    ) -> RBETensor:
        """Return the loss of two tensors (N, D) and a target (N) of 1 and -1."""
        return self._function(input1, input2, target, **self._options())
