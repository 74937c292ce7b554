"""The layers of a transformer's encoder and decoder, dense and packed."""

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

__all__ = ["RBETransformerDecoderLayer", "RBETransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[RBETensor], RBETensor]


def _activation(op: str, activation: Activation) -> Any:
    """Return the function of a name, or the function itself."""
    named: dict[str, Callable[[RBETensor], RBETensor]] = {"relu": functional.relu, "gelu": functional.gelu}
    if isinstance(activation, str) and activation not in named:
        raise TensorError(op, "activation 'relu', 'gelu' or a function", repr(activation))
    return named[activation] if isinstance(activation, str) else activation


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
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.activation: Any = _activation(type(self).__name__, activation)
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


class TransformerDecoderLayer(Module):
    """Attention of a sequence to itself, attention to a second sequence, and two linear maps, each with a residual connection
    and layer norm.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As `TransformerEncoderLayer`.

    Attributes
    ----------
    self_attn, multihead_attn : MultiheadAttention
    linear1, linear2 : Linear
    norm1, norm2, norm3 : LayerNorm

    Raises
    ------
    ShapeError, TensorError
        As `TransformerEncoderLayer`.

    References
    ----------
    Vaswani et al. 2017.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)
    >>> layer(rbe.randn(2, 10, 32), rbe.randn(2, 7, 32), tgt_is_causal=True).shape
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
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        function = _activation(type(self).__name__, activation)
        self.norm_first = norm_first
        sizes = (d_model, nhead, dropout, bias)
        self.self_attn = self._attention(*sizes, batch_first=batch_first, device=device, dtype=dtype)
        self.multihead_attn = self._attention(*sizes, batch_first=batch_first, dtype=dtype)
        self.linear1 = self._linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = self._linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout) for _ in range(3))
        self.activation: Any = function

    def forward(
        self,
        tgt: RBETensor,
        memory: RBETensor,
        tgt_mask: RBETensor | None = None,
        memory_mask: RBETensor | None = None,
        tgt_key_padding_mask: RBETensor | None = None,
        memory_key_padding_mask: RBETensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> RBETensor:
        """Apply the layer.

        Parameters
        ----------
        tgt : tensor (L, N, E), (N, L, E) with `batch_first`, or (L, E)
        memory : tensor (S, N, E), (N, S, E) or (S, E)
            The encoder's result.
        tgt_mask, tgt_key_padding_mask, tgt_is_causal
            Of the attention of the sequence to itself, as in `MultiheadAttention`.
        memory_mask, memory_key_padding_mask, memory_is_causal
            Of the attention to `memory`.

        Returns
        -------
        tensor like tgt
        """

        def attend(x: RBETensor) -> RBETensor:
            """Self-attention."""
            out, _ = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)
            return self.dropout1(out)  # type: ignore[no-any-return]

        def look(x: RBETensor) -> RBETensor:
            """Attention to the memory."""
            masks = (memory_key_padding_mask, False, memory_mask)
            out, _ = self.multihead_attn(x, memory, memory, *masks, is_causal=memory_is_causal)
            return self.dropout2(out)  # type: ignore[no-any-return]

        def feed(x: RBETensor) -> RBETensor:
            """The two linear maps."""
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))  # type: ignore[no-any-return]

        if self.norm_first:
            x = tgt + attend(self.norm1(tgt))
            x = x + look(self.norm2(x))
            return x + feed(self.norm3(x))
        x = self.norm1(tgt + attend(tgt))
        x = self.norm2(x + look(x))
        return self.norm3(x + feed(x))  # type: ignore[no-any-return]


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


class RBETransformerDecoderLayer(TransformerDecoderLayer):
    """`TransformerDecoderLayer` whose projections and linear maps are packed; biases and layer norms are dense.

    Parameters, attributes and errors are those of `TransformerDecoderLayer`, with `RBEMultiheadAttention` and `RBELinear`.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBETransformerDecoderLayer(64, 4, 256, batch_first=True)
    >>> layer(rbe.randn(2, 10, 64), rbe.randn(2, 7, 64)).shape
    (2, 10, 64)
    """

    _attention = RBEMultiheadAttention
    _linear = RBELinear
