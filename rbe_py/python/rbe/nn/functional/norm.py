"""Normalisation as functions, with torch's signatures."""

import math
from collections.abc import Sequence

from ... import _rbe
from ..._tensor import RBETensor
from ...dtypes import float64
from ...errors import ShapeError

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "normalize", "rms_norm"]


def _sizes(shape: int | Sequence[int]) -> list[int]:
    return [shape] if isinstance(shape, int) else [int(n) for n in shape]


def layer_norm(
    input: RBETensor,
    normalized_shape: int | Sequence[int],
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    eps: float = 1e-5,
) -> RBETensor:
    """Return x with mean 0 and variance 1 over its trailing axes, then scaled and shifted.

    Parameters
    ----------
    input : tensor (…, *normalized_shape)
    weight, bias : tensor (*normalized_shape), optional

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.layer_norm(rbe.tensor([[1.0, 3.0]]), 2, eps=0.0)
    tensor([[-1.,  1.]])
    """
    return _rbe.layer_norm(input, _sizes(normalized_shape), weight, bias, eps)


def rms_norm(
    input: RBETensor,
    normalized_shape: int | Sequence[int],
    weight: RBETensor | None = None,
    eps: float | None = None,
) -> RBETensor:
    """Return x divided by the root of its mean square over the trailing axes, then scaled (Zhang, Sennrich 2019).

    Parameters
    ----------
    input : tensor (…, *normalized_shape)
    weight : tensor (*normalized_shape), optional
    eps : float, optional
        Added to the mean square; default the dtype's machine epsilon.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.rms_norm(rbe.tensor([[3.0, 3.0]]), 2, eps=0.0)
    tensor([[1., 1.]])
    """
    if eps is None:
        eps = 2.0**-52 if input.dtype is float64 else 2.0**-23
    return _rbe.rms_norm(input, _sizes(normalized_shape), weight, eps)


def group_norm(
    input: RBETensor,
    num_groups: int,
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    eps: float = 1e-5,
) -> RBETensor:
    """Return x (N, C, …) with mean 0 and variance 1 over each of `num_groups` groups of channels (Wu, He 2018).

    Parameters
    ----------
    input : tensor (N, C, …)
    num_groups : int
        Divides C.
    weight, bias : tensor (C), optional

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.group_norm(rbe.zeros(2, 4, 3), 2).shape
    (2, 4, 3)
    """
    shape = input.shape
    if len(shape) < 2 or num_groups < 1 or shape[1] % num_groups:
        raise ShapeError("group_norm", f"x (N, C, …) with C a multiple of {num_groups}", str(tuple(shape)))
    width = shape[1] // num_groups * math.prod(shape[2:])
    out = _rbe.layer_norm(input.reshape(shape[0] * num_groups, width), [width], None, None, eps).reshape(*shape)
    along = (shape[1], *(1 for _ in shape[2:]))
    if weight is not None:
        out = out * weight.reshape(*along)
    return out if bias is None else out + bias.reshape(*along)


def batch_norm(
    input: RBETensor,
    running_mean: RBETensor | None,
    running_var: RBETensor | None,
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> RBETensor:
    """Return the channels of x (N, C, …) with mean 0 and variance 1, then scaled and shifted.

    Training uses the statistics of the batch and updates the running statistics; otherwise the running statistics are used.
    An empty batch changes nothing.

    Parameters
    ----------
    input : tensor (N, C, …)
    running_mean, running_var : tensor (C) or None
        Changed in place in training.
    weight, bias : tensor (C), optional
    momentum : float
        Share of the new statistics.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    TensorError
        For one value per channel or an eps that is not above 0 in training, or one of the running statistics alone.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.batch_norm(rbe.tensor([[3.0]]), rbe.tensor([1.0]), rbe.tensor([4.0]), eps=0.0)
    tensor([[1.]])
    """
    return _rbe.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: RBETensor,
    running_mean: RBETensor | None = None,
    running_var: RBETensor | None = None,
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> RBETensor:
    """Return the channels of every sample of x (N, C, …) with mean 0 and variance 1, then scaled and shifted.

    Parameters
    ----------
    input : tensor (N, C, …)
    running_mean, running_var : tensor (C) or None
        Changed in place, towards the mean over the samples, if the statistics of x are used; used themselves otherwise.
    weight, bias : tensor (C), optional
    use_input_stats : bool
        Whether the statistics are those of x.
    momentum : float
        Share of the new statistics.

    Raises
    ------
    ShapeError
        For an x without spatial axes, or with one element a channel where its statistics are used.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.instance_norm(rbe.tensor([[[1.0, 3.0]]]), eps=0.0).tolist()
    [[[-1.0, 1.0]]]
    """
    shape = input.shape
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if len(shape) < 3 or math.prod(shape[2:]) < 2:
        raise ShapeError("instance_norm", "x (N, C, …) with more than one element a channel", str(tuple(shape)))
    if running_mean is None or running_var is None:
        return group_norm(input, shape[1], weight, bias, eps)
    samples, channels = shape[:2]
    spread = [statistic.detach().repeat(samples) for statistic in (running_mean, running_var)]
    flat = input.reshape(1, samples * channels, *shape[2:])
    out = _rbe.batch_norm(flat, spread[0], spread[1], None, None, True, momentum, eps).reshape(*shape)
    for statistic, found in zip((running_mean, running_var), spread, strict=True):
        statistic.detach().copy_(found.reshape(samples, channels).mean(0))
    along = (channels, *(1 for _ in shape[2:]))
    if weight is not None:
        out = out * weight.reshape(*along)
    return out if bias is None else out + bias.reshape(*along)


def normalize(input: RBETensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> RBETensor:
    """Return x divided by its p-norm along an axis, or by eps where that is larger.

    The gradient at a row of zeros is 1 / eps, for every p: the norm is constant there.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.normalize(rbe.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    return input / input.norm(p, dim, True).clamp(min=eps)
