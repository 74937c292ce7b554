"""Layers of a torch model replaced by packed ones, and back."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

import torch

from rbe.errors import DTypeError, TensorError
from rbe.torch.attention import RBEMultiheadAttention
from rbe.torch.conv import RBEConv1d, RBEConv2d
from rbe.torch.embedding import RBEEmbedding
from rbe.torch.layer import PackedLayer, new_weight
from rbe.torch.linear import RBELinear

Skip = str | type | Callable[[str, torch.nn.Module], bool]
# How a layer of torch becomes a packed one: a function of the layer and of what to start from.
Converter = Callable[[Any, str], torch.nn.Module]


def _linear(layer: Any, init: str) -> torch.nn.Module:
    return RBELinear.of(new_weight("pack_", layer.weight.shape, init, layer.weight), layer.bias)


def _transposed(layer: Any, init: str) -> torch.nn.Module:
    """Convert a `Conv1D` of Hugging Face's transformers: a linear layer whose weight is (in, out)."""
    return RBELinear.of(new_weight("pack_", layer.weight.shape[::-1], init, layer.weight.t()), layer.bias)


def _conv(layer: Any, init: str) -> torch.nn.Module:
    kind = RBEConv1d if isinstance(layer, torch.nn.Conv1d) else RBEConv2d
    return kind.of(new_weight("pack_", layer.weight.shape, init, layer.weight), layer)


def _embedding(layer: Any, init: str) -> torch.nn.Module:
    if layer.max_norm is not None or layer.scale_grad_by_freq or layer.sparse:
        raise TensorError("pack_", "an Embedding without max_norm, scale_grad_by_freq and sparse", f"{layer} (skip it)")
    size = float(layer.weight.detach().std(correction=0)) or None  # a table of zeros gets the default
    return RBEEmbedding.of(new_weight("pack_", layer.weight.shape, init, layer.weight, size), layer.padding_idx)


CONVERTERS: dict[str, Converter] = {
    "torch.nn.modules.linear.Linear": _linear,
    "torch.nn.modules.conv.Conv1d": _conv,
    "torch.nn.modules.conv.Conv2d": _conv,
    "torch.nn.modules.sparse.Embedding": _embedding,
    "torch.nn.modules.activation.MultiheadAttention": RBEMultiheadAttention.of,
    "transformers.pytorch_utils.Conv1D": _transposed,
}


def _converter(module: torch.nn.Module) -> Converter | None:
    """Return how a module is converted; subclasses, which may compute something else, are not."""
    kind = type(module)
    return CONVERTERS.get(f"{kind.__module__}.{kind.__qualname__}")


def _skips(skip: Any, name: str, module: torch.nn.Module) -> bool:
    """Return whether one of `skip` names the module."""
    for rule in [skip] if isinstance(skip, str | type) or callable(skip) else skip:
        if isinstance(rule, str):
            if fnmatchcase(name, rule) or fnmatchcase(name, f"*.{rule}"):
                return True
        elif isinstance(rule, type):
            if isinstance(module, rule):
                return True
        elif callable(rule):
            if rule(name, module):
                return True
        else:
            raise DTypeError("pack_", "names, classes or functions to skip", repr(rule))
    return False


def pack_(model: torch.nn.Module, skip: Skip | Iterable[Skip] = (), init: str = "random") -> torch.nn.Module:
    """Replace layers of a model by packed ones, in place.

    These are Linear, Conv1d, Conv2d, Embedding and MultiheadAttention, and Conv1D of Hugging Face's transformers.
    Layers that share a weight share the packed one; where one of them stays dense, all do. Biases are those of the model.

    Parameters
    ----------
    model : torch.nn.Module
    skip : name, class or function, or several
        Layers that stay: names as of `named_modules`, or their last parts, with * and ? for others; classes; functions of name
        and module.
    init : {"random", "encode"}
        Start weights anew, or from the packed weight that is nearest to the dense one.

    Returns
    -------
    torch.nn.Module
        The model, or the packed layer if the model itself is a layer.

    Raises
    ------
    TensorError, DTypeError
        For a model in which there is nothing to pack, or another `init`. Nothing has changed then.
    """
    if not isinstance(model, torch.nn.Module):
        raise DTypeError("pack_", "a torch.nn.Module", type(model).__name__)
    if init not in ("random", "encode"):
        raise TensorError("pack_", 'init "random" or "encode"', repr(init))
    chosen = [
        (module, convert)
        for name, module in model.named_modules()
        if (convert := _converter(module)) is not None and not _skips(skip, name, module)
    ]
    alone = _held_by(model, {id(module) for module, _ in chosen})
    fresh: dict[int, torch.nn.Module] = {}
    first: dict[int, torch.nn.Module] = {}  # packed layers by the dense weight that they have instead
    for module, convert in chosen:
        if all(id(p) in alone for p in _weights(module)):
            made = fresh[id(module)] = convert(module, init).train(module.training)
            shared = first.setdefault(id(getattr(module, "weight", module)), made)
            if shared is not made and isinstance(made, PackedLayer) and isinstance(shared, PackedLayer):
                made.share(shared)
    if not fresh:
        raise TensorError("pack_", "a model with layers to pack", f"{type(model).__name__} without any that is not skipped")
    return _replaced(model, fresh)


def _weights(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters of a module itself but for a bias, which stays what it is."""
    return [p for name, p in module.named_parameters(recurse=False) if name != "bias"]


def _held_by(model: torch.nn.Module, modules: set[int]) -> set[int]:
    """Return the weights that only these modules have. Those that others share are needed as they are."""
    inside: set[int] = set()
    outside: set[int] = set()
    for module in model.modules():
        (inside if id(module) in modules else outside).update(id(p) for p in _weights(module))
    return inside - outside


def _replaced(model: torch.nn.Module, fresh: dict[int, torch.nn.Module]) -> torch.nn.Module:
    """Put modules in the place of others, which they are listed by."""
    if id(model) in fresh:
        return fresh[id(model)]
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is not None and id(child) in fresh:
                parent._modules[name] = fresh[id(child)]
    return model


def unpack(model: torch.nn.Module) -> torch.nn.Module:
    """Replace the packed layers of a model by torch's own with the same weights, in place, and return it."""
    if not isinstance(model, torch.nn.Module):
        raise DTypeError("unpack", "a torch.nn.Module", type(model).__name__)
    packed = [m for m in model.modules() if isinstance(m, PackedLayer | RBEMultiheadAttention)]
    return _replaced(model, {id(m): m.dense().train(m.training) for m in packed})
