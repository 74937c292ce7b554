"""Convolution and pooling along three axes, made of those along two."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .conv import Sizes, batched, edges, spread
from .pad import pad

__all__ = ["adaptive_avg_pool3d", "avg_pool3d", "conv3d", "max_pool3d"]


def conv3d(
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> RBETensor:
    """Return the correlation of x (N, C, D, H, W) or (C, D, H, W) with filters (out, C / groups, kernel): (…, out, windows).

    The planes that a window covers become channels of one convolution along two axes, which reads kernel depth times as many
    elements as x has. Parameters and errors are those of `conv2d`, with three axes; filters are dense.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.conv3d(rbe.ones(1, 3, 8, 8, 8), rbe.ones(16, 3, 3, 3, 3), padding=1).shape
    (1, 16, 8, 8, 8)
    """
    op = "conv3d"
    if weight.ndim != 5:
        raise ShapeError(op, "filters (out, in / groups, kernel) of 5 axes", str(tuple(weight.shape)))
    if groups < 1:
        raise TensorError(op, "at least 1 group", str(groups))
    steps, gaps = spread(op, "stride", stride, 3), spread(op, "dilation", dilation, 3)
    around = edges(op, padding, weight.shape[2:], steps, gaps)
    x = batched(op, input, 3)
    if x.shape[1] != weight.shape[1] * groups:
        raise ShapeError(op, f"{weight.shape[1] * groups} channels", str(tuple(input.shape)))
    if around[0] != (0, 0):
        x = pad(x, [0, 0, 0, 0, *around[0]])
    n, c, depth, height, width = x.shape
    out, each, k = weight.shape[:3]
    reach = gaps[0] * (k - 1) + 1
    if depth < reach or k < 1:
        raise ShapeError(op, f"a depth of at least {reach} with its padding, and a kernel of at least 1", str(depth))
    places = np.arange(0, depth - reach + 1, steps[0])[:, None] + gaps[0] * np.arange(k)
    picked = x.index_select(2, _rbe._as_tensor(places.reshape(-1).astype(np.int64)))
    layers = picked.reshape(n, c, *places.shape, height, width).movedim(2, 1).reshape(n * len(places), c * k, height, width)
    filters = weight.reshape(out, each * k, *weight.shape[3:])
    found = _rbe.conv(layers, filters, bias, steps[1:], around[1:], gaps[1:], groups)
    found = found.reshape(n, len(places), *found.shape[1:]).movedim(1, 2)
    return found if input.ndim == 5 else found.squeeze(0)


def _windows(op: str, kernel_size: Sizes, stride: Sizes | None, padding: Sizes) -> tuple[list[int], list[int], list[Any]]:
    kernel = spread(op, "kernel_size", kernel_size, 3)
    if isinstance(stride, Sequence) and not stride:
        stride = None
    steps = kernel if stride is None else spread(op, "stride", stride, 3)
    return kernel, steps, [(p, p) for p in spread(op, "padding", padding, 3, 0)]


def _planes(op: str, input: RBETensor) -> RBETensor:
    """Return x as planes (N, C · D, H, W)."""
    x = batched(op, input, 3)
    return x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])


def _stacks(planes: RBETensor, input: RBETensor) -> RBETensor:
    """Return planes (N, C · D, H, W) as planes (N, C, D, H · W)."""
    c, depth = input.shape[-4:-2]
    return planes.reshape(planes.shape[0], c, depth, planes.shape[2] * planes.shape[3])


def _volume(stacks: RBETensor, planes: RBETensor, input: RBETensor) -> RBETensor:
    """Return planes (N, C, D, H · W) as volumes of the axes of x."""
    out = stacks.reshape(*stacks.shape[:3], *planes.shape[2:])
    return out if input.ndim == 5 else out.squeeze(0)


def max_pool3d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window of x (N, C, D, H, W) or (C, D, H, W): of planes, then along the depth.

    Parameters and errors are those of `max_pool2d`, with three axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.max_pool3d(rbe.arange(8.0).reshape(1, 2, 2, 2), 2).tolist()
    [[[[7.0]]]]
    """
    op = "max_pool3d"
    (k, *kernel), (s, *steps), (p, *around) = _windows(op, kernel_size, stride, padding)
    d, *gaps = spread(op, "dilation", dilation, 3)
    across = (kernel, steps, around, gaps, ceil_mode)
    along = ([k, 1], [s, 1], [p, (0, 0)], [d, 1], ceil_mode)
    if not return_indices:
        planes = _rbe.max_pool(_planes(op, input), *across)
        return _volume(_rbe.max_pool(_stacks(planes, input), *along), planes, input)
    planes, places = _rbe.max_pool_with_indices(_planes(op, input), *across)
    found, rows = _rbe.max_pool_with_indices(_stacks(planes, input), *along)
    depths = rows.div(max(planes.shape[2] * planes.shape[3], 1), rounding_mode="floor")
    within = _stacks(places, input).gather(2, depths)
    indices = depths * (input.shape[-2] * input.shape[-1]) + within
    return _volume(found, planes, input), _volume(indices, planes, input)


def avg_pool3d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> RBETensor:
    """Return the mean of every window of x (N, C, D, H, W) or (C, D, H, W): of planes, then along the depth.

    Parameters and errors are those of `avg_pool2d`, with three axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.avg_pool3d(rbe.arange(8.0).reshape(1, 2, 2, 2), 2).tolist()
    [[[[3.5]]]]
    """
    op = "avg_pool3d"
    (k, *kernel), (s, *steps), (p, *around) = _windows(op, kernel_size, stride, padding)
    first = None if divisor_override is None else 1
    planes = _rbe.avg_pool(_planes(op, input), kernel, steps, around, ceil_mode, count_include_pad, first)
    along = ([k, 1], [s, 1], [p, (0, 0)], ceil_mode, count_include_pad, divisor_override)
    return _volume(_rbe.avg_pool(_stacks(planes, input), *along), planes, input)


def adaptive_avg_pool3d(input: RBETensor, output_size: int | Sequence[int | None] | None) -> RBETensor:
    """Return the means of even parts of the three spatial axes of x (N, C, D, H, W) or (C, D, H, W).

    Parameters and errors are those of `adaptive_avg_pool2d`, with three axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.adaptive_avg_pool3d(rbe.arange(8.0).reshape(1, 2, 2, 2), 1).tolist()
    [[[[3.5]]]]
    """
    op = "adaptive_avg_pool3d"
    parts = [output_size] * 3 if output_size is None or isinstance(output_size, int) else list(output_size)
    if len(parts) != 3:
        raise ShapeError(op, "output_size of 3 numbers", str(output_size))
    if any(part is not None and part < 0 for part in parts):
        raise TensorError(op, "output_size of at least 0", str(output_size))
    planes = _rbe.adaptive_avg_pool(_planes(op, input), parts[1:])
    return _volume(_rbe.adaptive_avg_pool(_stacks(planes, input), [parts[0], None]), planes, input)
