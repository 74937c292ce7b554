"""The option `code` of packed linear layers: what the bits of a weight's blocks mean."""

from .. import _rbe
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import parameter
from .linear import Affine

__all__ = ["Coded"]


class Coded(Affine):
    """Mixin of the option `code`; list it before `Packed` among the bases."""

    code: str
    _only_float32 = False

    def __init__(
        self,
        in_features: int | None = None,
        out_features: int | None = None,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
        *,
        input_size: int | None = None,
        output_size: int | None = None,
        code: str = "levels",
    ) -> None:
        if code not in ("levels", "cycle"):
            raise TensorError(type(self).__name__, "code 'levels' or 'cycle'", repr(code))
        object.__setattr__(self, "code", code)  # for _build, before the tables of parameters are there
        sizes = {"input_size": input_size, "output_size": output_size}
        super().__init__(in_features, out_features, bias, device, dtype, **sizes)

    def _build(self, size: int, dtype: DTypeLike) -> None:
        if self.code == "cycle":
            self._weight_of, self._only_float32 = parameter.cycles, True
        super()._build(size, dtype)

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (…, in_features) to (…, out_features)."""
        if self.code == "cycle":
            if input.shape[-1:] != (self.in_features,):
                raise ShapeError(type(self).__name__, f"x (…, {self.in_features})", str(tuple(input.shape)))
            return _rbe.cycle_linear(input, self.weight, self.bias)
        return input.linear(self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes, the bytes of the weight, and the code if it is not the usual one."""
        return super().extra_repr() + ("" if self.code == "levels" else f", code={self.code!r}")
