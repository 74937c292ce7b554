"""State dicts: what of a module is saved, and how it is put back."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .._arguments import describe
from .._rbe import RBETensor
from ..errors import DTypeError, ShapeError, TensorError
from .lazy import built_by, refuse

if TYPE_CHECKING:
    from .module import Module

__all__ = ["IncompatibleKeys"]


class IncompatibleKeys(NamedTuple):
    """Names that a state dict lacked, and names of it that the module has not."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def entries(module: "Module", prefix: str = "") -> "OrderedDict[str, RBETensor]":
    """Return parameters and persistent buffers of a module and all below by name."""
    out: OrderedDict[str, RBETensor] = OrderedDict()
    for path, owner in module.named_modules(remove_duplicate=False):
        refuse(owner, path)
        lead = prefix + (f"{path}." if path else "")
        out.update((lead + name, p) for name, p in owner._parameters.items() if p is not None)
        kept = ((name, b) for name, b in owner._buffers.items() if name not in owner._transient)
        out.update((lead + name, b) for name, b in kept if b is not None)
    return out


def load(module: "Module", state_dict: Mapping[str, RBETensor], strict: bool) -> IncompatibleKeys:
    """Do what `Module.load_state_dict` says."""
    _check_kinds(state_dict)
    with built_by(module, state_dict):
        own = entries(module)
        result = IncompatibleKeys([n for n in own if n not in state_dict], [n for n in state_dict if n not in own])
        if strict and (result.missing_keys or result.unexpected_keys):
            parts = [
                f"{kind} {', '.join(names)}" for kind, names in zip(("missing", "unexpected"), result, strict=True) if names
            ]
            raise TensorError("load_state_dict", f"the {len(own)} names of {type(module).__name__}", "; ".join(parts))
        common = [name for name in own if name in state_dict]
        for error, describe in ((ShapeError, _shape), (TensorError, _scale)):
            wrong = [n for n in common if describe(own[n]) != describe(state_dict[n])]
            if wrong:
                wanted = ", ".join(f"{n} {describe(own[n])}" for n in wrong)
                raise error("load_state_dict", wanted, ", ".join(describe(state_dict[n]) for n in wrong))
        for name in common:
            own[name].detach().copy_(state_dict[name].detach())
    return result


def _check_kinds(state_dict: Any) -> None:
    if not isinstance(state_dict, Mapping):
        raise DTypeError("load_state_dict", "a mapping of names to tensors", describe(state_dict))
    for name, t in state_dict.items():
        if not isinstance(name, str) or not isinstance(t, RBETensor):
            raise DTypeError("load_state_dict", "names and tensors", f"{describe(name)}: {describe(t)}")


def _shape(t: RBETensor) -> str:
    return f"{'packed' if t.is_packed else 'dense'} {tuple(t.shape)}"


def _scale(t: RBETensor) -> str:
    return f"with scale {t.scale}" if t.is_packed else ""
