"""Values of images at given places, and the places that affine maps give."""

import itertools
import math
from collections.abc import Sequence

from ... import _rbe
from ..._tensor import RBETensor
from ...dtypes import int64
from ...errors import DTypeError, ShapeError, TensorError

__all__ = ["affine_grid", "grid_sample"]

_CUBIC = -0.75  # the slope parameter of bicubic weights, as in torch


def grid_sample(
    input: RBETensor,
    grid: RBETensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> RBETensor:
    """Return the values of x at the places that a grid names, between -1 and 1 along each axis.

    Parameters
    ----------
    input : tensor (N, C, H, W) or (N, C, D, H, W)
    grid : tensor (N, *places, 2 or 3)
        In the order width, height, depth.
    mode : {"bilinear", "nearest", "bicubic"}
        "bilinear" is trilinear in three axes, "bicubic" is for two.
    padding_mode : {"zeros", "border", "reflection"}
        Values beyond the edges: 0, those at the edge, or those of the image reflected there.
    align_corners : bool, optional
        Whether -1 and 1 are the middles of the outermost elements instead of their edges; default False.

    Returns
    -------
    tensor (N, C, *places)

    Raises
    ------
    ShapeError, DTypeError, TensorError

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([[[[1.0, 3.0]]]])
    >>> rbe.nn.functional.grid_sample(x, rbe.zeros(1, 1, 1, 2)).tolist()
    [[[[2.0]]]]
    """
    op, axes = "grid_sample", input.ndim - 2
    if axes not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != axes or grid.shape[0] != input.shape[0]:
        expected = "x (N, C, H, W) and a grid (N, …, 2), or x (N, C, D, H, W) and a grid (N, …, 3)"
        raise ShapeError(op, expected, f"{tuple(input.shape)} and {tuple(grid.shape)}")
    if min(input.shape[2:]) < 1:
        raise ShapeError(op, "at least one element along each axis", str(tuple(input.shape)))
    if not input.dtype.is_floating_point or grid.dtype is not input.dtype:
        raise DTypeError(op, "floats of one dtype", f"{input.dtype.name} and {grid.dtype.name}")
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and axes == 3):
        raise TensorError(op, "mode 'bilinear' or 'nearest', or with two axes 'bicubic'", repr(mode))
    if padding_mode not in ("zeros", "border", "reflection"):
        raise TensorError(op, "padding_mode 'zeros', 'border' or 'reflection'", repr(padding_mode))
    image = _Image(input, padding_mode, bool(align_corners))
    places = grid.shape[1:-1]
    points = grid.reshape(grid.shape[0], math.prod(places), axes)
    along = [image.placed(points[..., axes - 1 - i], i) for i in range(axes)]
    if mode == "nearest":
        found = image.at([image.inside(x, i).round() for i, x in enumerate(along)])
    else:
        found = image.mixed([_cubic(x) for x in along] if mode == "bicubic" else _linear(image, along))
    return found.reshape(*input.shape[:2], *places)


class _Image:
    """x with its elements in one row, and how places beyond its edges are read."""

    def __init__(self, x: RBETensor, padding_mode: str, align: bool) -> None:
        self.sizes, self.align, self.mode = list(x.shape[2:]), align, padding_mode
        self.row = x.reshape(*x.shape[:2], math.prod(self.sizes))

    def placed(self, g: RBETensor, axis: int) -> RBETensor:
        """Return positions counted in elements, from those between -1 and 1."""
        n = self.sizes[axis]
        return (g + 1) * ((n - 1) / 2) if self.align else ((g + 1) * n - 1) * 0.5

    def inside(self, x: RBETensor, axis: int) -> RBETensor:
        """Return positions within the image; those outside stay where they are for zeros."""
        n = self.sizes[axis]
        if self.mode == "zeros":
            return x
        if self.mode == "reflection":
            low, span = (0.0, n - 1.0) if self.align else (-0.5, float(n))
            if span == 0:
                return x * 0.0
            x = (x - low).abs()
            turns = (x.detach() / span).floor()
            rest = x - turns * span
            x = _rbe.where(turns % 2 == 0, rest, span - rest) + low
        return x.clamp(0.0, n - 1.0)

    def at(self, places: Sequence[RBETensor]) -> RBETensor:
        """Return the elements (N, C, points) at positions without a fraction: 0 outside."""
        index, valid = None, None
        for x, n in zip(places, self.sizes, strict=True):
            x = x.detach()
            within = (x >= 0) & (x <= n - 1)
            valid = within if valid is None else valid & within
            whole = x.clamp(0, n - 1).to(int64)
            index = whole if index is None else index * n + whole
        assert index is not None
        assert valid is not None
        shape = [*self.row.shape[:2], index.shape[-1]]
        found = self.row.gather(2, index.unsqueeze(1).broadcast_to(shape))
        return found.masked_fill(~valid.unsqueeze(1), 0.0)

    def mixed(self, taps: Sequence[Sequence[tuple[RBETensor, RBETensor]]]) -> RBETensor:
        """Return sums of elements with weights: for each axis positions and their weights."""
        total = None
        for chosen in itertools.product(*taps):
            weight = chosen[0][1]
            for _, other in chosen[1:]:
                weight = weight * other
            part = self.at([self.inside(x, i) for i, (x, _) in enumerate(chosen)]) * weight.unsqueeze(1)
            total = part if total is None else total + part
        assert total is not None
        return total


def _linear(image: _Image, along: Sequence[RBETensor]) -> list[list[tuple[RBETensor, RBETensor]]]:
    """Return the two neighbours of each position along each axis, with their weights."""
    taps = []
    for axis, x in enumerate(along):
        x = image.inside(x, axis)
        low = x.detach().floor()
        share = x - low
        taps.append([(low, 1 - share), (low + 1, share)])
    return taps


def _cubic(x: RBETensor) -> list[tuple[RBETensor, RBETensor]]:
    """Return the four neighbours of each position, with the weights of cubic convolution (Keys, 1981)."""
    low = x.detach().floor()
    t = x - low

    def near(d: RBETensor) -> RBETensor:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: RBETensor) -> RBETensor:
        return ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC

    return [(low - 1, far(t + 1)), (low, near(t)), (low + 1, near(1 - t)), (low + 2, far(2 - t))]


def affine_grid(theta: RBETensor, size: Sequence[int], align_corners: bool | None = None) -> RBETensor:
    """Return the grid for `grid_sample` that affine maps make of the places of an image.

    Parameters
    ----------
    theta : tensor (N, 2, 3) or (N, 3, 4)
        Each maps a place of the result (width, height, depth, 1) to one of the image.
    size : sequence of int
        (N, C, H, W) or (N, C, D, H, W) of the result.
    align_corners : bool, optional
        As in `grid_sample`.

    Returns
    -------
    tensor (N, H, W, 2) or (N, D, H, W, 3)

    Raises
    ------
    ShapeError, DTypeError

    Examples
    --------
    >>> import rbe
    >>> theta = rbe.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> rbe.nn.functional.affine_grid(theta, (1, 1, 1, 2)).tolist()
    [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    op, axes = "affine_grid", len(size) - 2
    if axes not in (2, 3) or tuple(theta.shape) != (size[0], axes, axes + 1):
        expected = "theta (N, 2, 3) with a size (N, C, H, W), or (N, 3, 4) with (N, C, D, H, W)"
        raise ShapeError(op, expected, f"{tuple(theta.shape)} and {tuple(size)}")
    if min(size[1:]) < 1:
        raise ShapeError(op, "lengths of at least 1", str(tuple(size)))
    if not theta.dtype.is_floating_point:
        raise DTypeError(op, "a theta of floats", theta.dtype.name)
    spatial = [int(n) for n in size[2:]]
    columns = []
    for axis in reversed(range(axes)):
        n = spatial[axis]
        steps = _rbe._arange_integers(0, n, 1, int64).to(theta.dtype)
        at = (steps * 2 - (n - 1)) / (max(n - 1, 1) if align_corners else n)
        shaped = at.reshape([-1 if i == axis else 1 for i in range(axes)]).broadcast_to(spatial)
        columns.append(shaped.reshape(-1, 1))
    columns.append(_rbe.full([math.prod(spatial), 1], 1.0, theta.dtype, op))
    return (_rbe.concat(columns, 1) @ theta.mT).reshape(size[0], *spatial, axes)
