"""The base of layers with `build`, `call` and `backward`."""

import weakref
from collections.abc import Callable
from typing import Any

from .. import creation
from .._tensor import RBETensor
from ..autograd import grad, is_grad_enabled
from ..errors import GraphError, MissingMethodError, TensorError
from ..nn import init
from ..nn.module import Module
from ..nn.parameter import Parameter

__all__ = ["Layer"]

INITIALIZERS: dict[str, Callable[[RBETensor], Any]] = {
    "he": lambda weight: init.kaiming_normal_(weight, nonlinearity="relu"),
    "xavier": init.xavier_uniform_,
    "glorot": init.xavier_uniform_,
    "zeros": init.zeros_,
    "ones": init.ones_,
    "normal": lambda weight: init.normal_(weight, 0.0, 0.01),
}

# Inputs and result of the last call. They are not attributes, so that copies and files of a layer do not contain them.
_calls: "weakref.WeakKeyDictionary[Layer, tuple[list[RBETensor], RBETensor]]" = weakref.WeakKeyDictionary()


class Layer(Module):
    """A layer that makes its parameters when it sees the shape of its input.

    A subclass defines `build(input_shape)`, which makes them, and `call(x)`, which computes the result.

    Attributes
    ----------
    built : bool
        Whether the parameters are there. Build a layer, or call it, before making an optimiser of its parameters.

    Examples
    --------
    >>> import rbe
    >>> class Scale(rbe.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = rbe.nn.Parameter(rbe.ones(input_shape[-1]))
    ...         super().build(input_shape)
    ...     def call(self, x):
    ...         return x * self.factor
    >>> layer = Scale()
    >>> y = layer(rbe.tensor([2.0, 3.0]))
    >>> layer.backward(rbe.ones(2)), layer.factor.grad
    (tensor([1., 1.]), tensor([2., 3.]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.built = False

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make the parameters for inputs of a shape; the first call does."""
        self.built = True

    def call(self, *inputs: Any) -> Any:
        """Compute the result; operations are recorded."""
        raise MissingMethodError(f"{type(self).__name__}.call", "a layer that defines it", "none")

    def forward(self, *inputs: Any) -> Any:
        """Build the layer if this is its first call, and compute the result.

        Parameters
        ----------
        *inputs : array or tensor
        """
        given = [creation.as_tensor(x) for x in inputs]
        if not self.built:
            self.build(tuple(given[0].shape))
        if not is_grad_enabled():
            return self.call(*given)
        leaves = [self._recorded(x) for x in given]
        result = self.call(*leaves)
        _calls[self] = leaves, result
        return result

    @staticmethod
    def _recorded(x: RBETensor) -> RBETensor:
        """Return an input that has a gradient; one that is recorded already stays part of the tape."""
        if x.requires_grad or not x.dtype.is_floating_point:
            return x
        leaf = x.detach()
        leaf.requires_grad = True
        return leaf

    def backward(self, upstream: Any = None) -> Any:
        """Add the gradients of the last call to those of the parameters, and return that of its input.

        Parameters
        ----------
        upstream : array or tensor, optional
            Gradient of the loss with respect to the result; may be left out for a result of one number.

        Returns
        -------
        tensor or tuple of tensors
            A gradient for every input of floats.

        Raises
        ------
        GraphError
            Without a call before, or if backward already ran for it.
        ShapeError
            For a gradient that does not have the shape of the result.
        """
        if self not in _calls:
            raise GraphError(f"{type(self).__name__}.backward", "a call of the layer before", "none since the last backward")
        inputs, result = _calls[self]
        wanted = [x for x in inputs if x.requires_grad]
        parameters = [p for p in self.parameters() if p.requires_grad]
        dy = None if upstream is None else creation.as_tensor(upstream).to(result.dtype)
        found = grad(result, [*wanted, *parameters], dy, allow_unused=True)
        del _calls[self]
        for p, g in zip(parameters, found[len(wanted) :], strict=True):
            if g is not None:
                p.grad = g if p.grad is None else p.grad + g
        return found[0] if len(wanted) == 1 else found[: len(wanted)]

    def add_weight(self, shape: tuple[int, ...], initializer: str = "he") -> Parameter:
        """Return a new parameter.

        Parameters
        ----------
        shape : tuple of int
            The first axis counts outputs.
        initializer : {"he", "xavier", "glorot", "normal", "zeros", "ones"}

        Raises
        ------
        TensorError
            For another initializer.
        """
        weight = Parameter(creation.empty(*shape))
        INITIALIZERS[check_initializer(type(self).__name__, initializer)](weight)
        return weight


def check_initializer(op: str, name: str) -> str:
    """Return the name of an initializer.

    Raises
    ------
    TensorError
        For an unknown one.
    """
    if name not in INITIALIZERS:
        raise TensorError(op, f"initializer {', '.join(INITIALIZERS)}", repr(name))
    return name
