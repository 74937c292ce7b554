"""Operations of the engine on torch's memory whose backward pass is that of the engine's tape."""

from collections.abc import Callable
from typing import Any

import torch

from rbe import _rbe
from rbe._tensor import RBETensor
from rbe.autograd import enable_grad, no_grad
from rbe.torch._weight import Weight

# An operation of the weight, the input and the bias.
Operation = Callable[[RBETensor, RBETensor, RBETensor | None], RBETensor]


def lent(x: torch.Tensor) -> RBETensor:
    """Return a tensor of rbe over the memory of contiguous numbers of torch's."""
    return _rbe._from_memory(x, x.data_ptr(), str(x.dtype).removeprefix("torch."), list(x.shape), list(x.stride()))


def borrowed(x: RBETensor) -> torch.Tensor:
    """Return a tensor of torch's over the memory of a tensor of rbe."""
    return torch.from_numpy(x.detach().numpy())


class Taped:
    """An operation that has run, and what its backward pass needs.

    Parameters
    ----------
    operation : callable
    weight : Weight
    x : torch.Tensor
        Contiguous; of floats or indices.
    bias : torch.Tensor, optional
    needs : (bool, bool, bool)
        Which of x, weight and bias need a gradient.
    """

    def __init__(
        self,
        operation: Operation,
        weight: Weight,
        x: torch.Tensor,
        bias: torch.Tensor | None,
        needs: tuple[bool, bool, bool],
    ) -> None:
        self.weight, self.view = weight, weight.view.detach()
        self.x, self.bias = lent(x.detach()), None if bias is None else lent(bias.detach())
        self.leaves = (self.x, self.view, self.bias)
        for leaf, needed in zip(self.leaves, needs, strict=True):
            if leaf is not None:
                leaf.requires_grad = needed
        with enable_grad() if any(needs) else no_grad():
            self.result = operation(self.view, self.x, self.bias)

    def backward(self, dy: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Return the gradients of x, of the handle of the weight, and of the bias; leave that of the weight with it."""
        for leaf in self.leaves:
            if leaf is not None:
                leaf.grad = None
        self.result.backward(lent(dy.contiguous()), retain_graph=True)  # as long as torch retains its graph
        gradients = [None if leaf is None else leaf.grad for leaf in self.leaves]
        handle = None
        if gradients[1] is not None:
            self.weight.add(gradients[1])
            handle = torch.zeros(1)
        dx, db = (None if g is None else borrowed(g) for g in (gradients[0], gradients[2]))
        return dx, handle, db


class TapedFunction(torch.autograd.Function):
    """A taped operation in torch's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        handle: torch.Tensor,
        bias: torch.Tensor | None,
        weight: Weight,
        operation: Operation,
    ) -> torch.Tensor:
        """Run the operation."""
        needs = ctx.needs_input_grad
        ctx.taped = Taped(operation, weight, x.contiguous(), bias, (needs[0], needs[1], needs[2]))
        ctx.save_for_backward(weight.blocks, x)
        return borrowed(ctx.taped.result)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        """Return the gradients of x, handle and bias."""
        _ = ctx.saved_tensors  # raises if blocks or x have changed since
        dx, handle, db = ctx.taped.backward(dy)
        return dx, handle, db, None, None
