"""Distances between vectors, and products of two of them, as modules with torch's names."""

import math

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError
from . import functional as F
from . import init
from .linear import fresh_bias
from .module import Module
from .parameter import Parameter, dense

__all__ = ["Bilinear", "CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """The cosine of the angle between two tensors along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CosineSimilarity()(rbe.tensor([[1.0, 0.0]]), rbe.tensor([[2.0, 0.0]]))
    tensor([1.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: RBETensor, x2: RBETensor) -> RBETensor:
        """Return the cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of `x1 - x2 + eps` along the last axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.PairwiseDistance()(rbe.zeros(1, 2), rbe.tensor([[3.0, 4.0]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: RBETensor, x2: RBETensor) -> RBETensor:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class Bilinear(Module):
    """`x1 W_k x2 + b_k` for every output k.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
    bias : bool
    dtype : dtype, optional

    Attributes
    ----------
    weight : Parameter (out_features, in1_features, in2_features)
        Uniform in ±1 / sqrt(in1_features) at first.
    bias : Parameter (out_features) or None
        Likewise.

    Raises
    ------
    ShapeError
        For a size below 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Bilinear(4, 5, 6)(rbe.zeros(2, 4), rbe.zeros(2, 5)).shape
    (2, 6)
    """

    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        creation.check_device("Bilinear", device)
        if min(in1_features, in2_features, out_features) < 1:
            raise ShapeError("Bilinear", "sizes of at least 1", f"{in1_features}, {in2_features} and {out_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        bound = 1 / math.sqrt(in1_features)
        self.weight = dense((out_features, in1_features, in2_features), lambda w: init.uniform_(w, -bound, bound), dtype)
        self.register_parameter("bias", fresh_bias(in1_features, out_features, dtype) if bias else None)

    def forward(self, input1: RBETensor, input2: RBETensor) -> RBETensor:
        """Map (…, in1_features) and (…, in2_features) to (…, out_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
