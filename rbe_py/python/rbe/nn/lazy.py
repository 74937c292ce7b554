"""Layers whose input size is left out: their first input decides it, or a state that is loaded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._rbe import RBETensor
from ..dtypes import DTypeLike
from ..errors import DTypeError, GraphError, ShapeError

if TYPE_CHECKING:
    from .hooks import Handle
    from .module import Module

__all__ = ["Unbuilt"]


@dataclass
class Unbuilt:
    """What is known of a layer that has no parameters yet.

    Attributes
    ----------
    size : str
        Attribute of the layer that holds the input size; 0 until it is built, as in torch.
    axis : int
        Axis of the input whose length that is.
    groups : int
        The size over the length of that axis of the tensor of a state that tells it.
    told_by : (str, int)
        That tensor's name and axis.
    ndims : tuple of int
        Numbers of axes that an input may have; any that reaches `axis` if empty.
    dtype : dtype, optional
        Of the parameters; default that of the first input.
    hook : Handle
        Builds the layer before its first forward.
    """

    size: str
    axis: int
    groups: int
    told_by: tuple[str, int]
    ndims: tuple[int, ...]
    dtype: DTypeLike
    hook: "Handle"


def defer(
    module: "Module",
    size: str,
    axis: int,
    groups: int = 1,
    dtype: DTypeLike = None,
    told_by: tuple[str, int] = ("weight", 1),
    ndims: tuple[int, ...] = (),
) -> None:
    """Leave `module._build(size, dtype)`, which makes weight and bias, to the first input; their names stand already."""
    module.register_parameter("weight", None)
    module.register_parameter("bias", None)
    setattr(module, size, 0)
    module._unbuilt = Unbuilt(size, axis, groups, told_by, ndims, dtype, module.register_forward_pre_hook(_build_by_input))


def _finish(module: Any, size: int, dtype: DTypeLike) -> None:
    unbuilt = module._unbuilt
    module._build(size, unbuilt.dtype or dtype)
    unbuilt.hook.remove()
    module._unbuilt = None


def _build_by_input(module: "Module", args: tuple[Any, ...]) -> None:
    unbuilt, input = module._unbuilt, args[0] if args else None
    if unbuilt is None:
        return
    if not isinstance(input, RBETensor):
        raise DTypeError(type(module).__name__, "a tensor as input", type(input).__name__)
    if input.ndim not in unbuilt.ndims if unbuilt.ndims else input.ndim < -unbuilt.axis:
        wanted = " or ".join(map(str, unbuilt.ndims)) or f"at least {-unbuilt.axis}"
        raise ShapeError(type(module).__name__, f"x of {wanted} axes", str(tuple(input.shape)))
    _finish(module, input.shape[unbuilt.axis], input.dtype if input.dtype.is_floating_point else None)


def refuse(module: "Module", path: str) -> None:
    """Raise for a layer that has no parameters yet.

    Raises
    ------
    GraphError
    """
    if module._unbuilt is not None:
        name = f"{type(module).__name__} {path!r}" if path else type(module).__name__
        wanted = "layers of known sizes: call the model on an input, or load a state, first"
        raise GraphError("parameters", wanted, f"{name} without {module._unbuilt.size}")


@contextmanager
def built_by(module: "Module", state: Mapping[str, RBETensor]) -> Iterator[None]:
    """Build the layers below `module` whose size `state` tells; after an error in the block they are as before."""
    done: list[tuple[Module, Unbuilt]] = []
    try:
        for path, layer in module.named_modules():
            unbuilt = layer._unbuilt
            if unbuilt is None:
                continue
            name, axis = unbuilt.told_by
            told = state.get(f"{path}.{name}" if path else name)
            if told is not None and told.ndim > axis:
                _finish(layer, told.shape[axis] * unbuilt.groups, None)
                done.append((layer, unbuilt))
        yield
    except BaseException:
        for layer, unbuilt in done:
            layer.weight = layer.bias = None
            defer(layer, unbuilt.size, unbuilt.axis, unbuilt.groups, unbuilt.dtype, unbuilt.told_by, unbuilt.ndims)
        raise
