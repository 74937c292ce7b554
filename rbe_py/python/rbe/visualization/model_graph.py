"""The recorded operations of a model, run on zeros of a shape that its layers tell."""

from collections.abc import Iterator
from typing import Any

from .. import creation
from .._arguments import describe
from .._tensor import RBETensor
from ..autograd import enable_grad
from ..errors import DTypeError, RBEError, TensorError
from ..nn.module import Module
from ..trainer.evaluation import evaluating
from ._axes import Path
from .graph import graph

__all__ = ["plot_model_graph"]

LENGTHS = (28, 32, 64, 96, 128, 224, 256, 16, 8)  # heights and widths of images, and lengths of signals, that are tried


def plot_model_graph(model: Module, input: Any = None, *, path: Path | None = None) -> str:
    """Return the operations of a model as SVG, as `graph` does of a result.

    Parameters
    ----------
    model : Module
    input : tensor, tuple of tensors, or shape, optional
        What the model is called with; a shape stands for zeros. Left out, it is zeros of a shape that the first layer with
        a size of its input tells; heights and widths of images, which no layer tells, are tried from 28, 32, 64, ….
    path : path, optional
        File to write.

    Raises
    ------
    TensorError
        If the layers do not tell the shape of an input: give one.
    DTypeError
        If `model` is not a Module.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.nn.Conv2d(1, 4, 3), rbe.nn.ReLU(), rbe.nn.Flatten(), rbe.nn.Linear(4 * 26 * 26, 10))
    >>> svg = rbe.visualization.plot_model_graph(model)
    >>> [name in svg for name in ("conv", "relu", "0.weight", "3.bias")]
    [True, True, True, True]
    """
    if not isinstance(model, Module):
        raise DTypeError("plot_model_graph", "a Module", describe(model))
    return graph(_result(model, input), model, path)


def _result(model: Module, given: Any) -> RBETensor:
    """Return the recorded output of the model in evaluation mode; the first of several."""
    with evaluating(model), enable_grad():
        if given is not None:
            if not isinstance(given, RBETensor) and all(isinstance(n, int) for n in given):
                given = creation.zeros(*given)
            return _first(model(*map(_recorded, [given] if isinstance(given, RBETensor) else given)))
        for x in _inputs(model):
            try:
                return _first(model(_recorded(x)))
            except RBEError:
                continue
    raise TensorError("plot_model_graph", "an input, for the layers do not tell its shape", "none")


def _recorded(x: Any) -> Any:
    """Return an input from which on operations are recorded, also those before the first parameter."""
    if not isinstance(x, RBETensor) or not x.dtype.is_floating_point:
        return x
    leaf = x.detach()
    leaf.requires_grad = True
    return leaf


def _first(output: Any) -> RBETensor:
    while isinstance(output, tuple | list):
        output = output[0]
    if not isinstance(output, RBETensor):
        raise DTypeError("plot_model_graph", "a model whose result is a tensor", describe(output))
    return output


def _inputs(model: Module) -> Iterator[RBETensor]:
    """Yield inputs of one or two samples, the likeliest first."""
    for module in model.modules():
        size = {name: getattr(module, name, None) for name in SIZES}
        if isinstance(size["num_embeddings"], int):
            yield creation.zeros(1, 8, dtype="int64")
            yield creation.zeros(8, dtype="int64")
        elif isinstance(channels := size["in_channels"], int):
            axes = getattr(module, "weight").ndim - 2  # noqa: B009 (of a convolution)
            for n in LENGTHS:
                yield creation.zeros(1, channels, *[n] * axes)
        elif isinstance(features := size["num_features"], int):
            yield creation.zeros(2, features)
            for n in LENGTHS:
                yield creation.zeros(2, features, n, n)
        elif isinstance(size["normalized_shape"], tuple):
            yield creation.zeros(1, *size["normalized_shape"])
        elif isinstance(width := size["in_features"] or size["input_size"] or size["embed_dim"], int):
            yield creation.zeros(1, width)
            yield creation.zeros(1, 8, width)
        else:
            continue
        return


SIZES = ("num_embeddings", "in_channels", "num_features", "normalized_shape", "in_features", "input_size", "embed_dim")
