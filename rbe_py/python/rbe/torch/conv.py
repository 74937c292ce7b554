"""`torch.nn.Conv1d` and `Conv2d` with packed filters."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.library import custom_op

from rbe import _rbe
from rbe._tensor import RBETensor
from rbe.errors import DTypeError, ShapeError
from rbe.torch._operators import EFFECT
from rbe.torch._taped import Operation, Taped, TapedFunction, borrowed
from rbe.torch._weight import weight_in_training, weight_of
from rbe.torch.layer import PackedLayer, new_weight
from rbe.torch.linear import FLOATS

__all__ = ["RBEConv1d", "RBEConv2d"]


def _windows(stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int) -> Operation:
    """Return the convolution; `padding` has the zeros before and after each axis."""
    pairs = list(zip(padding[::2], padding[1::2], strict=True))
    steps, gaps = list(stride), list(dilation)
    return lambda w, x, bias: _rbe.conv(x, w, bias, steps, pairs, gaps, groups)


@custom_op("rbe::packed_conv", mutates_args=(), device_types="cpu")
def packed_conv(
    x: torch.Tensor,
    blocks: torch.Tensor,
    scale: torch.Tensor,
    handle: torch.Tensor,
    bias: torch.Tensor | None,
    shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """Return the correlation of float32 x (samples, channels, …) with packed filters."""
    run = _windows(stride, padding, dilation, groups)
    return borrowed(Taped(run, weight_of(blocks, scale, shape), x.contiguous(), bias, (False, False, False)).result)


@packed_conv.register_fake
def _(
    x: Any, blocks: Any, scale: Any, handle: Any, bias: Any, shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    sizes = []
    for i, n in enumerate(x.shape[2:]):
        reach = dilation[i] * (shape[2 + i] - 1) + 1
        sizes.append((n + padding[2 * i] + padding[2 * i + 1] - reach) // stride[i] + 1)
    return torch.empty((x.shape[0], shape[0], *sizes), dtype=torch.float32, device=x.device)


@custom_op("rbe::packed_conv_backward", mutates_args=(), device_types="cpu", **EFFECT)
def packed_conv_backward(
    dy: torch.Tensor,
    x: torch.Tensor,
    blocks: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    needs: Sequence[bool],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of x, handle and bias, each empty unless `needs` has it; that of the filters goes to the engine."""
    run = _windows(stride, padding, dilation, groups)
    taped = Taped(run, weight_in_training(blocks), x.contiguous(), bias, (needs[0], needs[1], needs[2]))
    dx, handle, db = (torch.empty(0) if g is None else g for g in taped.backward(dy))
    return dx, handle, db


@packed_conv_backward.register_fake
def _(dy: Any, x: Any, blocks: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any, needs: Any) -> Any:
    dx = torch.empty(x.shape, device=x.device) if needs[0] else x.new_empty(0)
    return dx, x.new_empty(1 if needs[1] else 0), x.new_empty(dy.shape[1] if needs[2] else 0)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    x, blocks, _, _, bias, _, *ctx.windows = inputs
    ctx.save_for_backward(x, blocks, bias)


def _backward(ctx: Any, dy: torch.Tensor) -> Any:
    x, blocks, bias = ctx.saved_tensors
    needs = [ctx.needs_input_grad[0], ctx.needs_input_grad[3], ctx.needs_input_grad[4]]
    found = packed_conv_backward(dy, x, blocks, bias, *ctx.windows, needs)
    dx, handle, db = (g if needed else None for g, needed in zip(found, needs, strict=True))
    return dx, None, None, handle, db, None, None, None, None, None


packed_conv.register_autograd(_backward, setup_context=_save)


class _Conv(PackedLayer):
    """A convolution of torch's with packed filters (out, channels / groups, kernel).

    Parameters
    ----------
    as of torch's layer, but for device and dtype

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        In `forward`, for x that is not (samples, channels, …) or (channels, …), not of floats or not on the CPU.
    """

    plain: type[torch.nn.Conv1d] | type[torch.nn.Conv2d]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with torch.device("meta"):
            plain = self.plain(*args, **kwargs)
        packed = new_weight(type(self).__name__, plain.weight.shape, "random")
        bound = (plain.weight.numel() // plain.out_channels) ** -0.5
        bias = None if plain.bias is None else torch.nn.Parameter(torch.empty(plain.out_channels).uniform_(-bound, bound))
        self._start(packed, plain, bias)

    def _start(self, packed: RBETensor, plain: Any, bias: torch.nn.Parameter | None) -> None:
        PackedLayer.__init__(self, packed, bias)
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"):
            setattr(self, name, getattr(plain, name))
        self._around: list[int] = list(plain._reversed_padding_repeated_twice)  # as F.pad takes it: last axis first
        pairs = [self._around[i : i + 2] for i in range(0, len(self._around), 2)]
        self._zeros = [n for pair in reversed(pairs) for n in pair]

    @classmethod
    def of(cls, packed: RBETensor, plain: Any) -> "_Conv":
        """Return a layer with a copy of packed filters, and the settings and the bias of a layer of torch's."""
        layer = cls.__new__(cls)
        layer._start(packed, plain, plain.bias)
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the correlation of x with the filters."""
        op, axes = type(self).__name__, len(self.kernel_size)
        if x.dim() not in (axes + 1, axes + 2) or x.shape[-axes - 1] != self.in_channels:
            raise ShapeError(op, f"x (samples, {self.in_channels}, …) with {axes} more axes", str(tuple(x.shape)))
        if x.dtype not in FLOATS:
            raise DTypeError(op, "x of floats", str(x.dtype))
        self._check_device(op, x)
        if x.dim() == axes + 1:
            return self.forward(x[None])[0]
        if self.padding_mode != "zeros":
            x, zeros = torch.nn.functional.pad(x, self._around, mode=self.padding_mode), [0] * (2 * axes)
        else:
            zeros = self._zeros
        if x.dtype == torch.float64:
            return self._wide(x, zeros)
        half, given = x.dtype != torch.float32, x.dtype
        bias = self.bias if self.bias is None or self.bias.dtype == torch.float32 else self.bias.float()
        x = x.float() if half else x
        windows = (list(self.stride), zeros, list(self.dilation), self.groups)
        if torch.compiler.is_compiling() or type(x) is not torch.Tensor:
            y = packed_conv(x, self.blocks, self.scale, self.handle, bias, self.shape, *windows)
        else:
            y = TapedFunction.apply(x, self.handle, bias, self.held, _windows(*windows))
        return y.to(given) if half and not torch.is_autocast_enabled("cpu") else y

    def _wide(self, x: torch.Tensor, zeros: list[int]) -> torch.Tensor:
        """Return the correlation in float64."""
        pairs = [zeros[i : i + 2] for i in range(0, len(zeros), 2)]
        x = torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair])
        conv = torch.nn.functional.conv1d if len(pairs) == 1 else torch.nn.functional.conv2d
        bias = None if self.bias is None else self.bias.double()
        with torch.autocast("cpu", enabled=False):
            return conv(x, self._dense(x.dtype), bias, self.stride, 0, self.dilation, self.groups)

    def dense(self) -> torch.nn.Module:
        """Return torch's layer with the same filters."""
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        out = self.plain(**{name: getattr(self, name) for name in names}, bias=self.bias is not None)
        out.weight = torch.nn.Parameter(self.weight.detach())
        if self.bias is not None:
            out.bias = self.bias
        return out

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"


class RBEConv1d(_Conv):
    """`torch.nn.Conv1d` with packed filters; the arguments are torch's, but for device and dtype."""

    plain = torch.nn.Conv1d


class RBEConv2d(_Conv):
    """`torch.nn.Conv2d` with packed filters; the arguments are torch's, but for device and dtype."""

    plain = torch.nn.Conv2d
