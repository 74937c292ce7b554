"""Weights as a direction times a length, with torch's names."""

from typing import Any

from ..._arguments import describe
from ..._tensor import RBETensor
from ...errors import DTypeError, GraphError, OutOfRangeError
from ..module import Module
from ..parameter import Parameter

__all__ = ["remove_weight_norm", "weight_norm"]

_HANDLES = "_weight_norms"


def _length(v: RBETensor, dim: int | None) -> RBETensor:
    """Return the norms of the slices along an axis, or of the whole, with axes of length 1."""
    if dim is None or dim == -1:
        return v.norm(2)
    return v.norm(2, [axis for axis in range(v.ndim) if axis != dim % v.ndim], True) if v.ndim > 1 else v.abs()


def _weight(g: RBETensor, v: RBETensor, dim: int | None) -> RBETensor:
    return v * (g / _length(v, dim))


def _check_module(op: str, module: Any) -> None:
    if not isinstance(module, Module):
        raise DTypeError(op, "a module", describe(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a dense parameter as its direction `name_v` and the lengths `name_g` of its slices (Salimans, Kingma 2016).

    Before every call of the module the parameter is computed from the two.

    Parameters
    ----------
    module : Module
    name : str
    dim : int, optional
        Each slice along this axis has a length; None or, as in torch, -1: the whole has one.

    Returns
    -------
    Module
        The same.

    Raises
    ------
    DTypeError
        For a packed parameter, whose levels are trained already, or a name without a parameter.
    GraphError
        For a parameter that is taken apart already.
    OutOfRangeError
        For an axis that is not there.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.utils.weight_norm(rbe.nn.Linear(3, 2))
    >>> layer.weight_g.shape, layer.weight_v.shape, layer(rbe.ones(1, 3)).shape
    ((2, 1), (2, 3), (1, 2))
    """
    _check_module("weight_norm", module)
    handles: dict[str, Any] = module.__dict__.setdefault(_HANDLES, {})
    if name in handles:
        raise GraphError("weight_norm", "a parameter with one weight_norm", f"a second one of {name!r}")
    parameter = module._parameters.get(name)
    if parameter is None or parameter.is_packed:
        raise DTypeError("weight_norm", f"a dense parameter {name!r}", describe(parameter))
    if dim is not None and not -parameter.ndim <= dim < parameter.ndim:
        raise OutOfRangeError("weight_norm", f"an axis of {name} {tuple(parameter.shape)}", str(dim))
    v = parameter.detach()
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(_length(v, dim).clone()))
    module.register_parameter(f"{name}_v", Parameter(v))

    def compute(owner: Module, args: Any) -> None:
        setattr(owner, name, _weight(getattr(owner, f"{name}_g"), getattr(owner, f"{name}_v"), dim))

    compute(module, ())
    handles[name] = (module.register_forward_pre_hook(compute), dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make one parameter of the two that `weight_norm` made.

    Raises
    ------
    GraphError
        For a parameter without weight_norm.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.utils.weight_norm(rbe.nn.Linear(3, 2))
    >>> [name for name, _ in rbe.nn.utils.remove_weight_norm(layer).named_parameters()]
    ['bias', 'weight']
    """
    _check_module("remove_weight_norm", module)
    handle, dim = module.__dict__.get(_HANDLES, {}).pop(name, (None, None))
    if handle is None:
        raise GraphError("remove_weight_norm", f"a weight_norm of {name!r}", "none")
    handle.remove()
    g, v = getattr(module, f"{name}_g"), getattr(module, f"{name}_v")
    value = _weight(g.detach(), v.detach(), dim)
    for entry in (name, f"{name}_g", f"{name}_v"):
        delattr(module, entry)
    module.register_parameter(name, Parameter(value))
    return module
