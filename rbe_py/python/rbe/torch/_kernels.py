"""The engine's products on tensors of torch's: what both the operators and the layers run."""

from typing import Any

import torch

from rbe import _rbe
from rbe.torch._weight import Weight


def contiguous(x: torch.Tensor) -> torch.Tensor:
    """Return x as contiguous float32 numbers."""
    return x.to(torch.float32).contiguous()


def kept_bytes(batch: int, columns: int) -> int:
    """Return the size of what backward reads of inputs rounded to int8: a float32 scale a sample, then the numbers."""
    return batch * (4 + columns)


def product(
    x: torch.Tensor, weight: Weight, bias: torch.Tensor | None, rounded: bool, keep: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return x Wᵀ + bias of contiguous float32 x (…, in), and where that is wanted x in int8 as of `kept_bytes`."""
    shape = x.shape[:-1]
    y = x.new_empty((*shape, weight.rows))
    batch = shape.numel()
    kept = addresses = None
    if rounded and keep:
        kept = torch.empty(kept_bytes(batch, weight.columns), dtype=torch.int8)
        scales = kept.data_ptr()
        addresses = scales + 4 * batch, scales
    operands = x.data_ptr(), 0 if bias is None else bias.data_ptr(), y.data_ptr()
    _rbe._bridge_product(weight.view, rounded, batch, operands, addresses)
    return y, kept


def product_gradients(
    dy: torch.Tensor, weight: Weight, rounded: bool, needs_x: bool, needs_bias: bool
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return the gradients of x (…, in) and of the bias from contiguous float32 dy (…, out), each if it is needed."""
    shape = dy.shape[:-1]
    dx = dy.new_empty((*shape, weight.columns)) if needs_x else None
    db = dy.new_empty(weight.rows) if needs_bias else None
    if needs_x or needs_bias:
        _rbe._bridge_dx(
            weight.view,
            rounded,
            shape.numel(),
            dy.data_ptr(),
            0 if dx is None else dx.data_ptr(),
            0 if db is None else db.data_ptr(),
        )
    return dx, db


def weight_gradient(dy: torch.Tensor, x: torch.Tensor, rounded: bool, weight: Weight) -> Any:
    """Return the gradient of the weight by a product: of dy (…, out) and x, in float32 or as `product` keeps it."""
    batch = dy.shape[:-1].numel()
    start, of_dy = x.data_ptr(), (dy, dy.data_ptr())
    if rounded:
        return _rbe._bridge_gradient(weight.view, batch, (x, start + 4 * batch), of_dy, (x, start))
    return _rbe._bridge_gradient(weight.view, batch, (x, start), of_dy, None)


def dense(weight: Weight, dtype: torch.dtype) -> torch.Tensor:
    """Return the weight in float32 or float64."""
    name = "float64" if dtype == torch.float64 else "float32"
    return torch.from_numpy(weight.view.to_dense(name).numpy()).view(weight.shape)


def dense_gradient(g: torch.Tensor, weight: Weight) -> Any:
    """Return the gradient of the packed weight by that of the dense one."""
    g = contiguous(g)
    shape = [weight.rows, weight.columns]
    lent = _rbe._from_memory(g, g.data_ptr(), "float32", shape, [weight.columns, 1])
    return _rbe._bridge_cotangent(weight.view, lent)
