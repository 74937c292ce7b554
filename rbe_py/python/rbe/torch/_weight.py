"""The engine's side of a packed weight whose blocks are in a tensor of torch's."""

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from rbe import _rbe
from rbe._tensor import RBETensor
from rbe.errors import GraphError

TILE_ROWS, BITS, BLOCK_BYTES, ALIGNMENT = 16, 64, 16, 64


def blocks_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the shape of the blocks of a weight (out, …): tiles of sixteen rows, blocks of 64 columns, bytes of a tile."""
    columns = 1
    for n in shape[1:]:
        columns *= n
    return -(-shape[0] // TILE_ROWS), -(-columns // BITS), TILE_ROWS * BLOCK_BYTES


class Weight:
    """A packed weight as the engine sees it: blocks in torch's memory, and the gradient that backward passes add up.

    A gradient of torch's has the shape of its parameter, which for a packed weight would be sixteen times the weight. So the
    gradient stays with the engine, as small factors, and the layer's `handle` stands for the weight in torch's graph: a
    parameter of one zero, whose own gradient is zero. Backward leaves what it found in `found`; when torch has added the
    handle's gradient to `handle.grad`, a hook adds that to the gradient of `view`. So `torch.autograd.grad` for other
    tensors changes nothing, and a handle whose `grad` was dropped begins anew.

    Parameters
    ----------
    blocks : torch.Tensor
        uint8, of `blocks_shape(shape)`, at a multiple of 64 bytes.
    shape : sequence of int
        Shape of the dense weight.
    scale : float
        Factor of the levels.
    """

    __slots__ = ("__weakref__", "address", "blocks", "columns", "found", "rows", "shape", "view")

    def __init__(self, blocks: torch.Tensor, shape: Sequence[int], scale: float) -> None:
        self.blocks = blocks.detach()
        self.address = blocks.data_ptr()
        self.view: RBETensor = _rbe._packed_over(self.blocks, self.address, blocks.numel(), list(shape), scale)
        self.shape = tuple(shape)
        self.rows = self.shape[0]
        self.columns = self.view.numel() // self.rows
        self.found: list[tuple[int, Any]] = []  # with the number of the backward pass

    def add(self, gradient: Any) -> None:
        """Take what a node of the backward pass that is under way found."""
        task = torch._C._current_graph_task_id()
        if self.found and self.found[-1][0] != task:
            self.found.clear()  # of a pass that did not ask for the gradient of this weight
        self.found.append((task, gradient))

    def accumulate(self, handle: torch.Tensor) -> None:
        """Add what the backward pass found to the gradient; `handle.grad` tells whether that begins anew."""
        grad, task = handle.grad, torch._C._current_graph_task_id()
        begins = not hasattr(grad, "of_packed_weight")
        if begins:
            grad.of_packed_weight = True
            self.view.grad = None
        for of, gradient in self.found:
            if of != task:
                continue
            if begins:
                self.view.grad = gradient
            else:
                _rbe._accumulate(self.view, gradient)
            begins = False
        self.found.clear()

    def attach(self, handle: torch.Tensor) -> None:
        """Let `handle` stand for this weight."""
        if (known := _of_handles.get(handle)) is not None and known() is self:
            return
        _of_handles[handle] = itself = weakref.ref(self)

        def accumulate(handle: torch.Tensor) -> None:
            weight = itself()
            if weight is not None:
                weight.accumulate(handle)

        handle.register_post_accumulate_grad_hook(accumulate)


# Weights by the address of their blocks, which a weight keeps allocated: while it is here, no other tensor has that address.
_known: "weakref.WeakValueDictionary[int, Weight]" = weakref.WeakValueDictionary()
# Weights by the parameter that stands for them: an attribute of the parameter would be pickled with it.
_of_handles: Any = WeakIdKeyDictionary()


def weight_of(blocks: torch.Tensor, scale: torch.Tensor, shape: Sequence[int]) -> Weight:
    """Return the weight of these blocks, made if there is none."""
    weight = _known.get(blocks.data_ptr())
    if weight is None or weight.shape != tuple(shape):
        if blocks.data_ptr() % ALIGNMENT:
            blocks = blocks.clone()
        weight = Weight(blocks, shape, float(scale))
        _known[weight.address] = weight
    return weight


def forget(weight: Weight) -> None:
    """Let layers make a weight anew: its scale has changed."""
    _known.pop(weight.address, None)
    weight.address = 0


def weight_in_training(blocks: torch.Tensor) -> Weight:
    """Return the weight of these blocks, which a layer holds.

    Raises
    ------
    GraphError
        For blocks of no layer: their gradient would be lost.
    """
    weight = _known.get(blocks.data_ptr())
    if weight is None:
        raise GraphError("backward", "blocks of a layer of rbe.torch", "blocks that no layer holds, or that were moved")
    return weight


def weight_of_handle(parameter: torch.Tensor) -> Weight | None:
    """Return the weight that a parameter stands for, None for a dense parameter."""
    reference = _of_handles.get(parameter)
    if reference is None:
        return None
    weight: Weight | None = reference()
    if weight is None:
        raise GraphError("HybridOptimizer", "the handle of a packed layer", "one whose layer is gone")
    return weight
