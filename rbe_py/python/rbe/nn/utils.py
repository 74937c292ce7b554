"""Gradients and parameters of a whole model, with torch's names."""

import math
from collections.abc import Iterable

from .. import _rbe, creation
from .._rbe import RBETensor
from ..errors import DTypeError, NonFiniteError, ShapeError, TensorError


def _listed(parameters: RBETensor | Iterable[RBETensor]) -> list[RBETensor]:
    return [parameters] if isinstance(parameters, RBETensor) else list(parameters)


def clip_grad_norm_(
    parameters: RBETensor | Iterable[RBETensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> RBETensor:
    """Scale all gradients together so that their norm is at most `max_norm`.

    A packed tensor counts with its flip gradient, in a 2-norm alone.

    Parameters
    ----------
    parameters : tensor or iterable of tensors
        Those without a gradient are left out.
    max_norm : float
    norm_type : float
        The p of the p-norm; `math.inf` for the largest absolute value.
    error_if_nonfinite : bool
        Raise instead of scaling by a norm that is not finite.

    Returns
    -------
    tensor ()
        The norm before.

    Raises
    ------
    TensorError
        For a negative `max_norm` or a `norm_type` that is not positive.
    NonFiniteError
        For a norm that is not finite, if asked for.
    DTypeError
        For a packed tensor in another than the 2-norm.

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
    listed = _listed(parameters)
    if norm_type == 2.0:
        return creation.tensor(_rbe.clip_grad_norm(listed, max_norm, error_if_nonfinite))
    if not norm_type > 0 or not max_norm >= 0:
        raise TensorError("clip_grad_norm", "norm_type > 0 and max_norm >= 0", f"{norm_type} and {max_norm}")
    if any(p.is_packed for p in listed):
        raise DTypeError("clip_grad_norm", "dense tensors for another than the 2-norm", "a packed one")
    grads = [p.grad.detach() for p in listed if p.grad is not None]
    if norm_type == math.inf:
        norm = max((g.abs().max().item() for g in grads if g.numel()), default=0.0)
    else:
        norm = sum(g.abs().pow(norm_type).sum().item() for g in grads) ** (1.0 / norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise NonFiniteError("clip_grad_norm", "a finite norm", str(norm))
    scale = max_norm / (norm + 1e-6)
    if scale < 1.0:
        for g in grads:
            g.mul_(scale)
    return creation.tensor(norm)


def clip_grad_value_(parameters: RBETensor | Iterable[RBETensor], clip_value: float) -> None:
    """Hold every element of the dense gradients within [-clip_value, clip_value].

    Raises
    ------
    TensorError
        For a negative bound.
    DTypeError
        If a packed tensor has a gradient, whose elements are not stored: use `clip_grad_norm_`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.zeros(2))
    >>> p.grad = rbe.tensor([3.0, -4.0])
    >>> rbe.nn.utils.clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([ 1., -1.])
    """
    _rbe.clip_grad_value(_listed(parameters), clip_value)


def parameters_to_vector(parameters: Iterable[RBETensor]) -> RBETensor:
    """Return all parameters, flattened, one after another: (n,). They are dense.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.parameters_to_vector(rbe.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return _rbe.concat([p.reshape(-1) for p in parameters], 0)


def vector_to_parameters(vec: RBETensor, parameters: Iterable[RBETensor]) -> None:
    """Copy a vector (n,) into the parameters, the inverse of `parameters_to_vector`.

    Raises
    ------
    ShapeError
        For another length; nothing has changed then.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.Linear(1, 1)
    >>> rbe.nn.utils.vector_to_parameters(rbe.tensor([2.0, 1.0]), layer.parameters())
    >>> layer.bias.item()
    1.0
    """
    listed = list(parameters)
    total = sum(p.numel() for p in listed)
    if tuple(vec.shape) != (total,):
        raise ShapeError("vector_to_parameters", f"({total},)", str(tuple(vec.shape)))
    at = 0
    for p in listed:
        p.detach().copy_(vec.detach()[at : at + p.numel()].reshape(*p.shape))
        at += p.numel()
