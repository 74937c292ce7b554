"""Distances and angles between vectors, and products of two of them, with torch's signatures."""

import numpy as np

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import DTypeError, ShapeError

__all__ = ["bilinear", "cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1: RBETensor, x2: RBETensor, dim: int = 1, eps: float = 1e-8) -> RBETensor:
    """Return the cosine of the angle between two tensors, which broadcast, along an axis; norms below eps count as eps.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.cosine_similarity(rbe.tensor([[1.0, 0.0]]), rbe.tensor([[2.0, 0.0]]))
    tensor([1.])
    """
    op = "cosine_similarity"
    if not (x1.dtype.is_floating_point or x2.dtype.is_floating_point):
        raise DTypeError(op, "a tensor of floats", f"{x1.dtype} and {x2.dtype}")
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ShapeError(op, "shapes that broadcast", f"{tuple(x1.shape)} and {tuple(x2.shape)}") from None
    u1, u2 = (_unit(x.broadcast_to(shape), dim, eps) for x in (x1, x2))
    return (u1 * u2).sum(dim)


def _unit(x: RBETensor, dim: int, eps: float) -> RBETensor:
    """Return x over its norm along an axis. Below eps the norm counts as eps but keeps its gradient, as torch has it."""
    norm = x.norm(2, dim, True)
    return x / _rbe.where(norm > eps, norm, norm - norm.detach() + eps)


def pairwise_distance(x1: RBETensor, x2: RBETensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> RBETensor:
    """Return the p-norm of `x1 - x2 + eps` along the last axis, of two tensors that broadcast.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.pairwise_distance(rbe.zeros(1, 2), rbe.tensor([[3.0, 4.0]]))
    tensor([5.])
    """
    return (x1.sub(x2) + eps).norm(p, -1, keepdim)


def bilinear(input1: RBETensor, input2: RBETensor, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor:
    """Return `x1 W_k x2` for every output k.

    Parameters
    ----------
    input1 : tensor (…, in1)
    input2 : tensor (…, in2)
    weight : tensor (out, in1, in2)
    bias : tensor (out), optional

    Returns
    -------
    tensor (…, out)

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.bilinear(rbe.tensor([[2.0]]), rbe.tensor([[3.0]]), rbe.ones(1, 1, 1))
    tensor([[6.]])
    """
    op, lead = "bilinear", input1.shape[:-1]
    if weight.ndim != 3 or input1.ndim < 1 or input2.ndim < 1 or tuple(input2.shape[:-1]) != tuple(lead):
        got = f"{tuple(input1.shape)}, {tuple(input2.shape)} and weight {tuple(weight.shape)}"
        raise ShapeError(op, "x (…, in1) and (…, in2) and weight (out, in1, in2)", got)
    out, first, second = weight.shape
    if (input1.shape[-1], input2.shape[-1]) != (first, second):
        raise ShapeError(op, f"x (…, {first}) and (…, {second})", f"{tuple(input1.shape)} and {tuple(input2.shape)}")
    rows = input1.reshape(-1, first) @ weight.permute(1, 0, 2).reshape(first, out * second)
    sums = (rows.reshape(-1, out, second) * input2.reshape(-1, 1, second)).sum(-1).reshape(*lead, out)
    return sums if bias is None else sums + bias
