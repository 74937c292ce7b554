"""Transposed convolution as functions, with torch's signatures."""

from collections.abc import Sequence

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .conv import Sizes, batched, spread
from .pad import pad

__all__ = ["conv_transpose1d", "conv_transpose2d"]


def _conv_transpose(
    axes: int,
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None,
    *,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> RBETensor:
    op = f"conv_transpose{axes}d"
    if weight.ndim != axes + 2:
        raise ShapeError(op, f"filters (channels, out / groups, kernel) of {axes + 2} axes", str(tuple(weight.shape)))
    if groups < 1:
        raise TensorError(op, "at least 1 group", str(groups))
    steps, gaps = spread(op, "stride", stride, axes), spread(op, "dilation", dilation, axes)
    around, more = spread(op, "padding", padding, axes, 0), spread(op, "output_padding", output_padding, axes, 0)
    for m, s, d in zip(more, steps, gaps, strict=True):
        if m >= max(s, d):
            raise TensorError(op, "output_padding below stride or dilation", f"{more}, stride {steps}, dilation {gaps}")
    x = batched(op, input, axes)
    beyond = [m // s for m, s in zip(more, steps, strict=True)]
    if any(beyond):  # windows at elements of 0 add nothing, but their strides make the result longer
        x = pad(x, [n for m in reversed(beyond) for n in (0, m)])
        more = [m % s for m, s in zip(more, steps, strict=True)]
    out = _rbe.conv_transpose(x, weight, bias, steps, [(p, p) for p in around], more, gaps, groups)
    return out if input.ndim == axes + 2 else out.squeeze(0)


def conv_transpose1d(
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> RBETensor:
    """Return the transpose of `conv1d`: x (N, C, L) or (C, L) and filters (C, out / groups, kernel) to (…, out, length).

    Parameters and errors are those of `conv_transpose2d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.conv_transpose1d(rbe.tensor([[[1.0, 2.0]]]), rbe.tensor([[[1.0, 10.0]]]), stride=2).tolist()
    [[[1.0, 10.0, 2.0, 20.0]]]
    """
    sizes = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    return _conv_transpose(1, input, weight, bias, groups=groups, **sizes)


def conv_transpose2d(
    input: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> RBETensor:
    """Return the transpose of `conv2d`: every element of x adds the filters, times its value, to a larger plane.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (C, H, W)
    weight : tensor (C, out / groups, kernel height, kernel width)
        Dense or packed; products with packed filters are in float32.
    bias : tensor (out), optional
    stride, dilation : int or (int, int)
        Of the convolution that this is the transpose of.
    padding : int or (int, int)
        Elements taken away at each side of the result.
    output_padding : int or (int, int)
        Rows and columns that the result has in addition, below the stride or the dilation.
    groups : int
        Group g of the outputs sees group g of the channels only.

    Returns
    -------
    tensor (N, out, height, width) or without N
        Of `(H - 1) · stride - 2 · padding + dilation · (kernel height - 1) + output_padding + 1` rows, and columns likewise.

    Raises
    ------
    ShapeError
        If shapes and groups do not fit, or nothing is left of the result.
    TensorError
        For a number outside its domain.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.conv_transpose2d(rbe.ones(1, 16, 4, 4), rbe.ones(16, 3, 4, 4), stride=2, padding=1).shape
    (1, 3, 8, 8)
    """
    sizes = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    return _conv_transpose(2, input, weight, bias, groups=groups, **sizes)


def added(
    op: str,
    output_size: Sequence[int] | None,
    given: Sequence[int],
    input: Sequence[int],
    *,
    windows: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]],
) -> list[int]:
    """Return the output_padding with which the spatial axes have the lengths `output_size`, by default the one given.

    Parameters
    ----------
    op : str
        Named by errors.
    output_size : sequence of int, optional
        The spatial axes, or all axes.
    given : sequence of int
    input : sequence of int
        Spatial axes of the input.
    windows : tuple
        Kernel, stride, padding and dilation.

    Raises
    ------
    ShapeError
        For lengths that no output_padding leads to.
    """
    if output_size is None:
        return list(given)
    wanted = [int(n) for n in output_size][-len(given) :]
    least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in zip(input, *windows, strict=True)]
    more = [w - m for w, m in zip(wanted, least, strict=False)]
    if len(wanted) != len(given) or not all(0 <= m < max(s, d) for m, s, d in zip(more, windows[1], windows[3], strict=True)):
        most = [m + max(s, d) - 1 for m, s, d in zip(least, windows[1], windows[3], strict=True)]
        raise ShapeError(op, f"an output_size from {least} to {most}", str(list(output_size)))
    return more
