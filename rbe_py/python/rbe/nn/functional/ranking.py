"""Losses of comparisons and margins as functions, with torch's signatures and formulas."""

from collections.abc import Callable

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .distance import pairwise_distance
from .loss import reduce
from .squashing import logsigmoid

__all__ = [
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def margin_ranking_loss(
    input1: RBETensor, input2: RBETensor, target: RBETensor, margin: float = 0.0, reduction: str = "mean"
) -> RBETensor:
    """Return `max(0, -t (x1 - x2) + margin)`: 0 where x1 is above x2 for a target t of 1, or below it for -1, by the margin.

    Raises
    ------
    ShapeError
        For tensors of different numbers of axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.margin_ranking_loss(rbe.tensor([1.0]), rbe.tensor([3.0]), rbe.tensor([1.0]))
    tensor(2.)
    """
    if not input1.ndim == input2.ndim == target.ndim:
        got = f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}"
        raise ShapeError("margin_ranking_loss", "two inputs and a target of as many axes", got)
    return reduce((-target * (input1 - input2) + margin).clamp(min=0.0), reduction)


def hinge_embedding_loss(input: RBETensor, target: RBETensor, margin: float = 1.0, reduction: str = "mean") -> RBETensor:
    """Return a distance x where the target is 1, and `max(0, margin - x)` where it is -1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.hinge_embedding_loss(rbe.tensor([0.25, 0.25]), rbe.tensor([1, -1]), reduction="none")
    tensor([0.25, 0.75])
    """
    far = _rbe.where(target == 1, 0.0, (margin - input).relu())
    near = _rbe.where(target == -1, 0.0, input)
    return reduce(far + near, reduction)


def soft_margin_loss(input: RBETensor, target: RBETensor, reduction: str = "mean") -> RBETensor:
    """Return `ln(1 + e^(-t x))` for targets t of 1 and -1.

    Raises
    ------
    ShapeError
        For a target of another shape.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.soft_margin_loss(rbe.tensor([0.0]), rbe.tensor([1.0]))
    tensor(0.6931)
    """
    if input.shape != target.shape:
        raise ShapeError("soft_margin_loss", f"a target of shape {tuple(input.shape)}", str(tuple(target.shape)))
    return reduce(-logsigmoid(target.to(input.dtype) * input), reduction)


def multilabel_soft_margin_loss(
    input: RBETensor, target: RBETensor, weight: RBETensor | None = None, reduction: str = "mean"
) -> RBETensor:
    """Return the mean over classes of the binary cross entropy of logits (…, C), for targets (…, C) of 0 and 1.

    Parameters
    ----------
    input, target : tensors of one shape (…, C)
    weight : tensor (C), optional

    Raises
    ------
    ShapeError
        For a target of another shape.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.multilabel_soft_margin_loss(rbe.zeros(1, 2), rbe.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    if input.shape != target.shape:
        raise ShapeError("multilabel_soft_margin_loss", f"a target of shape {tuple(input.shape)}", str(tuple(target.shape)))
    losses = -(target * logsigmoid(input) + (1.0 - target) * logsigmoid(-input))
    return reduce((losses if weight is None else losses * weight).mean(-1), reduction)


def triplet_margin_loss(
    anchor: RBETensor,
    positive: RBETensor,
    negative: RBETensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> RBETensor:
    """Return `max(0, d(a, positive) - d(a, negative) + margin)` for p-norm distances d along the last axis.

    Parameters
    ----------
    anchor, positive, negative : tensor (N, D) or (D)
    margin : float
    p : float
        Of the norm.
    eps : float
        Added to every difference.
    swap : bool
        Whether the distance from positive to negative counts where it is smaller (Balntas et al. 2016).

    Raises
    ------
    ShapeError
        For tensors of different numbers of axes.
    TensorError
        For a margin that is not positive.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.triplet_margin_loss(rbe.zeros(1, 2), rbe.tensor([[0.0, 2.0]]), rbe.tensor([[0.0, 2.5]]))
    tensor(0.5)
    """

    def distance(a: RBETensor, b: RBETensor) -> RBETensor:
        return pairwise_distance(a, b, p, eps)

    return _triplets("triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: RBETensor,
    positive: RBETensor,
    negative: RBETensor,
    *,
    distance_function: Callable[[RBETensor, RBETensor], RBETensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> RBETensor:
    """Return `triplet_margin_loss` for another distance; default `pairwise_distance`.

    Examples
    --------
    >>> import rbe
    >>> F, a = rbe.nn.functional, rbe.zeros(1, 2)
    >>> F.triplet_margin_with_distance_loss(a, a, a, distance_function=lambda x, y: (x - y).abs().sum(-1))
    tensor(1.)
    """
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplets("triplet_margin_with_distance_loss", (anchor, positive, negative), distance, margin, swap, reduction)


def _triplets(
    op: str,
    of: tuple[RBETensor, RBETensor, RBETensor],
    distance: Callable[[RBETensor, RBETensor], RBETensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> RBETensor:
    anchor, positive, negative = of
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(op, "three tensors of as many axes", ", ".join(str(tuple(t.shape)) for t in of))
    if not margin > 0:
        raise TensorError(op, "a margin above 0", str(margin))
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduce((near - far + margin).relu(), reduction)
