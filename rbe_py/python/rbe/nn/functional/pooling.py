"""Pooling as functions, with torch's signatures."""

from collections.abc import Sequence
from typing import Any

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .conv import Sizes, batched, spread

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


def _windows(
    op: str, axes: int, kernel_size: Sizes, stride: Sizes | None, padding: Sizes
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    kernel = spread(op, "kernel_size", kernel_size, axes)
    if isinstance(stride, Sequence) and not stride:
        stride = None  # torch takes () as no stride, too
    steps = kernel if stride is None else spread(op, "stride", stride, axes)
    return kernel, steps, [(n, n) for n in spread(op, "padding", padding, axes, 0)]


def max_pool(
    axes: int,
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    *,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    """Compute `max_pool1d` or `max_pool2d`, for one or two spatial axes."""
    op = f"max_pool{axes}d"
    batched(op, input, axes)
    kernel, steps, around = _windows(op, axes, kernel_size, stride, padding)
    gaps = spread(op, "dilation", dilation, axes)
    run: Any = _rbe.max_pool_with_indices if return_indices else _rbe.max_pool
    return run(input, kernel, steps, around, gaps, ceil_mode)


def max_pool1d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window of x (N, C, L) or (C, L): (…, C, windows).

    Parameters are those of `max_pool2d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.max_pool1d(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]]), 2).tolist()
    [[[3.0, 7.0]]]
    """
    window = (kernel_size, stride, padding)
    return max_pool(1, input, *window, dilation=dilation, ceil_mode=ceil_mode, return_indices=return_indices)


def max_pool2d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window; the gradient goes to the first of equal ones.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    kernel_size : int or (int, int)
    stride : int or (int, int), optional
        Default the kernel size.
    padding : int or (int, int)
        Places of -inf before and after each axis, at most half a window.
    dilation : int or (int, int)
    ceil_mode : bool
        Count a last window that reaches beyond the padding.
    return_indices : bool
        Return also the position of each element in its plane, int64.

    Returns
    -------
    tensor (…, C, windows down, windows across), or that and the positions

    Raises
    ------
    ShapeError
        For other axes, or a window larger than the padded x.
    TensorError
        For a number outside its domain.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.max_pool2d(rbe.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[5.0, 7.0], [13.0, 15.0]]]
    """
    window = (kernel_size, stride, padding)
    return max_pool(2, input, *window, dilation=dilation, ceil_mode=ceil_mode, return_indices=return_indices)


def avg_pool(
    axes: int,
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    *,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> RBETensor:
    """Compute `avg_pool1d` or `avg_pool2d`, for one or two spatial axes."""
    op = f"avg_pool{axes}d"
    batched(op, input, axes)
    kernel, steps, around = _windows(op, axes, kernel_size, stride, padding)
    return _rbe.avg_pool(input, kernel, steps, around, ceil_mode, count_include_pad, divisor_override)


def avg_pool1d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> RBETensor:
    """Return the mean of every window of x (N, C, L) or (C, L): (…, C, windows).

    Parameters are those of `avg_pool2d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.avg_pool1d(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]]), 2).tolist()
    [[[2.0, 6.0]]]
    """
    window = (kernel_size, stride, padding)
    return avg_pool(1, input, *window, ceil_mode=ceil_mode, count_include_pad=count_include_pad)


def avg_pool2d(
    input: RBETensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> RBETensor:
    """Return the mean of every window.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    kernel_size : int or (int, int)
    stride : int or (int, int), optional
        Default the kernel size.
    padding : int or (int, int)
        Zeros before and after each axis, at most half a window.
    ceil_mode : bool
        Count a last window that reaches beyond the padding.
    count_include_pad : bool
        Whether the zeros of the padding count.
    divisor_override : int, optional
        Divides every sum, whatever the number of elements.

    Returns
    -------
    tensor (…, C, windows down, windows across)

    Raises
    ------
    ShapeError
        For other axes, or a window larger than the padded x.
    TensorError
        For a number outside its domain.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.avg_pool2d(rbe.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[2.5, 4.5], [10.5, 12.5]]]
    """
    window, counted = (kernel_size, stride, padding), count_include_pad
    return avg_pool(2, input, *window, ceil_mode=ceil_mode, count_include_pad=counted, divisor_override=divisor_override)


def adaptive_avg_pool(axes: int, input: RBETensor, output_size: int | Sequence[int | None] | None) -> RBETensor:
    """Compute `adaptive_avg_pool1d` or `adaptive_avg_pool2d`, for one or two spatial axes."""
    op = f"adaptive_avg_pool{axes}d"
    batched(op, input, axes)
    parts = [output_size] * axes if output_size is None or isinstance(output_size, int) else list(output_size)
    if len(parts) != axes:
        raise ShapeError(op, f"output_size of {axes} numbers", str(output_size))
    if any(n is not None and n < 0 for n in parts):
        raise TensorError(op, "output_size of at least 0", str(output_size))
    return _rbe.adaptive_avg_pool(input, parts)


def adaptive_avg_pool1d(input: RBETensor, output_size: int | Sequence[int]) -> RBETensor:
    """Return the means of `output_size` even parts of x (N, C, L) or (C, L): (…, C, output_size).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.adaptive_avg_pool1d(rbe.tensor([[[1.0, 3.0, 5.0, 7.0]]]), 2).tolist()
    [[[2.0, 6.0]]]
    """
    return adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: RBETensor, output_size: int | Sequence[int | None] | None) -> RBETensor:
    """Return the means of even parts of each spatial axis.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    output_size : int or (int or None, int or None)
        Number of parts; None leaves an axis as it is. Part i of `n` elements reaches from `floor(i n / output_size)` to
        `ceil((i + 1) n / output_size)`.

    Returns
    -------
    tensor (…, C, *output_size)

    Raises
    ------
    ShapeError
        For other axes, or an empty one.
    TensorError
        For a negative number.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.adaptive_avg_pool2d(rbe.arange(16.0).reshape(1, 4, 4), 1).tolist()
    [[[7.5]]]
    """
    return adaptive_avg_pool(2, input, output_size)
