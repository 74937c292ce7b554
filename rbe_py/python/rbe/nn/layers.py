"""Dense layers, with torch's names, signatures and initial values."""

import math
from collections.abc import Sequence
from typing import Any

from .. import creation
from .._rbe import RBETensor
from ..errors import ShapeError, TensorError
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter


class Identity(Module):
    """Return the input."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: RBETensor) -> RBETensor:
        """Return x."""
        return x


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim`."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: RBETensor) -> RBETensor:
        """Return x with the axes joined."""
        return x.flatten(self.start_dim, self.end_dim)


class Linear(Module):
    """`y = x Wᵀ + b` with a dense weight (out_features, in_features)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ShapeError("Linear", "positive sizes", f"{in_features} and {out_features}")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(creation.zeros(out_features, in_features, dtype=dtype))
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if bias:
            self.bias: Parameter | None = Parameter(creation.zeros(out_features, dtype=dtype))
            bound = 1 / math.sqrt(in_features)
            init.uniform_(self.bias, -bound, bound)
        else:
            self.register_parameter("bias", None)

    def forward(self, x: RBETensor) -> RBETensor:
        """Map (…, in) to (…, out)."""
        return x.linear(self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A table (num_embeddings, embedding_dim) whose rows are looked up by int64 index."""

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else num_embeddings + padding_idx
        self.weight = Parameter(creation.randn(num_embeddings, embedding_dim))
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx] = 0.0

    def forward(self, index: RBETensor) -> RBETensor:
        """Map indices (…) to rows (…, embedding_dim)."""
        return self.weight.embedding(index, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """In training each element is 0 with probability p, the others scaled by 1 / (1 - p)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise TensorError("Dropout", "a probability in [0, 1]", str(p))
        self.p = p

    def forward(self, x: RBETensor) -> RBETensor:
        """Return x with elements dropped."""
        return x.dropout(self.p, self.training)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"


class LayerNorm(Module):
    """Normalise the trailing axes, then scale and shift."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.register_parameter("weight", Parameter(creation.ones(self.normalized_shape)) if elementwise_affine else None)
        self.register_parameter(
            "bias", Parameter(creation.zeros(self.normalized_shape)) if elementwise_affine and bias else None
        )

    weight: Parameter | None
    bias: Parameter | None

    def forward(self, x: RBETensor) -> RBETensor:
        """Return x normalised."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return shape and epsilon."""
        return f"{self.normalized_shape}, eps={self.eps}"


class BatchNorm1d(Module):
    """Normalise the channels of (N, C) or (N, C, L); the running statistics follow in training and serve in evaluation."""

    axes: tuple[int, ...] = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.track_running_stats = track_running_stats
        self.register_parameter("weight", Parameter(creation.ones(num_features)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(num_features)) if affine else None)
        self.register_buffer("running_mean", creation.zeros(num_features) if track_running_stats else None)
        self.register_buffer("running_var", creation.ones(num_features) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", creation.full((), 0) if track_running_stats else None)

    weight: Parameter | None
    bias: Parameter | None
    running_mean: RBETensor | None
    running_var: RBETensor | None
    num_batches_tracked: RBETensor | None

    def forward(self, x: RBETensor) -> RBETensor:
        """Return x (N, C, …) normalised."""
        if x.ndim not in self.axes:
            raise ShapeError(type(self).__name__, f"{' or '.join(map(str, self.axes))} axes", str(x.shape))
        momentum = self.momentum if self.momentum is not None else 0.0
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        training = self.training or self.running_mean is None
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps)

    def extra_repr(self) -> str:
        """Return size and constants."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class ReLU(Module):
    """`max(x, 0)`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return x.relu()


class GELU(Module):
    """`x Φ(x)`, exactly or by the tanh approximation."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise TensorError("GELU", "approximate 'none' or 'tanh'", repr(approximate))
        self.approximate = approximate

    def forward(self, x: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return x.gelu(self.approximate)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return x.tanh()


class Sigmoid(Module):
    """`1 / (1 + e^-x)`."""

    def forward(self, x: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return x.sigmoid()


class SiLU(Module):
    """`x · sigmoid(x)`."""

    def forward(self, x: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return x.silu()
