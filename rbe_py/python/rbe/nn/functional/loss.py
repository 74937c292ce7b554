"""Losses as functions, with torch's signatures and formulas."""

from typing import Any

from ... import _rbe
from ..._tensor import RBETensor
from ...autograd import Function
from ...errors import DTypeError, OutOfRangeError, ShapeError, TensorError

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def reduce(values: RBETensor, reduction: str) -> RBETensor:
    """Return the mean, the sum, or ("none") the values themselves."""
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise TensorError("reduction", "'mean', 'sum' or 'none'", repr(reduction))


def _same_shape(op: str, a: RBETensor, b: RBETensor) -> None:
    if a.shape != b.shape:
        raise ShapeError(op, f"a target of shape {tuple(a.shape)}", str(tuple(b.shape)))


def _weighted(op: str, losses: RBETensor, weight: RBETensor | None, reduction: str) -> RBETensor:
    """Return the reduction of weighted losses; "mean" divides by the sum of the weights."""
    if weight is None:
        return reduce(losses, reduction)
    if weight.shape != losses.shape:
        raise ShapeError(op, f"a weight of shape {tuple(losses.shape)}", str(tuple(weight.shape)))
    weighted = losses * weight
    return weighted.sum() / weight.sum() if reduction == "mean" else reduce(weighted, reduction)


def mse_loss(input: RBETensor, target: RBETensor, reduction: str = "mean", weight: RBETensor | None = None) -> RBETensor:
    """Return the squared differences of two tensors of one shape.

    A weight, of the same shape, multiplies each difference; the mean then is a weighted one.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.mse_loss(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(2.)
    """
    if reduction == "mean" and weight is None:
        return _rbe.mse_loss(input, target)
    _same_shape("mse_loss", input, target)
    return _weighted("mse_loss", (input - target).square(), weight, reduction)


def l1_loss(input: RBETensor, target: RBETensor, reduction: str = "mean", weight: RBETensor | None = None) -> RBETensor:
    """Return the absolute differences of two tensors of one shape.

    A weight, of the same shape, multiplies each difference; the mean then is a weighted one.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.l1_loss(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(1.)
    """
    _same_shape("l1_loss", input, target)
    return _weighted("l1_loss", (input - target).abs(), weight, reduction)


def _parabola_and_lines(d: RBETensor, knee: float) -> RBETensor:
    """Return `d² / 2` up to |d| = knee and its tangents beyond, with finite gradients however far out."""
    distance = d.abs()
    near = distance.clamp(max=knee)
    return near.square() * 0.5 + (distance - near) * knee


def huber_loss(
    input: RBETensor, target: RBETensor, reduction: str = "mean", delta: float = 1.0, weight: RBETensor | None = None
) -> RBETensor:
    """Return `d² / 2` where `|d| <= delta` and `delta (|d| - delta / 2)` elsewhere, for differences d.

    A weight, of the same shape, multiplies each loss; the mean is over the number of elements all the same, as torch's.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.huber_loss(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(0.75)
    """
    _same_shape("huber_loss", input, target)
    if not delta > 0:
        raise TensorError("huber_loss", "delta > 0", str(delta))
    losses = _parabola_and_lines(input - target, delta)
    if weight is not None and weight.shape != losses.shape:
        raise ShapeError("huber_loss", f"a weight of shape {tuple(losses.shape)}", str(tuple(weight.shape)))
    return reduce(losses if weight is None else losses * weight, reduction)


def smooth_l1_loss(input: RBETensor, target: RBETensor, reduction: str = "mean", beta: float = 1.0) -> RBETensor:
    """Return `d² / (2 beta)` where `|d| < beta` and `|d| - beta / 2` elsewhere, for differences d.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.smooth_l1_loss(rbe.tensor([1.0, 2.0]), rbe.tensor([1.0, 4.0]))
    tensor(0.75)
    """
    if not beta >= 0:
        raise TensorError("smooth_l1_loss", "beta >= 0", str(beta))
    if beta == 0:
        return l1_loss(input, target, reduction)
    _same_shape("smooth_l1_loss", input, target)
    return reduce(_parabola_and_lines(input - target, beta) * (1.0 / beta), reduction)


def cross_entropy(
    input: RBETensor,
    target: RBETensor,
    weight: RBETensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> RBETensor:
    """Return the cross entropy in nats of logits (N, C) or (N, C, …).

    Parameters
    ----------
    input : tensor (N, C), (N, C, …) or (C)
        Logits.
    target : int64 tensor (N), (N, …) or a scalar, or a tensor like the logits
        Class indices, or a probability for every class.
    weight : tensor (C), optional
        Weight of each class; the mean over class indices is weighted.
    ignore_index : int
        Class index that takes no part. Negative where the targets are probabilities.
    label_smoothing : float
        Share of the probability mass spread over all classes.

    Raises
    ------
    ShapeError, DTypeError
        If the targets do not fit the logits.
    OutOfRangeError
        For a class that is not there.
    TensorError
        For a smoothing outside [0, 1], or an ignore_index of 0 or more beside probabilities.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.cross_entropy(rbe.tensor([[2.0, 0.0], [0.0, 0.0]]), rbe.tensor([0, 1]))
    tensor(0.41)
    """
    if target.dtype.is_floating_point:
        if ignore_index >= 0:
            raise TensorError("cross_entropy", "a negative ignore_index beside targets of probabilities", str(ignore_index))
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    weights = None if weight is None else [float(w) for w in weight.tolist()]
    return _rbe.cross_entropy(input, target, weights, ignore_index, reduction, label_smoothing)


def _soft_cross_entropy(
    input: RBETensor, target: RBETensor, weight: RBETensor | None, reduction: str, smoothing: float
) -> RBETensor:
    _same_shape("cross_entropy", input, target)
    if not 0 <= smoothing <= 1:
        raise TensorError("cross_entropy", "label_smoothing in [0, 1]", str(smoothing))
    axis = 0 if input.ndim == 1 else 1
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / input.shape[axis]
    mass = input.log_softmax(axis) * target
    if weight is not None:
        mass = mass * weight.reshape(-1, *(1 for _ in input.shape[axis + 1 :]))
    losses = -mass.sum(axis)
    return reduce(losses, reduction)


def nll_loss(
    input: RBETensor,
    target: RBETensor,
    weight: RBETensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> RBETensor:
    """Return minus the log-probability of each target class, given log-probabilities (N, C), (N, C, …) or (C).

    The mean is weighted by the class weights, and leaves out targets equal to `ignore_index`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.nll_loss(rbe.tensor([[-1.0, -2.0]]), rbe.tensor([1]))
    tensor(2.)
    """
    if target.dtype.is_floating_point:
        raise DTypeError("nll_loss", "int64 class indices", str(target.dtype))
    axis = 0 if input.ndim == 1 else 1
    wanted = tuple(input.shape[:axis]) + tuple(input.shape[axis + 1 :])
    if tuple(target.shape) != wanted:
        raise ShapeError("nll_loss", f"targets {wanted}", str(tuple(target.shape)))
    classes = input.shape[axis]
    ignored = target == ignore_index
    outside = ((target < 0) | (target >= classes)) & ~ignored
    if bool(outside.any()):
        wrong = target.reshape(-1)[outside.reshape(-1)][0].item()
        raise OutOfRangeError("nll_loss", f"classes from 0 to {classes - 1} (or {ignore_index} to ignore)", str(wrong))
    safe = _rbe.where(ignored, 0, target)
    share = _rbe.where(ignored, 0.0, 1.0).to(input.dtype)
    if weight is not None:
        share = share * weight.detach().to(input.dtype)[safe]
    picked = input.gather(axis, safe.unsqueeze(axis)).squeeze(axis)
    losses = -_rbe.where(ignored, 0.0, picked) * share  # logarithms of ignored targets may be infinite
    return losses.sum() / share.sum() if reduction == "mean" else reduce(losses, reduction)


class _BinaryCrossEntropy(Function):
    """Logarithms are held at or above -100, and the slope finite at 0 and 1, as torch does."""

    @staticmethod
    def forward(ctx: Any, p: RBETensor, t: RBETensor) -> RBETensor:
        ctx.save_for_backward(p, t)
        return -(t * p.log().clamp(min=-100.0) + (1.0 - t) * (1.0 - p).log().clamp(min=-100.0))

    @staticmethod
    def backward(ctx: Any, dy: RBETensor) -> Any:
        p, t = (s.detach() for s in ctx.saved_tensors)
        dt = dy * ((1.0 - p).log().clamp(min=-100.0) - p.log().clamp(min=-100.0))
        return dy * (p - t) / (p * (1.0 - p)).clamp(min=1e-12), dt


def binary_cross_entropy(
    input: RBETensor, target: RBETensor, weight: RBETensor | None = None, reduction: str = "mean"
) -> RBETensor:
    """Return `-(t ln p + (1 - t) ln(1 - p))` for probabilities p and targets t of one shape.

    Raises
    ------
    TensorError
        For a probability outside [0, 1].

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.binary_cross_entropy(rbe.tensor([0.5, 0.5]), rbe.tensor([1.0, 0.0]))
    tensor(0.6931)
    """
    _same_shape("binary_cross_entropy", input, target)
    if not bool(((input >= 0.0) & (input <= 1.0)).all()):
        got = f"values from {input.min().item()} to {input.max().item()} (apply sigmoid first)"
        raise TensorError("binary_cross_entropy", "probabilities in [0, 1]", got)
    losses = _BinaryCrossEntropy.apply(input, target.to(input.dtype))
    return reduce(losses if weight is None else losses * weight, reduction)


class _BinaryCrossEntropyWithLogits(Function):
    """`(1 - t) x + l softplus(-x)`, `l = 1 + (w - 1) t` for a weight w of the positive class."""

    @staticmethod
    def forward(ctx: Any, x: RBETensor, t: RBETensor, w: RBETensor | None) -> RBETensor:
        ctx.save_for_backward(x, t)
        ctx.share = None if w is None else (w.detach() - 1.0)
        soft = (-x).relu() + (-x.abs()).exp().log1p()
        ctx.soft = soft
        return (1.0 - t) * x + (soft if ctx.share is None else (1.0 + ctx.share * t) * soft)

    @staticmethod
    def backward(ctx: Any, dy: RBETensor) -> Any:
        x, t = (s.detach() for s in ctx.saved_tensors)
        away = (-x).sigmoid()  # -d softplus(-x) / dx
        if ctx.share is None:
            return dy * (1.0 - t - away), dy * -x, None
        return dy * (1.0 - t - (1.0 + ctx.share * t) * away), dy * (ctx.share * ctx.soft - x), None


def binary_cross_entropy_with_logits(
    input: RBETensor,
    target: RBETensor,
    weight: RBETensor | None = None,
    reduction: str = "mean",
    pos_weight: RBETensor | None = None,
) -> RBETensor:
    """Return the binary cross entropy of `sigmoid(x)`, computed without overflow.

    Parameters
    ----------
    input, target : tensors of one shape
        Logits, and targets in [0, 1].
    weight : tensor, optional
        Weight of each element; broadcasts.
    pos_weight : tensor, optional
        Weight of the positive class; broadcasts.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.binary_cross_entropy_with_logits(rbe.zeros(2), rbe.tensor([1.0, 0.0]))
    tensor(0.6931)
    """
    _same_shape("binary_cross_entropy_with_logits", input, target)
    losses = _BinaryCrossEntropyWithLogits.apply(input, target.to(input.dtype), pos_weight)
    return reduce(losses if weight is None else losses * weight, reduction)


def kl_div(input: RBETensor, target: RBETensor, reduction: str = "mean", log_target: bool = False) -> RBETensor:
    """Return `t (ln t - x)` for log-probabilities x and probabilities t of one shape (ln t itself with `log_target`).

    The reduction "batchmean" divides the sum by the first axis: the divergence as the literature has it.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.kl_div(rbe.tensor([[0.5, 0.5]]).log(), rbe.tensor([[0.5, 0.5]]), reduction="batchmean")
    tensor(0.)
    """
    _same_shape("kl_div", input, target)
    if log_target:
        losses = target.exp() * (target - input)
    else:
        nothing = target == 0.0
        losses = _rbe.where(nothing, 0.0, target * _rbe.where(nothing, 1.0, target).log()) - target * input
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.ndim else 1)
    return reduce(losses, reduction)


def cosine_embedding_loss(
    input1: RBETensor, input2: RBETensor, target: RBETensor, margin: float = 0.0, reduction: str = "mean"
) -> RBETensor:
    """Return `1 - cos` where the target is 1 and `max(0, cos - margin)` where it is -1.

    Parameters
    ----------
    input1, input2 : tensor (N, D) or (D)
    target : tensor (N) or a scalar
        1 or -1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.cosine_embedding_loss(rbe.tensor([[1.0, 0.0]]), rbe.tensor([[0.0, 2.0]]), rbe.tensor([1]))
    tensor(1.)
    """
    _same_shape("cosine_embedding_loss", input1, input2)
    if tuple(target.shape) != tuple(input1.shape[:-1]):
        raise ShapeError("cosine_embedding_loss", f"a target {tuple(input1.shape[:-1])}", str(tuple(target.shape)))
    m1, m2 = (x.square().sum(-1) + 1e-12 for x in (input1, input2))
    cos = (input1 * input2).sum(-1) / (m1 * m2).sqrt()
    losses = _rbe.where(target > 0, 1.0 - cos, (cos - margin).relu())
    return reduce(losses, reduction)
