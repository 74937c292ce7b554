"""Operations by their names, and their gradients."""

from collections.abc import Callable
from typing import Any

from .. import operations
from ..errors import ShapeError, TensorError
from ..nn import functional
from . import blas, network
from .gradient import backward

__all__ = ["calculate_gradient", "require"]

OTHER_NAMES = {"multiply": "mul", "subtract": "sub", "divide": "div", "power": "pow", "negative": "neg", "mm": "matmul"}


def require(name: str) -> Any:
    """Return the operation of a name.

    Raises
    ------
    TensorError
        For an unknown name.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> gemm = rbe.ops.require("gemm")
    >>> gemm.forward(np.eye(2), np.array([[1.0], [-2.0]]), act="relu").tolist()
    [[1.0], [0.0]]
    """
    for module in (blas, network):
        if name in module.__all__:
            return getattr(module, name)
    raise TensorError("require", f"one of {', '.join(sorted(blas.__all__ + network.__all__))}", repr(name))


def _of_name(name: str) -> Callable[..., Any]:
    """Return an operation of this package, or a differentiable function of tensors."""
    if name in blas.__all__ or name in network.__all__:
        found: Callable[..., Any] = require(name)
        return found
    other = OTHER_NAMES.get(name, name)
    for module, names in ((operations, operations.__all__), (functional, functional.__all__)):
        if other in names:
            function: Callable[..., Any] = getattr(module, other)
            return function
    known = sorted({*blas.__all__, *network.__all__, *OTHER_NAMES})
    raise TensorError(
        "calculate_gradient", f"one of {', '.join(known)}, or a function of rbe.operations or nn.functional", repr(name)
    )


def calculate_gradient(op: str | Callable[..., Any], input: Any, weight: Any, output: Any, upstream: Any) -> tuple[Any, Any]:
    """Return the gradients of input and weight of an operation.

    Parameters
    ----------
    op : str or callable
        A differentiable operation or its name: of `rbe.ops`, `rbe.operations` or `nn.functional`; "multiply", "subtract",
        "divide", "power" and "negative" are names, too.
    input : array or tensor
        Its first operand.
    weight : array or tensor, a tuple of them, or None
        Its other operands: the second, or all that follow the first.
    output : array or tensor, or None
        Its result, if known: `upstream` must have its shape.
    upstream : array or tensor
        Gradient of the loss with respect to the result.

    Returns
    -------
    (input gradient, weight gradient)
        None for an operand without gradient; for a tuple of weights a tuple.

    Raises
    ------
    TensorError
        For an unknown operation.
    ShapeError
        If `upstream` does not have the result's shape.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> rbe.ops.calculate_gradient("multiply", x, y, x * y, np.ones(2))
    (array([3., 4.]), array([1., 2.]))
    """
    if isinstance(op, str):
        op = _of_name(op)
    if output is not None and tuple(output.shape) != tuple(upstream.shape):
        raise ShapeError("calculate_gradient", f"an upstream gradient {tuple(output.shape)}", str(tuple(upstream.shape)))
    weights = () if weight is None else weight if isinstance(weight, tuple) else (weight,)
    first, *others = backward(op, upstream, input, *weights)
    if isinstance(weight, tuple):
        return first, tuple(others)
    return first, others[0] if others else None
