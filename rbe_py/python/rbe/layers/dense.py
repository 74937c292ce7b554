"""The fully connected layer."""

from typing import Any

from .. import ops
from ..errors import ShapeError, TensorError
from ..nn.parameter import Parameter
from .base import Layer, check_initializer

__all__ = ["Dense"]


class Dense(Layer):
    """`activation(x Wᵀ + b)` of x (…, in), over `rbe.ops.gemm`.

    Parameters
    ----------
    units : int
        Outputs.
    activation : str, optional
        As for `rbe.ops.gemm`.
    initializer : {"he", "xavier", "glorot", "normal", "zeros", "ones"}
        Of the weight; the bias is 0 at first.
    use_bias : bool
    use_native_bwd : bool
        Only True: gradients are always computed by the engine.

    Attributes
    ----------
    weight : Parameter (units, in)
    bias : Parameter (units) or None

    Raises
    ------
    ShapeError
        For less than one unit.
    TensorError
        For an unknown initializer, or use_native_bwd=False.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.layers.Dense(3, activation="relu", initializer="he")
    >>> layer(rbe.ones(2, 5)).shape, layer.weight.shape
    ((2, 3), (3, 5))
    """

    bias: Parameter | None

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        initializer: str = "he",
        *,
        use_bias: bool = True,
        use_native_bwd: bool = True,
    ) -> None:
        super().__init__()
        if units < 1:
            raise ShapeError("Dense", "units of at least 1", str(units))
        if not use_native_bwd:
            raise TensorError("Dense", "use_native_bwd=True", "False")
        self.units, self.activation, self.use_bias = units, activation, use_bias
        self.initializer = check_initializer("Dense", initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make weight and bias for inputs (…, in)."""
        self.weight = self.add_weight((self.units, input_shape[-1]), self.initializer)
        self.register_parameter("bias", self.add_weight((self.units,), "zeros") if self.use_bias else None)
        super().build(input_shape)

    def call(self, *inputs: Any) -> Any:
        """Map (…, in) to (…, units)."""
        (x,) = inputs
        y = ops.gemm(x.reshape(-1, x.shape[-1]), self.weight, self.bias, act=self.activation, transpose_b=True)
        return y.reshape(*x.shape[:-1], self.units)

    def extra_repr(self) -> str:
        """Return size and activation."""
        return f"{self.units}, activation={self.activation!r}"
