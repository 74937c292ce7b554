"""The layer of a transformer's encoder, dense and packed."""

from collections.abc import Callable
from typing import Any

from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import TensorError
from . import functional
from .attention import MultiheadAttention, RBEMultiheadAttention
from .dropout import Dropout
from .linear import Affine, Linear
from .module import Module
from .norm import LayerNorm
from .packed import RBELinear

__all__ = ["RBETransformerEncoderLayer", "TransformerEncoderLayer"]


class TransformerEncoderLayer(Module):
    """Attention of a sequence to itself and two linear maps, each with a residual connection and layer norm.

    Parameters
    ----------
    d_model, nhead : int
        Width and number of heads.
    dim_feedforward : int
        Width between the linear maps.
    dropout : float
    activation : {"relu", "gelu"} or callable
        Between the linear maps.
    layer_norm_eps : float
    batch_first : bool
        Whether sequences are (N, L, E) rather than (L, N, E).
    norm_first : bool
        Whether layer norm comes before attention and linear maps instead of after the residual connection.
    bias : bool

    Attributes
    ----------
    self_attn : MultiheadAttention
    linear1, linear2 : Linear
    norm1, norm2 : LayerNorm

    Raises
    ------
    ShapeError
        If d_model is not divisible by nhead or a size is below 1.
    TensorError
        For an unknown activation.

    References
    ----------
    Vaswani et al. 2017.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)(rbe.randn(2, 10, 32), is_causal=True).shape
    (2, 10, 32)
    """

    _attention: type[MultiheadAttention] = MultiheadAttention
    _linear: type[Affine] = Linear

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[RBETensor], RBETensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        named: dict[str, Callable[[RBETensor], RBETensor]] = {"relu": functional.relu, "gelu": functional.gelu}
        if isinstance(activation, str) and activation not in named:
            raise TensorError(type(self).__name__, "activation 'relu', 'gelu' or a function", repr(activation))
        self.activation: Any = named[activation] if isinstance(activation, str) else activation
        self.norm_first = norm_first
        self.self_attn = self._attention(d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype)
        self.linear1 = self._linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = self._linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)

    def forward(
        self,
        src: RBETensor,
        src_mask: RBETensor | None = None,
        src_key_padding_mask: RBETensor | None = None,
        is_causal: bool = False,
    ) -> RBETensor:
        """Apply the layer to (L, N, E), (N, L, E) with `batch_first`, or (L, E); masks as in `MultiheadAttention`."""

        def attend(x: RBETensor) -> RBETensor:
            """Self-attention."""
            out, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout1(out)  # type: ignore[no-any-return]

        def feed(x: RBETensor) -> RBETensor:
            """The two linear maps."""
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))  # type: ignore[no-any-return]

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + feed(self.norm2(x))
        x = self.norm1(src + attend(src))
        return self.norm2(x + feed(x))  # type: ignore[no-any-return]


class RBETransformerEncoderLayer(TransformerEncoderLayer):
    """`TransformerEncoderLayer` whose projections and linear maps are packed; biases and layer norms are dense.

    Parameters, attributes and errors are those of `TransformerEncoderLayer`, with `RBEMultiheadAttention` and `RBELinear`.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBETransformerEncoderLayer(64, 4, 256, batch_first=True)
    >>> sum(p.nbytes for p in layer.parameters() if p.is_packed)
    12288
    """

    _attention = RBEMultiheadAttention
    _linear = RBELinear
