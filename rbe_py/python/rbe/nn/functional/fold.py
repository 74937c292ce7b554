"""Windows as columns, and back, as functions with torch's signatures."""

import math
from collections.abc import Sequence

import numpy as np

from ... import _interchange, _rbe, creation
from ..._tensor import RBETensor
from ...errors import ShapeError
from .conv import Sizes, batched, edges, spread

__all__ = ["fold", "unfold"]


def unfold(input: RBETensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> RBETensor:
    """Return the windows of x as columns; the gradient adds them back where they came from.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W); (N, C, L) with a kernel_size of one number in a sequence
    kernel_size, dilation, padding, stride : int or (int, int)

    Returns
    -------
    tensor (N, C · kernel, windows)
        Or without N. Elements of a window in the order of x's axes, windows row by row.

    Raises
    ------
    ShapeError
        For other axes, or a window larger than the padded x.
    TensorError
        For a number outside its domain.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.unfold(rbe.arange(4.0).reshape(1, 1, 2, 2), (1, 2)).tolist()
    [[[0.0, 2.0], [1.0, 3.0]]]
    """
    axes = 2 if isinstance(kernel_size, int) or len(kernel_size) != 1 else 1
    kernel = spread("unfold", "kernel_size", kernel_size, axes)
    steps, gaps = spread("unfold", "stride", stride, axes), spread("unfold", "dilation", dilation, axes)
    around = edges("unfold", padding, kernel, steps, gaps)
    columns = _rbe.unfold(batched("unfold", input, axes), kernel, steps, around, gaps).transpose(1, 2)
    return columns if input.ndim == axes + 2 else columns.squeeze(0)


def _check(size: Sequence[int], kernel: Sequence[int], gaps: Sequence[int]) -> None:
    """Raise for windows larger than a padded plane (height, width)."""
    for n, k, d in zip(size, kernel, gaps, strict=True):
        if n < (k - 1) * d + 1:
            raise ShapeError("fold", f"an axis of at least {(k - 1) * d + 1} with its padding", str(n))


def _places(size: Sequence[int], kernel: Sequence[int], steps: Sequence[int], gaps: Sequence[int]) -> RBETensor:
    """Return where, in a padded plane (height, width), the elements (kernel) of every window (windows) lie."""
    along = []
    for n, k, s, d in zip(size, kernel, steps, gaps, strict=True):
        along.append(np.arange(k)[:, None] * d + np.arange(0, n - (k - 1) * d, s))
    rows, cols = along
    places = rows[:, None, :, None] * size[1] + cols[None, :, None, :]
    return _interchange.from_numpy(places.reshape(kernel[0] * kernel[1], -1).astype(np.int64))


def fold(
    input: RBETensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> RBETensor:
    """Return the planes whose every element is the sum of its copies in columns of windows: the transpose of `unfold`.

    Parameters
    ----------
    input : tensor (N, C · kernel, windows) or (C · kernel, windows)
    output_size : int or (int, int)
        Height and width of the result.
    kernel_size, dilation, padding, stride : int or (int, int)

    Returns
    -------
    tensor (N, C, height, width) or (C, height, width)

    Raises
    ------
    ShapeError
        For other axes, or numbers of rows or windows that do not fit the sizes.
    TensorError
        For a number outside its domain.
    OutOfMemoryError
        For planes that do not fit into memory.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.fold(rbe.ones(1, 2, 2), (2, 2), (1, 2), padding=(0, 0)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    size, kernel = spread("fold", "output_size", output_size, 2), spread("fold", "kernel_size", kernel_size, 2)
    steps, gaps = spread("fold", "stride", stride, 2), spread("fold", "dilation", dilation, 2)
    around = spread("fold", "padding", padding, 2, 0)
    padded = [n + 2 * p for n, p in zip(size, around, strict=True)]
    _check(padded, kernel, gaps)
    elements = kernel[0] * kernel[1]
    if input.ndim not in (2, 3) or input.shape[-2] % elements:
        raise ShapeError("fold", f"x (N, C · {elements}, windows) or (C · {elements}, windows)", str(tuple(input.shape)))
    lead = (*input.shape[:-2], input.shape[-2] // elements)
    planes = creation.zeros(math.prod(lead), padded[0] * padded[1], dtype=input.dtype)
    places = _places(padded, kernel, steps, gaps)
    if input.shape[-1] != places.shape[1]:
        raise ShapeError("fold", f"columns of {places.shape[1]} windows", str(tuple(input.shape)))
    columns = input.reshape(-1, places.numel())
    planes = planes.scatter_add(1, places.reshape(1, -1).expand(*columns.shape), columns).reshape(*lead, *padded)
    for axis, (n, p) in enumerate(zip(size, around, strict=True)):
        planes = planes.narrow(len(lead) + axis, p, n)
    return planes
