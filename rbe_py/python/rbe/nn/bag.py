"""Sums, means and maxima of rows of a table, as a layer."""

from typing import Any

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import TensorError
from .functional.bag import embedding_bag
from .linear import Table
from .parameter import Parameter

__all__ = ["EmbeddingBag"]


class EmbeddingBag(Table):
    """A table whose rows are looked up by bags of indices, and combined for each bag.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    max_norm, norm_type, scale_grad_by_freq, sparse
        As of `Embedding`.
    mode : {"mean", "sum", "max"}
    include_last_offset : bool
        Whether the last offset is the end of the last bag.
    padding_idx : int, optional
        Indices of this row do not count.

    Attributes
    ----------
    weight : Parameter (num_embeddings, embedding_dim)
        Standard normal at first.

    Raises
    ------
    ShapeError, OutOfRangeError, TensorError
        For sizes, a padding_idx or a mode outside their domain, or `sparse`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.EmbeddingBag(10, 4)(rbe.tensor([[1, 2], [3, 4]])).shape
    (2, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        *,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        creation.check_device("EmbeddingBag", device)
        if mode not in ("mean", "sum", "max"):
            raise TensorError("EmbeddingBag", "mode 'mean', 'sum' or 'max'", repr(mode))
        if sparse:
            raise TensorError("EmbeddingBag", "sparse=False (gradients are dense)", "sparse=True")
        super().__init__(num_embeddings, embedding_dim, padding_idx, dtype)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(cls, embeddings: RBETensor, freeze: bool = True, **options: Any) -> "EmbeddingBag":
        """Return a layer with the rows of `embeddings` (rows, width), not to be trained if `freeze`."""
        layer = cls(embeddings.shape[0], embeddings.shape[1], dtype=embeddings.dtype, **options)
        layer.weight = Parameter(embeddings.detach(), not freeze)
        return layer

    def forward(
        self, input: RBETensor, offsets: RBETensor | None = None, per_sample_weights: RBETensor | None = None
    ) -> RBETensor:
        """Map bags of indices to (bags, embedding_dim); arguments are those of `functional.embedding_bag`."""
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )
