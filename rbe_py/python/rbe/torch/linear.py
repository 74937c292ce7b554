"""`torch.nn.Linear` with a packed weight."""

from typing import Any

import torch

from rbe._tensor import RBETensor
from rbe.errors import DTypeError, ShapeError
from rbe.torch import _kernels
from rbe.torch._operators import packed_linear
from rbe.torch._weight import Weight
from rbe.torch.layer import PackedLayer, _rounded_when_compiled, is_rounded, new_weight

__all__ = ["RBELinear"]

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class _Product(torch.autograd.Function):
    """What `torch.ops.rbe.packed_linear` computes, with a quarter of the cost of a call outside of compiled models."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, handle: torch.Tensor, bias: torch.Tensor | None, weight: Weight, rounded: bool
    ) -> torch.Tensor:
        x = x.contiguous()
        needed = ctx.needs_input_grad[1]
        y, kept = _kernels.product(x, weight, bias, rounded, needed)
        ctx.weight, ctx.rounded = weight, rounded
        ctx.save_for_backward(weight.blocks, x if needed and not rounded else kept)
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        _, x = ctx.saved_tensors  # raises if the weight has changed since
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        dy = dy.contiguous()
        dx, db = _kernels.product_gradients(dy, ctx.weight, ctx.rounded, needs_x, needs_bias)
        handle = None
        if needs_weight:
            ctx.weight.add(_kernels.weight_gradient(dy, x, ctx.rounded, ctx.weight))
            handle = dy.new_zeros(1)
        return dx, handle, db, None, None


def linear(layer: PackedLayer, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return x Wᵀ + bias of x (…, in) and the packed weight (out, in) of a layer.

    float64 is computed in float64; all else in float32, also under autocast, where the result is float32. Outside of it the
    result has the type of x.

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        If x does not fit.
    """
    op, shape = type(layer).__name__, layer.shape
    if x.dim() == 0 or x.shape[-1] != shape[1]:
        raise ShapeError(op, f"x (…, {shape[1]}) for a weight {shape}", str(tuple(x.shape)))
    if x.dtype not in FLOATS:
        raise DTypeError(op, "x of floats", str(x.dtype))
    layer._check_device(op, x)
    if x.dtype == torch.float64:
        with torch.autocast("cpu", enabled=False):
            return torch.nn.functional.linear(x, layer._dense(x.dtype), None if bias is None else bias.double())
    half = x.dtype != torch.float32
    given, bias = x, bias if bias is None or bias.dtype == torch.float32 else bias.float()
    if half:
        x = x.float()
    if torch.compiler.is_compiling() or type(x) not in (torch.Tensor, torch.nn.Parameter):
        rounded = _rounded_when_compiled()
        y = packed_linear(x, layer.blocks, layer.scale, layer.handle, bias, shape, rounded)[0]
    else:
        y = _Product.apply(x, layer._parameters["handle"], bias, layer.held, is_rounded())
    return y.to(given.dtype) if half and not torch.is_autocast_enabled("cpu") else y


class RBELinear(PackedLayer):
    """`torch.nn.Linear` with a weight of 2 bits: y = x Wᵀ + bias.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        In `forward`, for x that is not (…, in_features), not of floats or not on the CPU.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from rbe.torch import RBELinear  # doctest: +SKIP
    >>> RBELinear(64, 8)(torch.randn(4, 64)).shape  # doctest: +SKIP
    torch.Size([4, 8])
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        packed = new_weight("RBELinear", (out_features, in_features), "random")
        bound = in_features**-0.5
        initial = torch.nn.Parameter(torch.empty(out_features).uniform_(-bound, bound)) if bias else None
        self._start(packed, initial)

    @classmethod
    def of(cls, packed: RBETensor, bias: torch.nn.Parameter | None) -> "RBELinear":
        """Return a layer with a copy of a packed weight (out, in) and with this bias."""
        layer = cls.__new__(cls)
        layer._start(packed, bias)
        return layer

    def _start(self, packed: RBETensor, bias: torch.nn.Parameter | None) -> None:
        PackedLayer.__init__(self, packed, bias)
        self.out_features, self.in_features = packed.shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x Wᵀ + bias, (…, out_features)."""
        return linear(self, x, self._parameters["bias"])

    def dense(self) -> torch.nn.Linear:
        """Return a `torch.nn.Linear` with the same weights."""
        out, bias = torch.nn.Linear(self.in_features, self.out_features, self.bias is not None), self.bias
        out.weight = torch.nn.Parameter(self.weight.detach())
        if bias is not None:
            out.bias = bias
        return out

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
