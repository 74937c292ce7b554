"""Transformers: stacks of encoder and decoder layers, with torch's names and signatures."""

import copy
import math
from typing import Any

from .. import _sizes, creation
from .._arguments import describe
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import DTypeError, ShapeError
from . import init
from .containers import ModuleList
from .module import Module
from .norm import LayerNorm
from .transformer import Activation, TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


def _copies(op: str, layer: Module, n: int) -> ModuleList:
    if n < 0:
        raise ShapeError(op, "at least 0 layers", str(n))
    if not isinstance(layer, Module):
        raise DTypeError(op, "a layer to copy", describe(layer))
    _sizes.check_parts(op, n, sum(p.numel() for p in layer.parameters()))
    return ModuleList([copy.deepcopy(layer) for _ in range(n)])


class TransformerEncoder(Module):
    """Copies of an encoder layer one after another.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer or RBETransformerEncoderLayer
        Copied with its weights.
    num_layers : int
    norm : Module, optional
        Applied to the result.
    enable_nested_tensor, mask_check : bool
        Without effect.

    Attributes
    ----------
    layers : ModuleList

    Raises
    ------
    ShapeError
        For a negative number of layers.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    >>> rbe.nn.TransformerEncoder(layer, 2)(rbe.randn(2, 10, 32)).shape
    (2, 10, 32)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers, self.num_layers = _copies(type(self).__name__, encoder_layer, num_layers), num_layers
        self.norm = norm

    def forward(
        self,
        src: RBETensor,
        mask: RBETensor | None = None,
        src_key_padding_mask: RBETensor | None = None,
        is_causal: bool | None = None,
    ) -> RBETensor:
        """Apply the layers to a sequence; masks as in `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of a decoder layer one after another.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer or RBETransformerDecoderLayer
        Copied with its weights.
    num_layers : int
    norm : Module, optional
        Applied to the result.

    Attributes
    ----------
    layers : ModuleList

    Raises
    ------
    ShapeError
        For a negative number of layers.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)
    >>> rbe.nn.TransformerDecoder(layer, 2)(rbe.randn(2, 10, 32), rbe.randn(2, 7, 32)).shape
    (2, 10, 32)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers, self.num_layers = _copies(type(self).__name__, decoder_layer, num_layers), num_layers
        self.norm = norm

    def forward(
        self,
        tgt: RBETensor,
        memory: RBETensor,
        tgt_mask: RBETensor | None = None,
        memory_mask: RBETensor | None = None,
        tgt_key_padding_mask: RBETensor | None = None,
        memory_key_padding_mask: RBETensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> RBETensor:
        """Apply the layers to a sequence and the encoder's result; masks as in `TransformerDecoderLayer`."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, bool(tgt_is_causal), memory_is_causal)
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder that attends to its result.

    Parameters
    ----------
    d_model, nhead : int
        Width and number of heads.
    num_encoder_layers, num_decoder_layers : int
    dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As `TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module, optional
        In place of those made from the sizes.

    Attributes
    ----------
    encoder : TransformerEncoder
    decoder : TransformerDecoder

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
    >>> model = rbe.nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
    >>> model(rbe.randn(2, 7, 32), rbe.randn(2, 10, 32)).shape
    (2, 10, 32)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*sizes, device=device, dtype=dtype)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm())
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*sizes, device=device, dtype=dtype)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm())
        self.encoder, self.decoder = custom_encoder, custom_decoder
        for p in self.parameters():
            if p.ndim > 1 and not p.is_packed:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: RBETensor,
        tgt: RBETensor,
        src_mask: RBETensor | None = None,
        tgt_mask: RBETensor | None = None,
        memory_mask: RBETensor | None = None,
        src_key_padding_mask: RBETensor | None = None,
        tgt_key_padding_mask: RBETensor | None = None,
        memory_key_padding_mask: RBETensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> RBETensor:
        """Encode `src` and decode `tgt` beside it; masks as in the encoder and the decoder.

        Raises
        ------
        ShapeError
            For sequences of another width or of different numbers of samples.
        """
        axis = 0 if self.batch_first else 1
        batches = src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[axis] != tgt.shape[axis])
        if batches or src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            wanted = f"src and tgt of width {self.d_model} and as many samples"
            raise ShapeError("Transformer", wanted, f"{tuple(src.shape)} and {tuple(tgt.shape)}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(  # type: ignore[no-any-return]
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: object = None, dtype: DTypeLike = None) -> RBETensor:
        """Return a mask (sz, sz) to add to scores: 0 where a query sees a key, minus infinity for keys after it.

        Examples
        --------
        >>> import rbe
        >>> rbe.nn.Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        creation.check_device("generate_square_subsequent_mask", device)
        return creation.full((sz, sz), -math.inf, dtype=dtype).triu(1)
