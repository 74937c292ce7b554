"""Limits of the gradients of a whole model, with torch's names."""

import math
from collections.abc import Iterable

from ... import _rbe, creation, dtypes
from ..._arguments import describe, flag, real
from ..._tensor import RBETensor
from ...errors import DTypeError

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _listed(op: str, parameters: RBETensor | Iterable[RBETensor]) -> list[RBETensor]:
    if isinstance(parameters, RBETensor):
        return [parameters]
    listed = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    for p in listed:
        if not isinstance(p, RBETensor):
            raise DTypeError(op, "a tensor or an iterable of tensors", describe(p))
    return listed


def clip_grad_norm_(
    parameters: RBETensor | Iterable[RBETensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> RBETensor:
    """Scale all gradients together so that their norm is at most `max_norm`.

    A packed tensor counts with its flip gradient, in a 2-norm alone. As in torch, a norm that is NaN makes NaN of all
    gradients, and an infinite one zeros of those that are finite.

    Parameters
    ----------
    parameters : tensor or iterable of tensors
        Those without a gradient are left out.
    max_norm : float
    norm_type : float
        The p of the p-norm; `math.inf`, or "inf", for the largest absolute value.
    error_if_nonfinite : bool
        Raise instead of scaling by a norm that is not finite.
    foreach : bool, optional
        Taken as in torch, without effect.

    Returns
    -------
    tensor ()
        The norm before: float64 if a gradient is, else float32.

    Raises
    ------
    TensorError
        For a negative `max_norm` or a `norm_type` that is not positive.
    NonFiniteError
        For a norm that is not finite, if asked for.
    DTypeError
        For the gradient of a packed tensor in another than the 2-norm, and for arguments of another kind.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.zeros(2))
    >>> p.grad = rbe.tensor([3.0, 4.0])
    >>> rbe.nn.utils.clip_grad_norm_([p], 1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6, 0.8])
    """
    op = "clip_grad_norm"
    listed = _listed(op, parameters)
    bound = real(op, "max_norm", max_norm, finite=False)
    kind = math.inf if isinstance(norm_type, str) and norm_type == "inf" else real(op, "norm_type", norm_type, finite=False)
    norm = _rbe.clip_grad_norm(listed, bound, kind, flag(op, "error_if_nonfinite", error_if_nonfinite))
    wide = any(p.grad is not None and p.dtype is dtypes.float64 for p in listed if not p.is_packed)
    return creation.tensor(norm, dtype=dtypes.float64 if wide else dtypes.float32)


def clip_grad_value_(parameters: RBETensor | Iterable[RBETensor], clip_value: float, foreach: bool | None = None) -> None:
    """Hold every element of the dense gradients within [-clip_value, clip_value]; NaN stays NaN.

    Raises
    ------
    TensorError
        For a negative bound.
    DTypeError
        If a packed tensor has a gradient, whose elements are not stored: use `clip_grad_norm_`. Also for a bound that is no
        number.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.zeros(2))
    >>> p.grad = rbe.tensor([3.0, -4.0])
    >>> rbe.nn.utils.clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([ 1., -1.])
    """
    op = "clip_grad_value"
    _rbe.clip_grad_value(_listed(op, parameters), real(op, "clip_value", clip_value, finite=False))
