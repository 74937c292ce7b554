"""The mixin of packed variants, and layers whose weights are 128-bit blocks."""

import math
from typing import Any

import numpy as np

from .. import _rbe
from .._tensor import RBETensor
from ..errors import ConfigError, ShapeError, TensorError
from . import parameter
from .coded import Coded
from .linear import Affine
from .module import Module
from .parameter import Parameter

__all__ = ["Packed", "RBEActivation", "RBELinear"]


class Packed(Module):
    """Mixin that makes the weights of a layer packed parameters; list it before the dense layer among the bases.

    Biases stay dense. `forward` is inherited: operations choose the packed or the dense product by the weight they are given.
    """

    _weight_of = staticmethod(parameter.packed)
    _precision: str | None = None
    _only_float32 = False  # whatever the precision

    @property
    def precision(self) -> str | None:
        """In what the products of this layer and of layers inside it are computed: "int8", "float32", or None, the default, for
        the setting of the process (`rbe.set_packed_matmul_precision`).

        Raises
        ------
        ConfigError
            When another value is assigned; the old one stays.
        """
        return self._precision

    @precision.setter
    def precision(self, precision: str | None) -> None:
        """Set the precision of the products that start from now on."""
        _rbe.replace_precision_of_thread(_rbe.replace_precision_of_thread(precision))  # refuses other names
        if self._only_float32 and precision == "int8":
            raise ConfigError(f"{type(self).__name__}.precision", "'float32' or None for code='cycle'", "'int8'")
        self._precision = precision

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward between the module's hooks, in the precision of the layer."""
        if self._precision is None:
            return super().__call__(*args, **kwargs) if self._hooks else self.forward(*args, **kwargs)
        before = _rbe.replace_precision_of_thread(self._precision)
        try:
            return super().__call__(*args, **kwargs)
        finally:
            _rbe.replace_precision_of_thread(before)

    def extra_repr(self) -> str:
        """Return the text of the dense layer and, for a layer with one weight, the bytes of the weight."""
        weight = self._parameters.get("weight")
        return super().extra_repr() + ("" if weight is None else f", {weight.nbytes} bytes")


class RBELinear(Coded, Packed, Affine):
    """`y = x Wᵀ + b` with a packed weight: 2 bits a weight, trained in that form.

    float32 inputs are rounded to int8 for the product, unless `precision` or `rbe.set_packed_matmul_precision` says "float32".

    Parameters
    ----------
    in_features : int, optional
        Left out, the first input decides it: call the model on one before making an optimiser.
    out_features : int
    bias : bool
        Whether there is a dense bias (out_features).
    dtype : dtype, optional
        float32 or float64, of the bias.
    code : {"levels", "cycle"}
        What the bits of a block mean. "levels": each of 64 chooses between the block's two levels. "cycle": the low 11 are a
        cycle state, which with the block's point generates its 64 weights (`nn.functional.cycle_linear`), the original scheme
        of the format. It trains worse (design/format.md); its products are in float32, of weights decoded for each call.
    input_size, output_size : int, optional
        Other names of in_features and out_features.

    Attributes
    ----------
    weight : packed Parameter (out_features, in_features)
        Initially random bits with levels ±1 / sqrt(in_features). With code="cycle" of shape
        (out_features · ceil(in_features / 64), 11), initially circular functions of random phase, frequency and angle.
    bias : Parameter (out_features) or None
    precision : {"int8", "float32"} or None
        In what the product is computed; None, the default: as `rbe.set_packed_matmul_precision` says.

    Raises
    ------
    ShapeError
        For a size below 1.
    TensorError
        For a size given by both its names, or another code.
    ConfigError
        When precision "int8" is assigned to a layer with code="cycle".

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.RBELinear(768, 3072)
    >>> layer.weight.nbytes
    589824
    """


FAMILIES = ("circular", "hyperbolic", "tanh", "exp", "log")


class RBEActivation(Module):
    """A trainable activation `d · g(ω x + θ)` whose state is a block: family, phase and frequency of g in its bits, d and θ
    in its point.

    Parameters
    ----------
    features : int, optional
        One block for each feature of the last axis; without it one block is shared by all.
    family : {"circular", "hyperbolic", "tanh", "exp", "log"}
        Initial base function, with phase 0, ω = 1, d = 1, θ = 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.RBEActivation()(rbe.tensor([0.0, 1.0])).detach()
    tensor([0.    , 0.7616])
    """

    def __init__(self, features: int | None = None, family: str = "tanh") -> None:
        super().__init__()
        if family not in FAMILIES:
            raise TensorError("RBEActivation", ", ".join(FAMILIES), repr(family))
        if features is not None and features < 1:
            raise ShapeError("RBEActivation", "a positive number of features", str(features))
        self.features, self.family = features, family
        n = features or 1
        state = FAMILIES.index(family) << 8 | 32
        hi = np.full((n, 1), state, dtype=np.uint64)
        lo = np.tile(np.array([math.tanh(0.5), 0.0], dtype=np.float32), (n, 1, 1))
        self.weight = Parameter(RBETensor.packed(hi, lo, (n, 11), 1.0))

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the activation to the last axis of x (…, features)."""
        return input.packed_activation(self.weight)

    def extra_repr(self) -> str:
        """Return size and family."""
        return f"features={self.features}, family={self.family!r}"
