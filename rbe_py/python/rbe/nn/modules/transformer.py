"""Transformers, under the name of torch's module."""

from ..transformer import TransformerDecoderLayer, TransformerEncoderLayer
from ..transformer_stack import Transformer, TransformerDecoder, TransformerEncoder

__all__ = ["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer"]
