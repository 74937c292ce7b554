"""Gradients and parameters of a whole model."""

from collections.abc import Iterable

from .. import _rbe
from .._rbe import RBETensor
from ..errors import ShapeError


def _listed(parameters: RBETensor | Iterable[RBETensor]) -> list[RBETensor]:
    return [parameters] if isinstance(parameters, RBETensor) else list(parameters)


def clip_grad_norm_(parameters: RBETensor | Iterable[RBETensor], max_norm: float, error_if_nonfinite: bool = False) -> float:
    """Scale all gradients together so that their 2-norm is at most `max_norm`; return the norm before.

    A packed tensor counts with its flip gradient.
    """
    return _rbe.clip_grad_norm(_listed(parameters), max_norm, error_if_nonfinite)


def clip_grad_value_(parameters: RBETensor | Iterable[RBETensor], clip_value: float) -> None:
    """Hold every element of the dense gradients within [-clip_value, clip_value]."""
    _rbe.clip_grad_value(_listed(parameters), clip_value)


def parameters_to_vector(parameters: Iterable[RBETensor]) -> RBETensor:
    """Return all dense parameters, flattened, one after another."""
    return _rbe.concat([p.reshape(-1) for p in parameters], 0)


def vector_to_parameters(vector: RBETensor, parameters: Iterable[RBETensor]) -> None:
    """Copy a vector into the parameters, the inverse of `parameters_to_vector`."""
    listed = list(parameters)
    total = sum(p.numel() for p in listed)
    if vector.shape != (total,):
        raise ShapeError("vector_to_parameters", f"({total},)", str(vector.shape))
    at = 0
    for p in listed:
        p.detach().copy_(vector.detach()[at : at + p.numel()].reshape(p.shape))
        at += p.numel()
