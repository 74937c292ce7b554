"""Channels as positions, and back, as functions with torch's signatures."""

from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def _axes(op: str, input: RBETensor, factor: int) -> tuple[int, int, int]:
    if factor < 1:
        raise TensorError(op, "a factor of at least 1", str(factor))
    if input.ndim < 3:
        raise ShapeError(op, "x (…, C, H, W)", str(tuple(input.shape)))
    channels, height, width = input.shape[-3:]
    return channels, height, width


def pixel_shuffle(input: RBETensor, upscale_factor: int) -> RBETensor:
    """Return x (…, C · r², H, W) as (…, C, H · r, W · r): each r² channels become a square of pixels (Shi et al. 2016).

    Raises
    ------
    ShapeError
        For a number of channels that r² does not divide.
    TensorError
        For a factor below 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.pixel_shuffle(rbe.arange(4.0).reshape(4, 1, 1), 2).tolist()
    [[[0.0, 1.0], [2.0, 3.0]]]
    """
    r = upscale_factor
    channels, height, width = _axes("pixel_shuffle", input, r)
    if channels % (r * r):
        raise ShapeError("pixel_shuffle", f"channels divisible by {r * r}", str(tuple(input.shape)))
    lead, n = input.shape[:-3], input.ndim - 3
    split = input.reshape(*lead, channels // (r * r), r, r, height, width)
    mixed = split.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return mixed.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: RBETensor, downscale_factor: int) -> RBETensor:
    """Return x (…, C, H · r, W · r) as (…, C · r², H, W): the inverse of `pixel_shuffle`.

    Raises
    ------
    ShapeError
        For a height or width that r does not divide.
    TensorError
        For a factor below 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.pixel_unshuffle(rbe.arange(4.0).reshape(1, 2, 2), 2).tolist()
    [[[0.0]], [[1.0]], [[2.0]], [[3.0]]]
    """
    r = downscale_factor
    channels, height, width = _axes("pixel_unshuffle", input, r)
    if height % r or width % r:
        raise ShapeError("pixel_unshuffle", f"height and width divisible by {r}", str(tuple(input.shape)))
    lead, n = input.shape[:-3], input.ndim - 3
    split = input.reshape(*lead, channels, height // r, r, width // r, r)
    mixed = split.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return mixed.reshape(*lead, channels * r * r, height // r, width // r)


def channel_shuffle(input: RBETensor, groups: int) -> RBETensor:
    """Return x (N, C, …) with the channels of its groups interleaved (Zhang et al. 2018).

    Raises
    ------
    ShapeError
        For a number of channels that `groups` does not divide, or fewer than three axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.channel_shuffle(rbe.arange(4.0).reshape(1, 4, 1), 2).tolist()
    [[[0.0], [2.0], [1.0], [3.0]]]
    """
    shape = input.shape
    if input.ndim < 3 or groups < 1 or shape[1] % groups:
        raise ShapeError("channel_shuffle", f"x (N, C, …) with C a multiple of {groups}", str(tuple(shape)))
    return input.reshape(shape[0], groups, shape[1] // groups, *shape[2:]).transpose(1, 2).reshape(*shape)
