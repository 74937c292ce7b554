"""Negative log-likelihoods of distributions as functions, with torch's signatures and formulas."""

import math

from ... import _rbe, creation
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .loss import reduce

__all__ = ["gaussian_nll_loss", "poisson_nll_loss"]


def gaussian_nll_loss(
    input: RBETensor,
    target: RBETensor,
    var: RBETensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> RBETensor:
    """Return `(ln v + (x - t)² / v) / 2` for means x, variances v and targets t.

    Parameters
    ----------
    input : tensor
    target : tensor
        Like the input; broadcasts.
    var : tensor or float
        Like the input, but one axis may be 1, and the last may be left out.
    full : bool
        Whether to add `ln(2 pi) / 2`.
    eps : float
        Smaller variances count as this; the gradient ignores that, as in torch.

    Raises
    ------
    ShapeError
        For variances of another shape.
    TensorError
        For a negative variance.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.gaussian_nll_loss(rbe.tensor([1.0]), rbe.tensor([3.0]), rbe.tensor([4.0]))
    tensor(1.1931)
    """
    op = "gaussian_nll_loss"
    if not isinstance(var, RBETensor):
        var = creation.full(tuple(input.shape), float(var), dtype=input.dtype)
    if var.shape != input.shape:
        if tuple(var.shape) == tuple(input.shape[:-1]):
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or sum(b for a, b in zip(input.shape, var.shape, strict=True) if a != b) != 1:
            wanted = f"variances like x {tuple(input.shape)}, but for one axis of 1"
            raise ShapeError(op, wanted, str(tuple(var.shape)))
    if bool((var < 0).any()):
        raise TensorError(op, "variances of at least 0", str(var.min().item()))
    held = var + (_rbe.where(var < eps, eps, var) - var).detach()
    losses = (held.log() + (input - target).square() / held) * 0.5
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def poisson_nll_loss(
    input: RBETensor,
    target: RBETensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> RBETensor:
    """Return `e^x - t x`, or `x - t ln(x + eps)` without `log_input`, for a target t of a Poisson distribution.

    Parameters
    ----------
    input : tensor
        Logarithm of the rate; without `log_input` the rate.
    target : tensor
        Counts; broadcasts.
    full : bool
        Whether to add Stirling's approximation of `ln t!` where t is above 1.
    eps : float
        Added to the rate before its logarithm is taken.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.poisson_nll_loss(rbe.tensor([0.0]), rbe.tensor([2.0]))
    tensor(1.)
    """
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        t = target.to(input.dtype)
        safe = _rbe.where(t > 1.0, t, 1.0)
        losses = losses + _rbe.where(t > 1.0, safe * safe.log() - safe + 0.5 * (safe * (2 * math.pi)).log(), 0.0)
    return reduce(losses, reduction)
