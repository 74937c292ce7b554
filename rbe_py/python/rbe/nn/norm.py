"""Normalisation layers, with torch's names, signatures and buffers."""

from collections.abc import Sequence
from typing import Any

from .. import creation
from .._rbe import is_recomputing
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError
from . import functional as F
from .module import Module, Unbuilt
from .parameter import Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "LayerNorm",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "RMSNorm",
]


class LayerNorm(Module):
    """Mean 0 and variance 1 over the trailing axes, then a scale and a shift for every element.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The trailing axes.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether there is a weight.
    bias : bool
        Whether there is a bias, with the weight.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.LayerNorm(2, eps=0.0)(rbe.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.,  1.]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        creation.check_device("LayerNorm", device)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        affine = elementwise_affine
        self.register_parameter("weight", Parameter(creation.ones(shape, dtype=dtype)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(shape, dtype=dtype)) if affine and bias else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (…, *normalized_shape) normalised."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return shape and constants."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class RMSNorm(Module):
    """Division by the root of the mean square over the trailing axes, then a scale for every element.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The trailing axes.
    eps : float, optional
        Added to the mean square; default the dtype's machine epsilon.
    elementwise_affine : bool
        Whether there is a weight.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.RMSNorm(2, eps=0.0)(rbe.tensor([[3.0, 3.0]])).detach()
    tensor([[1., 1.]])
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        creation.check_device("RMSNorm", device)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        weight = Parameter(creation.ones(shape, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (…, *normalized_shape) normalised."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return shape and constants."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class GroupNorm(Module):
    """Mean 0 and variance 1 over groups of channels of x (N, C, …), then a scale and a shift for every channel.

    Raises
    ------
    ShapeError
        If the number of groups does not divide the number of channels.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.GroupNorm(2, 4)(rbe.randn(8, 4, 3)).shape
    (8, 4, 3)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        creation.check_device("GroupNorm", device)
        if num_groups < 1 or num_channels < 1 or num_channels % num_groups:
            raise ShapeError("GroupNorm", f"a multiple of {num_groups} channels", str(num_channels))
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.register_parameter("weight", Parameter(creation.ones(num_channels, dtype=dtype)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(num_channels, dtype=dtype)) if affine and bias else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (N, num_channels, …) normalised."""
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise ShapeError("GroupNorm", f"x (N, {self.num_channels}, …)", str(tuple(input.shape)))
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return sizes and constants."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"


class _BatchNorm(Module):
    """Mean 0 and variance 1 for every channel of x (N, C, …), then a scale and a shift.

    Training uses the statistics of the batch and updates the running statistics; evaluation uses the running statistics.

    Parameters
    ----------
    num_features : int or None
        Channels; None leaves them to the first input: call the model on one before making an optimiser.
    eps : float
        Added to the variance.
    momentum : float or None
        Share of the new statistics; None keeps the plain mean of all batches.
    affine : bool
        Whether there are weight and bias.
    track_running_stats : bool
        Whether there are running statistics; without them evaluation uses the batch's too.
    bias : bool
        Whether there is a bias beside the weight.
    """

    axes: tuple[int, ...]
    num_features: int
    weight: Parameter | None
    bias: Parameter | None
    running_mean: RBETensor | None
    running_var: RBETensor | None
    num_batches_tracked: RBETensor | None

    def __init__(
        self,
        num_features: int | None,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: object = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        creation.check_device(type(self).__name__, device)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        self._shifts = affine and bias
        if num_features is None:
            source = ("running_mean" if track_running_stats else "weight", 0)
            self._defer(Unbuilt("num_features", 1, source=source, ndims=self.axes, dtype=dtype))
        else:
            self._build(num_features, dtype)

    def _build(self, size: int, dtype: DTypeLike) -> None:
        if size < 1:
            raise ShapeError(type(self).__name__, "at least 1 channel", str(size))
        self.num_features, n, track = size, size, self.track_running_stats
        self.register_parameter("weight", Parameter(creation.ones(n, dtype=dtype)) if self.affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(n, dtype=dtype)) if self._shifts else None)
        self.register_buffer("running_mean", creation.zeros(n, dtype=dtype) if track else None)
        self.register_buffer("running_var", creation.ones(n, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", creation.full((), 0) if track else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (N, num_features, …) normalised."""
        if input.ndim not in self.axes:
            wanted = f"x with {' or '.join(map(str, self.axes))} axes"
            raise ShapeError(type(self).__name__, wanted, str(tuple(input.shape)))
        counts = self.training and not is_recomputing()
        momentum, counted = self.momentum, self.num_batches_tracked if counts else None
        if momentum is None:
            momentum = 0.0 if counted is None else 1.0 / (counted.item() + 1)
        training = self.training or self.running_mean is None
        mean, var = self.running_mean, self.running_var
        out = F.batch_norm(input, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if counted is not None:
            counted.add_(1)
        return out

    def extra_repr(self) -> str:
        """Return sizes and constants."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.BatchNorm1d(4)(rbe.randn(8, 4)).shape
    (8, 4)
    """

    __doc__ = f"{__doc__}\n{_BatchNorm.__doc__}"
    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.BatchNorm2d(4)(rbe.randn(8, 4, 3, 3)).shape
    (8, 4, 3, 3)
    """

    __doc__ = f"{__doc__}\n{_BatchNorm.__doc__}"
    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.BatchNorm3d(4)(rbe.randn(8, 4, 2, 3, 3)).shape
    (8, 4, 2, 3, 3)
    """

    __doc__ = f"{__doc__}\n{_BatchNorm.__doc__}"
    axes = (5,)


class LazyBatchNorm1d(BatchNorm1d):
    """`BatchNorm1d` without num_features, which the first input decides.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.LazyBatchNorm1d()
    >>> layer(rbe.randn(8, 4)).shape, layer.num_features
    ((8, 4), 4)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, *args, **kwargs)


class LazyBatchNorm2d(BatchNorm2d):
    """`BatchNorm2d` without num_features, which the first input decides.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.LazyBatchNorm2d()
    >>> layer(rbe.randn(8, 4, 3, 3)).shape, layer.num_features
    ((8, 4, 3, 3), 4)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, *args, **kwargs)
