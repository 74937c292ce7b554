"""Gradients of single operations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import autograd, creation
from .._tensor import RBETensor
from ..errors import ShapeError


def backward(op: Callable[..., Any], upstream: Any, *args: Any, **options: Any) -> tuple[Any, ...]:
    """Return the gradients of an operation's operands.

    Parameters
    ----------
    op : callable
        An operation of `rbe.ops`, or any function of tensors; of several results the first counts.
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
    if isinstance(result, tuple):
        result = result[0]  # a recurrent layer also returns nodes
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
