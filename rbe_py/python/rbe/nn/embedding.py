"""A packed table of rows looked up by index."""

from .linear import Table
from .packed import Packed

__all__ = ["RBEEmbedding"]


class RBEEmbedding(Packed, Table):
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
        super().__init__(num_embeddings, embedding_dim, padding_idx)
