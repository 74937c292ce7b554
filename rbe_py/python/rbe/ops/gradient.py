"""Gradients of single operations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import autograd, creation
from .._tensor import RBETensor
from ..errors import ShapeError, TensorError
from . import blas, network

NAMED: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        blas.axpy, blas.batched_gemm, blas.dot, blas.gemm, blas.gemv, blas.matrix_add, blas.matrix_multiply, blas.scal,
        network.conv2d, network.cross_entropy, network.pool2d, network.rnn_layer, network.softmax,
    )
}  # fmt: skip


def backward(op: Callable[..., Any], upstream: Any, *args: Any, **options: Any) -> tuple[Any, ...]:
    """Return the gradients of an operation's operands.

    Parameters
    ----------
    op : callable
        An operation of `rbe.ops`, or any function of tensors.
    upstream : array or tensor
        Gradient of the loss with respect to the result, of the result's shape.
    *args
        Operands of the operation; arrays and tensors of floats have gradients.
    **options
        Other arguments of the operation.

    Returns
    -------
    tuple
        A gradient for each of `args`: arrays if all operands are arrays; None for numbers, None and integer operands.

    Raises
    ------
    ShapeError
        If `upstream` does not have the result's shape.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> a, b = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> rbe.ops.backward(rbe.ops.gemm, np.ones((1, 1)), a, b)
    (array([[3., 4.]]), array([[1.],
           [2.]]))
    """
    leaves: list[Any] = list(args)
    places = []
    for i, x in enumerate(args):
        if isinstance(x, RBETensor | np.ndarray):
            t = creation.as_tensor(x).detach()
            if t.dtype.is_floating_point:
                t.requires_grad = True
                places.append(i)
            leaves[i] = t
    with autograd.enable_grad():
        result = op(*leaves, **options)
    dy = creation.as_tensor(upstream).detach()
    if dy.shape != result.shape:
        name = getattr(op, "__name__", "backward")
        raise ShapeError(name, f"an upstream gradient {tuple(result.shape)}", str(tuple(dy.shape)))
    found = autograd.grad(result, [leaves[i] for i in places], dy.to(result.dtype), allow_unused=True)
    tensors = any(isinstance(x, RBETensor) for x in (*args, upstream))
    grads: list[Any] = [None] * len(args)
    for i, g in zip(places, found, strict=True):
        grads[i] = g if g is None or tensors else g.numpy()  # type: ignore[union-attr]
    return tuple(grads)


def calculate_gradient(op: str | Callable[..., Any], input: Any, weight: Any, output: Any, upstream: Any) -> tuple[Any, Any]:
    """Return the gradients of input and weight of an operation.

    Parameters
    ----------
    op : str or callable
        An operation of `rbe.ops`, or its name.
    input : array or tensor
        Its first operand.
    weight : array or tensor, or None
        Its second operand, if it has one.
    output : array or tensor, or None
        Its result, if known: `upstream` must have its shape.
    upstream : array or tensor
        Gradient of the loss with respect to the result.

    Returns
    -------
    (input gradient, weight gradient)
        None for an operand without gradient.

    Raises
    ------
    TensorError
        For an unknown operation.
    ShapeError
        If `upstream` does not have the result's shape.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> x = np.array([1.0, 2.0])
    >>> y = rbe.ops.softmax(x)
    >>> dx, _ = rbe.ops.calculate_gradient("softmax", x, None, y, np.ones(2))
    >>> bool(abs(dx).max() < 1e-12)              # softmax sums to 1 whatever x is
    True
    """
    if isinstance(op, str):
        if op not in NAMED:
            raise TensorError("calculate_gradient", f"one of {', '.join(sorted(NAMED))}", repr(op))
        op = NAMED[op]
    if output is not None and tuple(output.shape) != tuple(upstream.shape):
        raise ShapeError("calculate_gradient", f"an upstream gradient {tuple(output.shape)}", str(tuple(upstream.shape)))
    grads = backward(op, upstream, input, *(() if weight is None else (weight,)))
    return grads[0], None if weight is None else grads[1]
