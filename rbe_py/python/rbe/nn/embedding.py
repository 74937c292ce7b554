"""A packed table of rows looked up by index."""

from .. import _rbe
from .._rbe import RBETensor
from ..errors import ShapeError
from .functional.linear import padding_row
from .module import Module
from .parameter import Parameter


class RBEEmbedding(Module):
    """A packed table whose rows are looked up by int64 index: 2 bits a weight; only the rows asked for are decoded.

    The gradient is held as the sums of the rows asked for, or as one number a weight where that is less.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
        Row that receives no gradient; a negative one counts from the end.

    Attributes
    ----------
    weight : packed Parameter (num_embeddings, embedding_dim)
        Initially random bits with levels ±1.

    Raises
    ------
    ShapeError
        For a size below 1.
    OutOfRangeError
        For a padding_idx outside the table.

    Examples
    --------
    >>> import rbe
    >>> table = rbe.nn.RBEEmbedding(1000, 64)
    >>> table(rbe.tensor([[3, 14], [15, 9]])).shape, table.weight.nbytes
    ((2, 2, 64), 16000)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        super().__init__()
        if num_embeddings < 1 or embedding_dim < 1:
            raise ShapeError("RBEEmbedding", "sizes of at least 1", f"{num_embeddings} and {embedding_dim}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_row("RBEEmbedding", padding_idx, num_embeddings)
        self.weight = Parameter(_rbe._random_packed([num_embeddings, embedding_dim], 1.0))

    def forward(self, input: RBETensor) -> RBETensor:
        """Map indices (…) to rows (…, embedding_dim)."""
        return self.weight.embedding(input, self.padding_idx)

    def extra_repr(self) -> str:
        """Return sizes and bytes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}, {self.weight.nbytes} bytes"
