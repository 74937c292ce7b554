"""What packed layers have in common: blocks, handle, and how both behave in torch's ways to move, copy and save modules."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from rbe import _rbe
from rbe._tensor import RBETensor
from rbe.errors import DeviceError, RBEError, TensorError
from rbe.torch._operators import packed_dense
from rbe.torch._weight import ALIGNMENT, Weight, blocks_shape, forget, weight_of

__all__ = ["PackedLayer"]


class PackedLayer(torch.nn.Module):
    """A layer of torch's whose weight has two bits a number.

    Attributes
    ----------
    blocks : torch.Tensor
        Buffer of uint8: the weight, as the engine stores it (design/format.md).
    scale : torch.Tensor
        Buffer of one float32: factor of the weight's levels.
    handle : torch.nn.Parameter
        One zero that stands for the weight among the parameters: an optimiser's group that has it trains the weight, and
        `requires_grad_(False)` freezes it. It is not saved.
    bias : torch.nn.Parameter or None
    """

    blocks: torch.Tensor
    scale: torch.Tensor
    bias: torch.nn.Parameter | None

    def __init__(self, packed: RBETensor, bias: torch.nn.Parameter | None) -> None:
        super().__init__()
        self.shape = tuple(packed.shape)
        self.register_buffer("blocks", torch.zeros(blocks_shape(self.shape), dtype=torch.uint8))
        self.register_buffer("scale", torch.tensor(packed.scale, dtype=torch.float32))
        self.handle = torch.nn.Parameter(torch.zeros(1))
        self.register_parameter("bias", bias)
        self.packed._copy_packed(packed)

    @property
    def held(self) -> Weight:
        """The weight as the engine sees it, made anew where its memory has moved."""
        weight: Weight | None = self.__dict__.get("_held")
        blocks = self._buffers["blocks"]
        assert blocks is not None
        if weight is None or weight.address != blocks.data_ptr():
            if blocks.data_ptr() % ALIGNMENT or not blocks.is_contiguous():
                self._buffers["blocks"] = blocks = blocks.clone(memory_format=torch.contiguous_format)
            weight = weight_of(blocks, self.scale, self.shape)
            weight.attach(self.handle)
            self.__dict__["_held"] = weight
        return weight

    @property
    def packed(self) -> RBETensor:
        """The weight as a packed tensor of rbe over the same memory; its `grad` is the gradient of the last backward passes."""
        return self.held.view

    @property
    def weight(self) -> torch.Tensor:
        """The weight as a dense tensor, made anew at each use; gradients flow through it to the packed weight."""
        return packed_dense(self.blocks, self.scale, self.handle, self.shape, torch.float32)

    def _dense(self, dtype: torch.dtype) -> torch.Tensor:
        return packed_dense(self.blocks, self.scale, self.handle, self.shape, dtype)

    def _check_device(self, op: str, x: torch.Tensor) -> None:
        if x.device.type not in ("cpu", "meta"):
            raise DeviceError(op, "a tensor on the CPU", f"one on {x.device}")

    def share(self, other: "PackedLayer") -> None:
        """Use the weight of another layer, which trains both."""
        self._buffers["blocks"], self._buffers["scale"] = other.blocks, other.scale
        self._parameters["handle"] = other.handle
        self.__dict__.pop("_held", None)
        _ = self.held

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> "PackedLayer":
        """Convert the bias. Blocks, scale and handle stay what they are; another device than the CPU is refused."""
        device = fn(torch.empty(0)).device
        if device.type != "cpu":
            raise DeviceError("to", "the CPU, the only device of packed layers (unpack the model first)", str(device))
        kept = {"scale": self._buffers.pop("scale")}
        handle = self._parameters.pop("handle")
        try:
            super()._apply(fn, recurse)
        finally:
            self._buffers.update(kept)
            self._parameters["handle"] = handle
        _ = self.held
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        del destination[prefix + "handle"]

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the weight after a check that its blocks are ones that training leaves."""
        blocks, scale = (state_dict.get(prefix + name) for name in ("blocks", "scale"))
        if blocks is not None and tuple(blocks.shape) == tuple(self.blocks.shape):
            try:
                checked = blocks.detach().to(torch.uint8).clone(memory_format=torch.contiguous_format)
                Weight(checked, self.shape, float(self.scale if scale is None else scale))
            except RBEError as e:
                error_msgs.append(f"{prefix}blocks: {e}")
                return
        state_dict = {**state_dict, prefix + "handle": self.handle.detach()}
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        self._renew()

    def _renew(self) -> None:
        """Read blocks and scale again, which something other than the engine wrote."""
        old: Weight | None = self.__dict__.pop("_held", None)
        if old is not None and old.view.scale != float(self.scale):
            forget(old)
        _ = self.held

    def dense(self) -> torch.nn.Module:
        """Return torch's own layer with the same weights."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_held"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        _ = self.held


def is_rounded() -> bool:
    """Return whether products are computed from inputs rounded to int8."""
    return _rbe.get_packed_matmul_precision() == "int8"


# The setting when a model is compiled is that of the compiled model.
_rounded_when_compiled: Callable[[], bool] = torch.compiler.assume_constant_result(is_rounded)


def new_weight(
    op: str, shape: Sequence[int], init: str, dense: torch.Tensor | None = None, scale: float | None = None
) -> RBETensor:
    """Return a packed weight: the initial state of training, with levels ±scale (default 1/√in), or the nearest to a dense one.

    Raises
    ------
    TensorError
        For another `init` than "random" and "encode", or "encode" without a dense weight.
    """
    if init == "random":
        return _rbe._random_packed(list(shape), scale)
    if init == "encode" and dense is not None:
        values = dense.detach().to(torch.float32).contiguous()
        strides = list(values.stride())
        return _rbe._encode(_rbe._from_memory(values, values.data_ptr(), "float32", list(values.shape), strides))
    raise TensorError(op, 'init "random", or "encode" with a dense weight', repr(init))
