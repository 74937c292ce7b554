"""Another element type for what a module holds."""

from typing import TYPE_CHECKING, Any

from .._rbe import RBETensor
from ..dtypes import DTypeLike, as_dtype
from ..errors import DTypeError
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module


def convert(module: "Module", args: tuple[Any, ...], dtype: DTypeLike, device: object) -> None:
    """Do what `Module.to` says."""
    from ..creation import check_device

    for arg in args:
        try:
            dtype = as_dtype(arg)
        except DTypeError:
            device = arg
    check_device("to", device)
    if dtype is None:
        return
    chosen = as_dtype(dtype)
    if not chosen.is_floating_point:
        raise DTypeError("to", "float32 or float64", chosen.name)
    replaced: dict[int, RBETensor] = {}
    for owner in module.modules():
        for name, t in [*owner._parameters.items(), *owner._buffers.items()]:
            if t is None or t.is_packed or not t.dtype.is_floating_point or t.dtype is chosen:
                continue
            if id(t) not in replaced:
                converted = t.detach().to(chosen)
                replaced[id(t)] = Parameter(converted, t.requires_grad) if isinstance(t, Parameter) else converted
            setattr(owner, name, replaced[id(t)])
