"""Planes of another size as a function, with torch's signature: nearest elements, or sums of a few with weights."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ... import _interchange, _sizes
from ..._tensor import RBETensor
from ...dtypes import float64
from ...errors import DTypeError, ShapeError, TensorError
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d

__all__ = ["interpolate"]

AXES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,),
        "area": (1, 2)}  # fmt: skip
ALIGNED = ("linear", "bilinear", "bicubic", "trilinear")
Floats = npt.NDArray[np.float64]


def interpolate(
    input: RBETensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> RBETensor:
    """Return x with spatial axes of other lengths.

    Parameters
    ----------
    input : tensor (N, C, one to three spatial axes)
    size : int or sequence of int, optional
        Lengths of the result.
    scale_factor : float or sequence of float, optional
        Factors of the lengths, rounded down, in place of `size`.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"}
        Elements of x, or sums of neighbours with weights, or means of parts. "nearest" takes the element before the position,
        "nearest-exact" the one around it.
    align_corners : bool, optional
        Whether the middles of the outermost elements coincide, instead of their edges; of the linear and cubic modes.
    recompute_scale_factor : bool, optional
        Whether positions follow from the lengths instead of from `scale_factor`.
    antialias : bool
        Whether the weights are widened where the result is smaller; of "bilinear" and "bicubic".

    Returns
    -------
    tensor (N, C, *size)

    Raises
    ------
    ShapeError
        For an x without spatial axes, another number of lengths, or an empty result.
    TensorError
        For an unknown mode or one for another number of axes, both or none of size and scale_factor, or options of other modes.
    DTypeError
        For integers in a mode with weights.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([[[1.0, 3.0]]])
    >>> rbe.nn.functional.interpolate(x, scale_factor=2).tolist()
    [[[1.0, 1.0, 3.0, 3.0]]]
    >>> rbe.nn.functional.interpolate(x, 4, mode="linear", align_corners=False).tolist()
    [[[1.0, 1.5, 2.5, 3.0]]]
    """
    op, axes = "interpolate", input.ndim - 2
    if mode not in AXES:
        raise TensorError(op, "mode " + ", ".join(map(repr, AXES)), repr(mode))
    if axes not in AXES[mode]:
        wanted = " or ".join(map(str, AXES[mode]))
        raise ShapeError(op, f"x (N, C, …) with {wanted} spatial axes in mode {mode!r}", str(tuple(input.shape)))
    if align_corners is not None and mode not in ALIGNED:
        raise TensorError(op, f"no align_corners in mode {mode!r}", str(align_corners))
    if antialias and mode not in ("bilinear", "bicubic"):
        raise TensorError(op, "antialias in mode 'bilinear' or 'bicubic'", repr(mode))
    if not input.dtype.is_floating_point and not mode.startswith("nearest"):
        raise DTypeError(op, f"floats in mode {mode!r}", str(input.dtype))
    lengths, factors = _lengths(input.shape[2:], size, scale_factor)
    if recompute_scale_factor:
        if size is not None:
            raise TensorError(op, "recompute_scale_factor with scale_factor", f"size {size}")
        factors = [None] * axes
    if min(lengths) < 1 or min(input.shape[2:]) < 1:
        raise ShapeError(op, "at least one element along each axis", f"{list(input.shape[2:])} to {lengths}")
    _sizes.check_memory(op, [*input.shape[:2], *lengths], input.dtype)
    if mode == "area":
        return adaptive_avg_pool1d(input, lengths) if axes == 1 else adaptive_avg_pool2d(input, lengths)
    out = input
    for axis, (length, factor) in enumerate(zip(lengths, factors, strict=True), 2):
        plan = Resampling(input.shape[axis], length, factor, bool(align_corners), double=input.dtype in (float64,))
        if mode.startswith("nearest"):
            out = _picked(out, axis, plan.nearest(exact=mode == "nearest-exact"))
        else:
            places, weights = plan.widened("cubic" in mode) if antialias else plan.cubic() if "cubic" in mode else plan.linear()
            out = _mixed(out, axis, places, weights)
    return out.clone() if out is input else out


def _lengths(
    shape: Sequence[int], size: int | Sequence[int] | None, scale_factor: float | Sequence[float] | None
) -> tuple[list[int], list[float | None]]:
    """Return the lengths of the result, and the factors they came from."""
    op, axes = "interpolate", len(shape)
    if (size is None) == (scale_factor is None):
        raise TensorError(op, "either size or scale_factor", f"{size} and {scale_factor}")
    given = size if scale_factor is None else scale_factor
    listed = list(given) if isinstance(given, Sequence) else [given] * axes
    if len(listed) != axes:
        raise ShapeError(op, f"one number or {axes}", str(given))
    if scale_factor is None:
        return [int(n) for n in listed], [None] * axes  # type: ignore[arg-type]
    factors = [float(f) for f in listed]  # type: ignore[arg-type]
    if not all(math.isfinite(f) and f > 0 for f in factors):
        raise TensorError(op, "a scale_factor above 0", str(scale_factor))
    return [math.floor(n * f) for n, f in zip(shape, factors, strict=True)], [*factors]


class Resampling:
    """Which elements of an axis of `before` make up those of an axis of `after`, with which weights.

    Positions are computed in the precision of x, as in torch, where roundings decide which element is the nearest one.
    """

    def __init__(self, before: int, after: int, factor: float | None, aligned: bool, *, double: bool) -> None:
        self.before, self.after, self.aligned = before, after, aligned
        self.number = np.float64 if double else np.float32
        if aligned:
            self.scale = self.number(before - 1) / self.number(after - 1) if after > 1 else self.number(0)
        else:
            self.scale = self.number(1.0 / factor) if factor is not None else self.number(before) / self.number(after)

    def nearest(self, exact: bool) -> npt.NDArray[np.int64]:
        """Return the element (after) nearest to each position."""
        at = self._positions() + 0.5 if exact else np.arange(self.after, dtype=self.number) * self.scale
        places: npt.NDArray[np.int64] = np.minimum(np.floor(at.astype(np.float32)).astype(np.int64), self.before - 1)
        return places

    def _positions(self) -> npt.NDArray[np.floating]:
        # Product and difference are rounded once, as by a fused multiply-add.
        wide = np.float64 if self.number is np.float32 else np.longdouble
        scale, steps = wide(self.scale), np.arange(self.after, dtype=wide)
        positions: npt.NDArray[np.floating] = scale * steps if self.aligned else scale * (steps + 0.5) - 0.5
        return positions.astype(self.number)

    def linear(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return two elements (2, after) for each position, and their weights."""
        at = np.maximum(self._positions(), 0)
        first = np.minimum(at.astype(np.int64), self.before - 1)
        share = np.clip(at - first, 0, 1).astype(np.float64)
        return np.stack([first, np.minimum(first + 1, self.before - 1)]), np.stack([1 - share, share])

    def cubic(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return four elements (4, after) for each position, and their weights."""
        at = self._positions()
        first = np.floor(at).astype(np.int64)
        share = np.clip(at - first, 0, 1).astype(np.float64)
        around = np.arange(-1, 3)[:, None]
        return np.clip(first + around, 0, self.before - 1), _cubic(np.abs(share - around), -0.75)

    def widened(self, cubic: bool) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the elements (most, after) that a filter as wide as the step between positions covers, and their weights."""
        step = max(float(self.scale), 1.0)
        reach = (2.0 if cubic else 1.0) * step
        middles = float(self.scale) * (np.arange(self.after) + 0.5)
        first = np.maximum((middles - reach + 0.5).astype(np.int64), 0)
        last = np.minimum((middles + reach + 0.5).astype(np.int64), self.before)
        places = first + np.arange(int((last - first).max()))[:, None]
        distance = np.abs(places - middles + 0.5) / step
        weights = _cubic(distance, -0.5) if cubic else np.maximum(1 - distance, 0)
        weights = np.where(places < last, weights, 0.0)
        return np.minimum(places, self.before - 1), weights / weights.sum(0)


def _cubic(distance: Floats, a: float) -> Floats:
    """Return Keys' cubic kernel, which is 0 from a distance of 2 on."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _picked(x: RBETensor, axis: int, places: npt.NDArray[np.int64]) -> RBETensor:
    same = len(places) == x.shape[axis] and bool((places == np.arange(len(places))).all())
    return x if same else x.index_select(axis, _interchange.from_numpy(places.copy()))


def _mixed(x: RBETensor, axis: int, places: npt.NDArray[np.int64], weights: Floats) -> RBETensor:
    """Return the sums of elements along an axis, `places` (terms, length) with weights of the same shape."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    out: RBETensor | None = None
    for place, weight in zip(places, weights, strict=True):
        if weight.any():
            term = _picked(x, axis, place) * _interchange.from_numpy(weight).to(x.dtype).reshape(shape)
            out = term if out is None else out + term
    assert out is not None  # the weights of a position sum to 1
    return out
