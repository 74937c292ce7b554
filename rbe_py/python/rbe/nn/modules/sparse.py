"""Tables of rows, under the name of torch's module."""

from ..bag import EmbeddingBag
from ..linear import Embedding

__all__ = ["Embedding", "EmbeddingBag"]
