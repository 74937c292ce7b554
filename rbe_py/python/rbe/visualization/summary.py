"""A model as a table: shapes, parameters, bytes, multiply-accumulates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import creation
from .._arguments import describe
from .._tensor import RBETensor
from ..autograd import no_grad
from ..errors import DTypeError
from ..nn.module import Module
from ..trainer.evaluation import evaluating

__all__ = ["LayerSummary", "Summary", "summary"]


@dataclass
class LayerSummary:
    """A row of a summary.

    Attributes
    ----------
    name, kind : str
        Path and class of the module.
    shape : tuple of int or None
        Shape of its result, if that is a tensor.
    parameters : int
        Number of elements of its own parameters; each packed weight counts as one.
    bytes : int
        Bytes of its own parameters.
    macs : int
        Multiply-accumulates of products with its weights for the given inputs, without attention scores.

    Examples
    --------
    >>> import rbe
    >>> rbe.visualization.summary(rbe.RBELinear(64, 8), rbe.zeros(2, 64)).layers[0].macs
    1024
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    bytes: int
    macs: int


@dataclass
class Summary:
    """The layers of a model, with totals; `str` is a table.

    Examples
    --------
    >>> import rbe
    >>> rbe.visualization.summary(rbe.RBELinear(64, 8), rbe.zeros(2, 64)).bytes
    160
    """

    layers: list[LayerSummary]

    @property
    def parameters(self) -> int:
        """Number of elements of all parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Bytes of all parameters."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all products with weights."""
        return sum(layer.macs for layer in self.layers)

    def __str__(self) -> str:
        rows = [("layer", "kind", "output", "parameters", "bytes", "MACs")]
        for layer in self.layers:
            shape = "" if layer.shape is None else str(layer.shape)
            figures = (f"{n:,}" if n else "" for n in (layer.parameters, layer.bytes, layer.macs))
            rows.append((layer.name, layer.kind, shape, *figures))  # type: ignore[arg-type]
        rows.append(("total", "", "", f"{self.parameters:,}", f"{self.bytes:,}", f"{self.macs:,}"))
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        lines = []
        for row in rows:
            cells = [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def _macs(module: Module, output: RBETensor) -> int:
    """Count one multiply-accumulate for each weight and position of the result; embeddings only look weights up."""
    if "Embedding" in type(module).__name__ or "Activation" in type(module).__name__:
        return 0
    total = 0
    for p in module._parameters.values():
        if p is not None and p.ndim >= 2:
            channels = output.shape[-(p.ndim - 1)]  # the channel axis precedes as many spatial axes as the weight has
            total += output.numel() // max(channels, 1) * math.prod(p.shape)
    return total


def summary(model: Module, *inputs: RBETensor | Sequence[int]) -> Summary:
    """Run a model once and return shapes, parameters, bytes and multiply-accumulates of its layers.

    Parameters
    ----------
    model : Module
    *inputs : tensors, or shapes
        Arguments of the call; a shape stands for float32 zeros.

    Returns
    -------
    Summary

    Raises
    ------
    DTypeError
        If an input is neither a tensor nor a shape, or `model` not a Module.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.RBELinear(64, 128), rbe.nn.ReLU(), rbe.nn.Linear(128, 10))
    >>> print(rbe.visualization.summary(model, (32, 64)))
    layer  kind        output     parameters  bytes     MACs
           Sequential  (32, 10)
    0      RBELinear   (32, 128)       8,320  2,560  262,144
    1      ReLU        (32, 128)
    2      Linear      (32, 10)        1,290  5,160   40,960
    total                              9,610  7,720  303,104
    """
    if not isinstance(model, Module):
        raise DTypeError("summary", "a Module", describe(model))
    given = []
    for x in inputs:
        if not isinstance(x, RBETensor | tuple | list):
            raise DTypeError("summary", "tensors or shapes as inputs", type(x).__name__)
        given.append(x if isinstance(x, RBETensor) else creation.zeros(*x))
    found: dict[int, Any] = {}
    handles = [m.register_forward_hook(lambda m, args, out: found.setdefault(id(m), out)) for m in model.modules()]
    try:
        with no_grad(), evaluating(model):
            model(*given)
    finally:
        for handle in handles:
            handle.remove()
    counted: set[int] = set()
    layers = []
    for name, module in model.named_modules():
        output = found.get(id(module))
        output = output[0] if isinstance(output, tuple) else output
        own = [p for p in module._parameters.values() if p is not None and id(p) not in counted]
        counted.update(id(p) for p in own)
        shape, macs = None, 0
        if isinstance(output, RBETensor):
            shape, macs = tuple(output.shape), _macs(module, output)
        numbers, size = sum(p.numel() for p in own), sum(p.nbytes for p in own)
        layers.append(LayerSummary(name, type(module).__name__, shape, numbers, size, macs))
    return Summary(layers)
