"""Convolution as functions, with torch's signatures."""

from collections.abc import Sequence

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError

__all__ = ["conv1d", "conv2d"]

Sizes = int | Sequence[int]


def spread(op: str, name: str, value: Sizes, axes: int, least: int = 1) -> list[int]:
    """Return one number for each spatial axis, all at least `least`; a single one goes for all.

    Raises
    ------
    ShapeError
        For another number of numbers.
    TensorError
        For a number below `least`.
    """
    numbers = [value] * axes if isinstance(value, int) else [int(v) for v in value]
    if len(numbers) == 1:
        numbers *= axes
    if len(numbers) != axes:
        raise ShapeError(op, f"{name} of 1 or {axes} numbers", str(value))
    if min(numbers) < least:
        raise TensorError(op, f"{name} of at least {least}", str(value))
    return numbers


def batched(op: str, input: RBETensor, axes: int) -> RBETensor:
    """Return x (N, C, spatial axes), for x with or without the first axis."""
    if input.ndim == axes + 2:
        return input
    if input.ndim != axes + 1:
        raise ShapeError(
            op, f"x (N, C, …) or (C, …) with {axes} spatial ax{'es' if axes > 1 else 'is'}", str(tuple(input.shape))
        )
    return input.unsqueeze(0)


def edges(
    op: str, padding: Sizes | str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the zeros before and after each spatial axis; 'same' keeps the lengths, with the odd one after.

    Raises
    ------
    TensorError
        For another word, a negative number, or 'same' with a stride.
    """
    if not isinstance(padding, str):
        return [(n, n) for n in spread(op, "padding", padding, len(kernel), 0)]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same" or any(s != 1 for s in stride):
        raise TensorError(op, "padding of numbers, 'valid', or 'same' with stride 1", f"{padding!r} with stride {list(stride)}")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(n // 2, n - n // 2) for n in totals]


def _conv(
    axes: int,
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None,
    *,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> RBETensor:
    op = f"conv{axes}d"
    if weight.ndim != axes + 2:
        raise ShapeError(op, f"filters (out, in / groups, kernel) of {axes + 2} axes", str(tuple(weight.shape)))
    if groups < 1:
        raise TensorError(op, "at least 1 group", str(groups))
    steps, gaps = spread(op, "stride", stride, axes), spread(op, "dilation", dilation, axes)
    around = edges(op, padding, weight.shape[2:], steps, gaps)
    out = _rbe.conv(batched(op, input, axes), weight, bias, steps, around, gaps, groups)
    return out if input.ndim == axes + 2 else out.squeeze(0)


def conv1d(
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> RBETensor:
    """Return the correlation of x (N, C, L) or (C, L) with filters (out, C / groups, kernel): (…, out, windows).

    Parameters and errors are those of `conv2d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.conv1d(rbe.tensor([[[1.0, 2.0, 4.0]]]), rbe.tensor([[[-1.0, 1.0]]])).tolist()
    [[[1.0, 2.0]]]
    """
    return _conv(1, input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv2d(
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> RBETensor:
    """Return the correlation of x with filters, dense or packed, along two axes.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    weight : tensor (out, C / groups, kernel height, kernel width)
        Dense or packed.
    bias : tensor (out), optional
    stride, dilation : int or (int, int)
    padding : int, (int, int), 'same' or 'valid'
        Zeros before and after each axis.
    groups : int
        Group g of the outputs sees group g of the channels only.

    Returns
    -------
    tensor (N, out, windows down, windows across) or without N

    Raises
    ------
    ShapeError
        If shapes, groups and windows do not fit.
    TensorError
        For a stride, padding, dilation or number of groups outside its domain.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.conv2d(rbe.ones(1, 3, 8, 8), rbe.ones(16, 3, 3, 3), padding=1).shape
    (1, 16, 8, 8)
    """
    return _conv(2, input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
