"""Divisors of mean losses, by which means of batches are combined into the mean of all samples."""

import inspect
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from ..._rbe import where
from ..._tensor import RBETensor
from ...errors import TensorError
from . import likelihood, ranking
from . import loss as losses

__all__ = ["denominator"]

BY_CLASS = (losses.cross_entropy, losses.nll_loss)
BY_ROW = (losses.cosine_embedding_loss,)
BY_ROW_OF_CLASSES = (ranking.multilabel_soft_margin_loss,)
BY_ELEMENT = (
    losses.binary_cross_entropy,
    losses.binary_cross_entropy_with_logits,
    losses.huber_loss,
    losses.kl_div,
    losses.l1_loss,
    losses.mse_loss,
    losses.smooth_l1_loss,
    likelihood.gaussian_nll_loss,
    likelihood.poisson_nll_loss,
    ranking.hinge_embedding_loss,
    ranking.soft_margin_loss,
)


@cache
def _signature(loss: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(loss)


def knows_denominator(loss: Any) -> bool:
    """Return whether `denominator` takes a loss: one of this package's functions, or a `partial` of one."""
    while isinstance(loss, partial):
        loss = loss.func
    loss = inspect.unwrap(loss) if callable(loss) else loss
    return any(loss is known for known in (*BY_CLASS, *BY_ROW, *BY_ROW_OF_CLASSES, *BY_ELEMENT))


def denominator(loss: Callable[..., Any], *args: Any, **kwargs: Any) -> float | None:
    """Return the divisor of the mean that `loss(*args, **kwargs)` returns; None if it returns a sum.

    The mean over several batches is the mean of their losses, each weighted by this number: elements, targets that are not
    ignored, or the sum of the weights of their classes.

    Parameters
    ----------
    loss : callable
        A loss of `rbe.nn.functional`, or a `functools.partial` of one.

    Raises
    ------
    TensorError
        For another function, or a reduction other than "mean", "batchmean" and "sum".

    Examples
    --------
    >>> import rbe
    >>> F = rbe.nn.functional
    >>> F.denominator(F.cross_entropy, rbe.zeros(3, 5), rbe.tensor([1, 4, -100]))
    2.0
    >>> F.denominator(F.mse_loss, rbe.zeros(3, 5), rbe.zeros(3, 5))
    15.0
    """
    while isinstance(loss, partial):
        args, kwargs, loss = (*loss.args, *args), {**loss.keywords, **kwargs}, loss.func
    if not knows_denominator(loss):
        raise TensorError("denominator", "a loss of rbe.nn.functional", getattr(loss, "__name__", type(loss).__name__))
    loss = inspect.unwrap(loss)
    bound = _signature(loss).bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    reduction, target = given["reduction"], given["target"]
    if reduction == "sum":
        return None
    if reduction == "batchmean":
        return float(given["input"].shape[0] if given["input"].ndim else 1)
    if reduction != "mean":
        raise TensorError("denominator", "a reduction 'mean', 'batchmean' or 'sum'", repr(reduction))
    if loss in BY_CLASS:
        return _kept(given["input"], target, given["weight"], given["ignore_index"])
    if loss in BY_ROW_OF_CLASSES:
        return float(math.prod(target.shape[:-1]))
    if loss in BY_ROW:
        return float(target.numel())
    return float(math.prod(np.broadcast_shapes(tuple(given["input"].shape), tuple(target.shape))))


def _kept(input: RBETensor, target: RBETensor, weight: RBETensor | None, ignored: int) -> float:
    if target.dtype.is_floating_point:  # a probability for every class
        classes = input.shape[0 if input.ndim == 1 else 1]
        return float(target.numel() // max(classes, 1))
    kept = target.detach() != ignored
    if weight is None:
        return float(kept.sum().item())
    weights = weight.detach().to("float64")[where(kept, target.detach(), 0).reshape(-1)]
    return float((weights * kept.reshape(-1).to("float64")).sum().item())
