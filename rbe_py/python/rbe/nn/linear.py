"""Dense linear layers and embeddings, with torch's names, signatures and initial values."""

import math

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import init, parameter
from .functional.linear import embedding, padding_row
from .module import Module, Unbuilt
from .parameter import Parameter

__all__ = ["Embedding", "LazyLinear", "Linear"]


def fan_in_uniform_(weight: RBETensor) -> None:
    """Fill a weight (out, in, …) with uniform numbers in ±1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))


def fresh_bias(in_features: int, out_features: int, dtype: DTypeLike = None) -> Parameter:
    """Return a bias (out_features), uniform in ±1 / sqrt(in_features)."""
    bound = 1 / math.sqrt(in_features)
    bias = Parameter(creation.empty(out_features, dtype=dtype))
    init.uniform_(bias, -bound, bound)
    return bias


def either(op: str, name: str, value: int | None, other_name: str, other: int | None) -> int | None:
    """Return the argument that is given of two that mean the same.

    Raises
    ------
    TensorError
        If both are.
    """
    if value is not None and other is not None:
        raise TensorError(op, f"{name} or {other_name}", "both")
    return other if value is None else value


class Affine(Module):
    """Base of the layers `y = x Wᵀ + b`: sizes, bias, and lazy parameters where in_features is left out."""

    _weight_of = staticmethod(parameter.dense)
    in_features: int
    bias: Parameter | None

    def __init__(
        self,
        in_features: int | None = None,
        out_features: int | None = None,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
        *,
        input_size: int | None = None,
        output_size: int | None = None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        creation.check_device(op, device)
        in_features = either(op, "in_features", in_features, "input_size", input_size)
        out_features = either(op, "out_features", out_features, "output_size", output_size)
        if out_features is None or out_features < 1:
            raise ShapeError(op, "out_features of at least 1", str(out_features))
        self.out_features, self._with_bias = out_features, bias
        if in_features is None:
            self._defer(Unbuilt("in_features", -1, dtype=dtype))
        else:
            self._build(in_features, dtype)

    def _build(self, size: int, dtype: DTypeLike) -> None:
        if size < 1:
            raise ShapeError(type(self).__name__, "in_features of at least 1", str(size))
        self.in_features = size
        self.weight = self._weight_of((self.out_features, size), fan_in_uniform_, dtype)
        self.register_parameter("bias", fresh_bias(size, self.out_features, dtype) if self._with_bias else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Map (…, in_features) to (…, out_features)."""
        return input.linear(self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self._with_bias}"


class Linear(Affine):
    """`y = x Wᵀ + b` with a dense weight.

    Parameters
    ----------
    in_features : int, optional
        Left out, the first input decides it: call the model on one before making an optimiser.
    out_features : int
    bias : bool
        Whether there is a bias.
    dtype : dtype, optional
        float32 or float64.
    input_size, output_size : int, optional
        Other names of in_features and out_features.

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
        Uniform in ±1 / sqrt(in_features) at first.
    bias : Parameter (out_features) or None
        Likewise.

    Raises
    ------
    ShapeError
        For a size below 1.
    TensorError
        For a size given by both its names.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.Linear(out_features=3)
    >>> layer(rbe.ones(2, 5)).shape, layer.weight.shape
    ((2, 3), (3, 5))
    """


class LazyLinear(Linear):
    """`Linear` without in_features, which the first input decides.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.LazyLinear(3)
    >>> layer(rbe.ones(2, 5)).shape, layer.in_features
    ((2, 3), 5)
    """

    def __init__(self, out_features: int, bias: bool = True, device: object = None, dtype: DTypeLike = None) -> None:
        super().__init__(None, out_features, bias, device, dtype)


class Table(Module):
    """Base of the layers that look up rows: sizes, and the row that receives no gradient."""

    _weight_of = staticmethod(parameter.dense)

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, dtype: DTypeLike = None) -> None:
        super().__init__()
        op = type(self).__name__
        if num_embeddings < 1 or embedding_dim < 1:
            raise ShapeError(op, "sizes of at least 1", f"{num_embeddings} and {embedding_dim}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_row(op, padding_idx, num_embeddings)
        self.weight = self._weight_of((num_embeddings, embedding_dim), self._fill, dtype, 1.0)

    def _fill(self, weight: RBETensor) -> None:
        init.normal_(weight)
        if self.padding_idx is not None:
            weight.detach()[self.padding_idx] = 0.0

    def forward(self, input: RBETensor) -> RBETensor:
        """Map indices (…) to rows (…, embedding_dim)."""
        return self.weight.embedding(input, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Embedding(Table):
    """A table whose rows are looked up by int64 index.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
        Row that is 0 at first and receives no gradient; a negative one counts from the end.
    max_norm : float, optional
        Rows that are looked up and have a larger p-norm, of p = `norm_type`, are scaled down to it in place first.
    norm_type : float
    scale_grad_by_freq : bool
        Whether to divide the gradient of each row by the number of times it is looked up.
    sparse : bool
        False: gradients are dense.

    Attributes
    ----------
    weight : Parameter (num_embeddings, embedding_dim)
        Standard normal at first.

    Raises
    ------
    ShapeError
        For a size below 1.
    OutOfRangeError
        For a padding_idx outside the table.
    TensorError
        For `sparse`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Embedding(10, 4)(rbe.tensor([1, 2, 1])).shape
    (3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        *,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        creation.check_device("Embedding", device)
        if sparse:
            raise TensorError("Embedding", "sparse=False (gradients are dense)", "sparse=True")
        super().__init__(num_embeddings, embedding_dim, padding_idx, dtype)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq

    @classmethod
    def from_pretrained(cls, embeddings: RBETensor, freeze: bool = True, padding_idx: int | None = None) -> "Embedding":
        """Return a layer with the rows of `embeddings` (rows, width), not to be trained if `freeze`."""
        if embeddings.ndim != 2:
            raise ShapeError("Embedding", "rows (num_embeddings, embedding_dim)", str(tuple(embeddings.shape)))
        layer = cls(embeddings.shape[0], embeddings.shape[1], padding_idx, dtype=embeddings.dtype)
        layer.weight = Parameter(embeddings.detach(), not freeze)
        return layer

    def forward(self, input: RBETensor) -> RBETensor:
        """Map indices (…) to rows (…, embedding_dim)."""
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)
