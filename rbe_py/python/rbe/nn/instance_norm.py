"""Normalisation of every plane of every sample, with torch's names, signatures and buffers."""

from .. import creation
from .._rbe import is_recomputing
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError
from . import functional as F
from .module import Module
from .parameter import Parameter

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(Module):
    """Mean 0 and variance 1 over the spatial axes of every channel of every sample (Ulyanov et al. 2016).

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance.
    momentum : float
        Share of the new statistics.
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        Whether there are running statistics, which evaluation uses.
    bias : bool
        Whether there is a bias beside the weight.

    Raises
    ------
    ShapeError
        For less than one channel; in forward, for another x or, in training, one with a single element a channel.
    """

    axes: int
    weight: Parameter | None
    bias: Parameter | None
    running_mean: RBETensor | None
    running_var: RBETensor | None
    num_batches_tracked: RBETensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: object = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        creation.check_device(type(self).__name__, device)
        if num_features < 1:
            raise ShapeError(type(self).__name__, "at least 1 channel", str(num_features))
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        n, track = num_features, track_running_stats
        self.register_parameter("weight", Parameter(creation.ones(n, dtype=dtype)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(n, dtype=dtype)) if affine and bias else None)
        self.register_buffer("running_mean", creation.zeros(n, dtype=dtype) if track else None)
        self.register_buffer("running_var", creation.ones(n, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", creation.full((), 0) if track else None)

    def forward(self, input: RBETensor) -> RBETensor:
        """Return x (N, num_features, spatial axes), or without N, normalised."""
        if input.ndim - self.axes not in (1, 2) or input.shape[-self.axes - 1] != self.num_features:
            wanted = f"x (N, {self.num_features}, …) or ({self.num_features}, …) with {self.axes} spatial axes"
            raise ShapeError(type(self).__name__, wanted, str(tuple(input.shape)))
        x = input.unsqueeze(0) if input.ndim == self.axes + 1 else input
        batch = self.training or not self.track_running_stats
        momentum = 0.0 if is_recomputing() else self.momentum
        statistics = (self.running_mean, self.running_var)
        out = F.instance_norm(x, *statistics, self.weight, self.bias, batch, momentum, self.eps)
        return out if x is input else out.squeeze(0)

    def extra_repr(self) -> str:
        """Return sizes and constants."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.InstanceNorm1d(1, eps=0.0)(rbe.tensor([[[1.0, 3.0]]])).tolist()
    [[[-1.0, 1.0]]]
    """

    __doc__ = f"{__doc__}\n{_InstanceNorm.__doc__}"
    axes = 1


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.InstanceNorm2d(4, affine=True)(rbe.randn(8, 4, 3, 3)).shape
    (8, 4, 3, 3)
    """

    __doc__ = f"{__doc__}\n{_InstanceNorm.__doc__}"
    axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.InstanceNorm3d(4, affine=True)(rbe.randn(8, 4, 2, 3, 3)).shape
    (8, 4, 2, 3, 3)
    """

    __doc__ = f"{__doc__}\n{_InstanceNorm.__doc__}"
    axes = 3
