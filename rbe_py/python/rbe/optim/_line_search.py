"""A line search for the strong Wolfe conditions (Nocedal, Wright 2006, algorithms 3.5 and 3.6), by cubic interpolation."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .._tensor import RBETensor

DECREASE, CURVATURE = 1e-4, 0.9
FARTHEST = 10.0  # how many times as long a step is tried at most while none is too long


@dataclass(slots=True)
class Point:
    """A point on the line: the length of the step to it, the loss, the gradient, and its product with the direction."""

    step: float
    loss: float
    gradient: RBETensor
    slope: float


@dataclass(slots=True)
class Result:
    """Where the search ended, and how many points it evaluated."""

    point: Point
    evaluations: int


def interpolate(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Return the step of the minimum of the cubic through two points, within bounds; their middle if there is none."""
    if a.step > b.step:
        a, b = b, a
    low, high = bounds or (a.step, b.step)
    if a.step == b.step:
        return (low + high) / 2
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = mean * mean - a.slope * b.slope
    if square >= 0:
        root = math.sqrt(square)
        below = b.slope - a.slope + 2 * root
        found = b.step - (b.step - a.step) * ((b.slope + root - mean) / below) if below else math.nan
        if math.isfinite(found):
            return min(max(found, low), high)
    return (low + high) / 2


def strong_wolfe(evaluate: Callable[[float], Point], start: Point, step: float, *, narrow: float, most: int) -> Result:
    """Return a step that decreases the loss enough and flattens its slope, or the best one found.

    Parameters
    ----------
    evaluate : callable
        Returns the point of a step.
    start : Point
        At step 0, with a negative slope.
    step : float
        Tried first.
    narrow : float
        Length of an interval that is not divided any more.
    most : int
        Evaluations at most, after the first.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + DECREASE * point.step * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * start.slope

    before, here, tried = start, evaluate(step), 0
    while tried < most:
        if too_high(here) or (tried > 1 and here.loss >= before.loss):
            ends = (before, here)
            break
        if is_flat(here):
            return Result(here, tried + 1)
        if here.slope >= 0:
            ends = (before, here)
            break
        longer = (here.step + 0.01 * (here.step - before.step), here.step * FARTHEST)
        before, here = here, evaluate(interpolate(before, here, longer))
        tried += 1
    else:
        ends = (start, here)
    low, high = ends if ends[0].loss <= ends[1].loss else (ends[1], ends[0])
    stuck = False
    while tried < most and abs(high.step - low.step) >= narrow:
        step, stuck = _inside(low, high, stuck)
        here = evaluate(step)
        tried += 1
        if too_high(here) or here.loss >= low.loss:
            low, high = (low, here) if low.loss <= here.loss else (here, low)
            continue
        if is_flat(here):
            low = here
            break
        if here.slope * (high.step - low.step) >= 0:
            high = low
        low = here
    return Result(low, tried + 1)


def _inside(low: Point, high: Point, stuck: bool) -> tuple[float, bool]:
    """Return the step to try within an interval, a tenth of it away from its ends if the last one was nearer, too."""
    first, last = sorted((low.step, high.step))
    step, margin = interpolate(low, high), 0.1 * (last - first)
    if min(last - step, step - first) >= margin:
        return step, False
    if stuck or step >= last or step <= first:
        return (last - margin if abs(step - last) < abs(step - first) else first + margin), False
    return step, True
