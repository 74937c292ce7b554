"""Integrals and derivatives of functions that are known at some places, and distances of points."""

from collections.abc import Sequence
from typing import Any

from . import _rbe
from ._axes import axis_of
from ._tensor import RBETensor
from .errors import DTypeError, ShapeError, TensorError


def _panels(op: str, y: RBETensor, x: RBETensor | None, dx: float, dim: int) -> tuple[RBETensor, int]:
    """Return the areas between neighbours along an axis, and its place.

    Raises
    ------
    ShapeError
    """
    axis = axis_of(op, dim, y.ndim)
    n = y.shape[axis]
    y = y if y.dtype.is_floating_point else y * 1.0
    means = (y.narrow(axis, 1, max(n - 1, 0)) + y.narrow(axis, 0, max(n - 1, 0))) * 0.5 if n else y
    if x is None:
        return means * dx, axis
    if x.ndim == 1:
        x = x.reshape([-1 if i == axis else 1 for i in range(y.ndim)])
    if x.ndim != y.ndim or x.shape[axis] != n:
        raise ShapeError(op, f"places x for the {n} values along axis {axis}", str(tuple(x.shape)))
    return means * (x.narrow(axis, 1, max(n - 1, 0)) - x.narrow(axis, 0, max(n - 1, 0))), axis


def trapezoid(y: RBETensor, x: RBETensor | None = None, *, dx: float = 1.0, dim: int = -1) -> RBETensor:
    """Return the integral along an axis by the trapezoidal rule.

    Parameters
    ----------
    y : tensor
    x : tensor, optional
        Places of the values: a vector, or a tensor that broadcasts to y.
    dx : float
        Their distance, without x.
    dim : int

    Raises
    ------
    ShapeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.trapezoid(rbe.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    areas, axis = _panels("trapezoid", y, x, dx, dim)
    return areas.sum(axis)


def cumulative_trapezoid(y: RBETensor, x: RBETensor | None = None, *, dx: float = 1.0, dim: int = -1) -> RBETensor:
    """Return the integrals from the first place to each later one along an axis; parameters are those of `trapezoid`.

    Examples
    --------
    >>> import rbe
    >>> rbe.cumulative_trapezoid(rbe.tensor([1.0, 2.0, 3.0]))
    tensor([1.5, 4. ])
    """
    areas, axis = _panels("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(axis)


def gradient(
    input: RBETensor, *, spacing: Any = 1, dim: int | Sequence[int] | None = None, edge_order: int = 1
) -> list[RBETensor]:
    """Return the derivatives along axes: central differences, of second order within for any distances.

    Parameters
    ----------
    input : tensor
        At least `edge_order + 1` values along each axis.
    spacing : float, sequence of floats, or of vectors
        The distance along all axes or each; vectors hold the places.
    dim : int or sequence of int, optional
        By default all axes.
    edge_order : {1, 2}
        Order of the differences at both ends.

    Raises
    ------
    ShapeError, TensorError, DTypeError, OutOfRangeError

    Examples
    --------
    >>> import rbe
    >>> rbe.gradient(rbe.tensor([1.0, 4.0, 9.0]))
    [tensor([3., 4., 5.])]
    """
    op = "gradient"
    axes = [axis_of(op, d, input.ndim) for d in (range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim)]
    if edge_order not in (1, 2):
        raise TensorError(op, "edge_order 1 or 2", str(edge_order))
    spacing = 1 if spacing is None else spacing
    listed = list(spacing) if isinstance(spacing, Sequence) else [spacing] * len(axes)
    if len(listed) != len(axes):
        raise ShapeError(op, f"spacing of one number or {len(axes)}", str(len(listed)))
    x = input if input.dtype.is_floating_point else input * 1.0
    return [_slope(op, x, axis, step, edge_order) for axis, step in zip(axes, listed, strict=True)]


def _slope(op: str, y: RBETensor, axis: int, step: Any, order: int) -> RBETensor:
    n = y.shape[axis]
    if n < order + 1:
        raise ShapeError(op, f"at least {order + 1} values along axis {axis}", str(n))
    if isinstance(step, RBETensor) and step.ndim == 1:
        if step.shape[0] != n:
            raise ShapeError(op, f"{n} places along axis {axis}", str(step.shape[0]))
        gaps = (step[1:] - step[:-1]).reshape([-1 if i == axis else 1 for i in range(y.ndim)])
    else:
        if not isinstance(step, int | float):
            raise DTypeError(op, "numbers or vectors as spacing", str(step))
        gaps = _rbe.full([n - 1 if i == axis else 1 for i in range(y.ndim)], float(step), y.dtype, op)

    def at(x: RBETensor, start: int, length: int = 1) -> RBETensor:
        return x.narrow(axis, start % x.shape[axis], length)

    first, last = at(gaps, 0), at(gaps, -1)
    if order == 1:
        left, right = (at(y, 1) - at(y, 0)) / first, (at(y, -1) - at(y, -2)) / last
    else:
        left = _curved(first, at(gaps, 1), at(y, 0), at(y, 1), at(y, 2))
        right = -_curved(last, at(gaps, -2), at(y, -1), at(y, -2), at(y, -3))
    if n == 2:
        return _rbe.concat([left, right], axis)
    a, b = at(gaps, 0, n - 2), at(gaps, 1, n - 2)
    below, middle, above = at(y, 0, n - 2), at(y, 1, n - 2), at(y, 2, n - 2)
    inner = (a / b * (above - middle) + b / a * (middle - below)) / (a + b)
    return _rbe.concat([left, inner, right], axis)


def _curved(a: RBETensor, b: RBETensor, end: RBETensor, next_one: RBETensor, third: RBETensor) -> RBETensor:
    """Return the derivative at an end by the parabola through three values, at distances a and b."""
    return -(2 * a + b) / (a * (a + b)) * end + (a + b) / (a * b) * next_one - a / (b * (a + b)) * third


def cdist(x1: RBETensor, x2: RBETensor, p: float = 2.0, compute_mode: str | None = None) -> RBETensor:
    """Return the p-norm distances of every row of one tensor to every row of another.

    Parameters
    ----------
    x1, x2 : tensors (…, n, k) and (…, m, k)
        Batches broadcast.
    p : float
        At least 0; inf is the largest difference.
    compute_mode : str, optional
        Accepted, as in torch: distances are always computed from the differences.

    Returns
    -------
    tensor (…, n, m)

    Raises
    ------
    ShapeError, TensorError

    Examples
    --------
    >>> import rbe
    >>> rbe.cdist(rbe.tensor([[0.0, 0.0]]), rbe.tensor([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[5.0, 1.0]]
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError("cdist", "rows of one length, (…, n, k) and (…, m, k)", f"{tuple(x1.shape)} and {tuple(x2.shape)}")
    if not p >= 0:
        raise TensorError("cdist", "p of at least 0", str(p))
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)
