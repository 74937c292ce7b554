"""`torch.nn.Embedding` with a packed weight."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.library import custom_op

from rbe._tensor import RBETensor
from rbe.errors import DTypeError, OutOfRangeError
from rbe.torch._operators import EFFECT
from rbe.torch._taped import Operation, Taped, TapedFunction, borrowed
from rbe.torch._weight import weight_in_training, weight_of
from rbe.torch.layer import PackedLayer, new_weight

__all__ = ["RBEEmbedding"]


def _lookup(padding: int | None) -> Operation:
    return lambda table, index, _: table.embedding(index, padding)


def _padding(padding: int) -> int | None:
    return None if padding < 0 else padding


@custom_op("rbe::packed_embedding", mutates_args=(), device_types="cpu")
def packed_embedding(
    index: torch.Tensor, blocks: torch.Tensor, scale: torch.Tensor, handle: torch.Tensor, shape: Sequence[int], padding: int
) -> torch.Tensor:
    """Return the rows `index` (int64, any shape) of a packed table; `padding` is a row without gradient, -1 for none."""
    taped = Taped(_lookup(_padding(padding)), weight_of(blocks, scale, shape), index.contiguous(), None, (False, False, False))
    return borrowed(taped.result)


@packed_embedding.register_fake
def _(index: Any, blocks: Any, scale: Any, handle: Any, shape: Any, padding: int) -> Any:
    return torch.empty((*index.shape, shape[1]), dtype=torch.float32, device=index.device)


@custom_op("rbe::packed_embedding_backward", mutates_args=(), device_types="cpu", **EFFECT)
def packed_embedding_backward(dy: torch.Tensor, index: torch.Tensor, blocks: torch.Tensor, padding: int) -> torch.Tensor:
    """Return the gradient of the handle, and leave that of the table with the engine."""
    taped = Taped(_lookup(_padding(padding)), weight_in_training(blocks), index.contiguous(), None, (False, True, False))
    taped.backward(dy)
    return torch.zeros(1)


@packed_embedding_backward.register_fake
def _(dy: Any, index: Any, blocks: Any, padding: int) -> Any:
    return torch.empty(1, device=dy.device)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    index, blocks, _, _, _, ctx.padding = inputs
    ctx.save_for_backward(index, blocks)


def _backward(ctx: Any, dy: torch.Tensor) -> Any:
    index, blocks = ctx.saved_tensors
    return None, None, None, packed_embedding_backward(dy, index, blocks, ctx.padding), None, None


packed_embedding.register_autograd(_backward, setup_context=_save)


class RBEEmbedding(PackedLayer):
    """`torch.nn.Embedding` with a table of 2 bits a number; only the rows asked for are decoded.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
        Row that receives no gradient; a negative one counts from the end.

    Raises
    ------
    DTypeError, OutOfRangeError
        In `forward`, for indices that are no integers or outside the table.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        self._start(new_weight("RBEEmbedding", (num_embeddings, embedding_dim), "random", None, 1.0), padding_idx)

    def _start(self, packed: RBETensor, padding_idx: int | None) -> None:
        PackedLayer.__init__(self, packed, None)
        self.num_embeddings, self.embedding_dim = packed.shape
        rows = self.num_embeddings
        if padding_idx is not None and not -rows <= padding_idx < rows:
            raise OutOfRangeError("RBEEmbedding", f"a padding_idx from {-rows} to {rows - 1}", str(padding_idx))
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % rows

    @classmethod
    def of(cls, packed: RBETensor, padding_idx: int | None) -> "RBEEmbedding":
        """Return a layer with a copy of a packed table."""
        layer = cls.__new__(cls)
        layer._start(packed, padding_idx)
        return layer

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the rows `index`, int64 or int32 of any shape: (…, embedding_dim)."""
        if index.dtype not in (torch.int64, torch.int32):
            raise DTypeError("RBEEmbedding", "int64 or int32 indices", str(index.dtype))
        self._check_device("RBEEmbedding", index)
        index = index.long()
        if torch.compiler.is_compiling() or type(index) is not torch.Tensor:
            padding = -1 if self.padding_idx is None else self.padding_idx
            return packed_embedding(index, self.blocks, self.scale, self.handle, self.shape, padding)
        found: torch.Tensor = TapedFunction.apply(index, self.handle, None, self.held, _lookup(self.padding_idx))
        return found

    def dense(self) -> torch.nn.Embedding:
        """Return a `torch.nn.Embedding` with the same table."""
        return torch.nn.Embedding(
            self.num_embeddings, self.embedding_dim, self.padding_idx, _weight=self.weight.detach(), _freeze=False
        )

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}, padding_idx={self.padding_idx}"
