"""Losses of comparisons, margins, distributions and sequences as modules, with torch's names and signatures."""

from collections.abc import Callable, Sequence
from typing import Any

from .._tensor import RBETensor
from ..errors import TensorError
from . import functional as F
from .loss import _Loss

__all__ = [
    "CTCLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "MultiLabelSoftMarginLoss",
    "PoissonNLLLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class _OfSeveral(_Loss):
    """Base of losses of more than a prediction and a target."""

    def forward(self, *args: RBETensor) -> RBETensor:
        """Return the loss of the tensors that the function takes."""
        return self._function(*args, **self._options())


class MarginRankingLoss(_OfSeveral):
    """`max(0, -t (x1 - x2) + margin)`, called with x1, x2 and t.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MarginRankingLoss()(rbe.tensor([1.0]), rbe.tensor([3.0]), rbe.tensor([1.0]))
    tensor(2.)
    """

    _function = staticmethod(F.margin_ranking_loss)
    _names = ("margin", "reduction")

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin


class HingeEmbeddingLoss(_Loss):
    """A distance x where the target is 1, and `max(0, margin - x)` where it is -1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.HingeEmbeddingLoss(reduction="sum")(rbe.tensor([0.25, 0.25]), rbe.tensor([1, -1]))
    tensor(1.)
    """

    _function = staticmethod(F.hinge_embedding_loss)
    _names = ("margin", "reduction")

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin


class SoftMarginLoss(_Loss):
    """`ln(1 + e^(-t x))` for targets t of 1 and -1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.SoftMarginLoss()(rbe.tensor([0.0]), rbe.tensor([1.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.soft_margin_loss)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over classes of the binary cross entropy of logits (…, C), for targets (…, C) of 0 and 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.MultiLabelSoftMarginLoss()(rbe.zeros(1, 2), rbe.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    _function = staticmethod(F.multilabel_soft_margin_loss)
    _names = ("weight", "reduction")

    weight: RBETensor | None

    def __init__(self, weight: RBETensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class TripletMarginLoss(_OfSeveral):
    """`max(0, d(a, positive) - d(a, negative) + margin)`, called with anchor, positive and negative.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.TripletMarginLoss()(rbe.zeros(1, 2), rbe.tensor([[0.0, 2.0]]), rbe.tensor([[0.0, 2.5]]))
    tensor(0.5)
    """

    _function = staticmethod(F.triplet_margin_loss)
    _names = ("margin", "p", "eps", "swap", "reduction")

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        if not margin > 0:
            raise TensorError("TripletMarginLoss", "a margin above 0", str(margin))
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap


class TripletMarginWithDistanceLoss(_OfSeveral):
    """`TripletMarginLoss` for another distance; default `functional.pairwise_distance`.

    Examples
    --------
    >>> import rbe
    >>> loss = rbe.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))
    >>> loss(rbe.zeros(1, 2), rbe.zeros(1, 2), rbe.zeros(1, 2))
    tensor(1.)
    """

    _function = staticmethod(F.triplet_margin_with_distance_loss)
    _names = ("distance_function", "margin", "swap", "reduction")

    def __init__(
        self,
        *,
        distance_function: Callable[[RBETensor, RBETensor], RBETensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        if not margin > 0:
            raise TensorError("TripletMarginWithDistanceLoss", "a margin above 0", str(margin))
        self.distance_function, self.margin, self.swap = distance_function, margin, swap


class GaussianNLLLoss(_OfSeveral):
    """`(ln v + (x - t)² / v) / 2`, called with means x, targets t and variances v.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.GaussianNLLLoss()(rbe.tensor([1.0]), rbe.tensor([3.0]), rbe.tensor([4.0]))
    tensor(1.1931)
    """

    _function = staticmethod(F.gaussian_nll_loss)
    _names = ("full", "eps", "reduction")

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if not eps > 0:
            raise TensorError("GaussianNLLLoss", "an eps above 0", str(eps))
        self.full, self.eps = full, eps


class PoissonNLLLoss(_Loss):
    """`e^x - t x` for the logarithm x of a rate, or `x - t ln(x + eps)` for the rate itself.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.PoissonNLLLoss()(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor(1.)
    """

    _function = staticmethod(F.poisson_nll_loss)
    _names = ("log_input", "full", "eps", "reduction")

    def __init__(self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps


class CTCLoss(_Loss):
    """Minus the log-probability of reading targets from longer sequences: `functional.ctc_loss`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CTCLoss()(rbe.zeros(3, 1, 2).log_softmax(-1), rbe.tensor([[1]]), [3], [1])
    tensor(0.2877)
    """

    _function = staticmethod(F.ctc_loss)
    _names = ("blank", "reduction", "zero_infinity")

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(  # type: ignore[override]
        self,
        log_probs: RBETensor,
        targets: RBETensor,
        input_lengths: RBETensor | Sequence[int],
        target_lengths: RBETensor | Sequence[int],
    ) -> RBETensor:
        """Return the loss of log-probabilities (T, N, C) and targets (N, S) of the given lengths."""
        options: dict[str, Any] = self._options()
        return self._function(log_probs, targets, input_lengths, target_lengths, **options)
