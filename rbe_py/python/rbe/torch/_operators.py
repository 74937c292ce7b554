"""Operators `torch.ops.rbe.*` of packed weights, for torch.compile, torch.export and whoever looks at the operators of a model.

Arguments of all: the blocks of a weight, the scale of its levels, the handle that stands for it in the graph, and its dense
shape. The gradient of the handle is a zero. The operators of backward passes leave that of the weight with the engine, so
equal ones must not be joined: that is what the tag `nondeterministic_seeded` prevents.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.library import custom_op

from rbe.torch import _kernels
from rbe.torch._weight import weight_in_training, weight_of

EFFECT = {"tags": (torch.Tag.nondeterministic_seeded,)}


@custom_op("rbe::packed_linear", mutates_args=(), device_types="cpu")
def packed_linear(
    x: torch.Tensor,
    blocks: torch.Tensor,
    scale: torch.Tensor,
    handle: torch.Tensor,
    bias: torch.Tensor | None,
    shape: Sequence[int],
    rounded: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x Wᵀ + bias of float32 x (…, in), and what backward reads of x in int8, or nothing."""
    x, bias = _kernels.contiguous(x), None if bias is None else bias.contiguous()
    y, kept = _kernels.product(x, weight_of(blocks, scale, shape), bias, rounded, True)
    return y, x.new_empty(0, dtype=torch.int8) if kept is None else kept


@packed_linear.register_fake
def _(x: Any, blocks: Any, scale: Any, handle: Any, bias: Any, shape: Any, rounded: bool) -> Any:
    size = _kernels.kept_bytes(x.shape[:-1].numel(), x.shape[-1]) if rounded else 0
    y = torch.empty((*x.shape[:-1], shape[0]), dtype=torch.float32, device=x.device)
    return y, torch.empty(size, dtype=torch.int8, device=x.device)


@custom_op("rbe::packed_linear_backward", mutates_args=(), device_types="cpu", **EFFECT)
def packed_linear_backward(
    dy: torch.Tensor, x: torch.Tensor, blocks: torch.Tensor, columns: int, rounded: bool, needs: Sequence[bool]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of x, handle and bias, each empty unless `needs` has it; that of the weight goes to the engine."""
    weight, dy = weight_in_training(blocks), _kernels.contiguous(dy)
    dx, db = _kernels.product_gradients(dy, weight, rounded, needs[0], needs[2])
    if needs[1]:
        weight.add(_kernels.weight_gradient(dy, x, rounded, weight))
    nothing = dy.new_empty(0)
    return (
        nothing if dx is None else dx,
        dy.new_zeros(1 if needs[1] else 0),
        nothing.clone() if db is None else db,
    )


@packed_linear_backward.register_fake
def _(dy: Any, x: Any, blocks: Any, columns: int, rounded: bool, needs: Any) -> Any:
    dx = dy.new_empty((*dy.shape[:-1], columns) if needs[0] else 0)
    return dx, dy.new_empty(1 if needs[1] else 0), dy.new_empty(dy.shape[-1] if needs[2] else 0)


def _save_linear(ctx: Any, inputs: Any, output: Any) -> None:
    x, blocks, _, _, _, _, ctx.rounded = inputs
    kept = output[1]
    ctx.columns = x.shape[-1]
    ctx.mark_non_differentiable(kept)
    ctx.save_for_backward(kept if ctx.rounded else x, blocks)


def _linear_backward(ctx: Any, dy: torch.Tensor, _: Any) -> Any:
    x, blocks = ctx.saved_tensors
    needs = [ctx.needs_input_grad[0], ctx.needs_input_grad[3], ctx.needs_input_grad[4]]
    found = packed_linear_backward(dy.contiguous(), x, blocks, ctx.columns, ctx.rounded, needs)
    dx, handle, db = (g if needed else None for g, needed in zip(found, needs, strict=True))
    return dx, None, None, handle, db, None, None


packed_linear.register_autograd(_linear_backward, setup_context=_save_linear)


@custom_op("rbe::packed_dense", mutates_args=(), device_types="cpu")
def packed_dense(
    blocks: torch.Tensor, scale: torch.Tensor, handle: torch.Tensor, shape: Sequence[int], dtype: torch.dtype
) -> torch.Tensor:
    """Return the weight as a dense tensor of float32 or float64 numbers."""
    return _kernels.dense(weight_of(blocks, scale, shape), dtype)


@packed_dense.register_fake
def _(blocks: Any, scale: Any, handle: Any, shape: Any, dtype: Any) -> Any:
    return torch.empty(shape, dtype=dtype, device=blocks.device)


@custom_op("rbe::packed_dense_backward", mutates_args=(), device_types="cpu", **EFFECT)
def packed_dense_backward(g: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the handle, and leave that of the weight with the engine."""
    weight = weight_in_training(blocks)
    weight.add(_kernels.dense_gradient(g, weight))
    return torch.zeros(1)


@packed_dense_backward.register_fake
def _(g: Any, blocks: Any) -> Any:
    return torch.empty(1, device=g.device)


def _save_dense(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(inputs[0])


def _dense_backward(ctx: Any, g: torch.Tensor) -> Any:
    return None, None, packed_dense_backward(g, *ctx.saved_tensors), None, None


packed_dense.register_autograd(_dense_backward, setup_context=_save_dense)
