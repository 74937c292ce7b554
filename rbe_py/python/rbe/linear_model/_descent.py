"""Minimisers of smooth functions: L-BFGS, and Newton's method with conjugate gradients."""

import math
from collections.abc import Callable
from typing import NamedTuple

from ..backend import Backend
from ..backend.protocol import Array
from ._logistic_loss import Point

MEMORY = 10  # pairs of steps and gradient changes that L-BFGS keeps
DECREASE, CURVATURE = 1e-4, 0.9  # the Wolfe conditions
ROUNDING = {"float32": 2.0**-20, "float64": 2.0**-48}  # of a value, beside which a decrease means nothing
TRIALS = 30


class Minimum(NamedTuple):
    """Parameters, iterations, and whether the gradient is small enough."""

    p: Array
    steps: int
    converged: bool


def lbfgs(b: Backend, f: Callable[[Array], Point], p: Array, tol: float, max_iter: int) -> Minimum:
    """Minimise f from p by L-BFGS, until no entry of the gradient exceeds `tol`."""
    here = f(p)
    pairs: list[tuple[Array, Array, float]] = []
    for step in range(max_iter):
        if float(b.amax(here.gradient)) <= tol:
            return Minimum(p, step, True)
        direction = b.scal(-1.0, _two_loops(b, here.gradient, pairs))
        first = 1.0 if pairs else min(1.0, 1.0 / float(b.nrm2(here.gradient)))
        found = _search(b, f, p, here, direction, first)
        if found is None:
            if not pairs:
                return Minimum(p, step, False)
            pairs.clear()  # the pairs mislead: start again along the gradient
            continue
        after, there = found
        s, y = b.axpy(-1.0, p, after), b.axpy(-1.0, here.gradient, there.gradient)
        bend = float(b.dot(s, y))
        if bend > 0.0:
            pairs = [*pairs[-MEMORY + 1 :], (s, y, bend)]
        p, here = after, there
    return Minimum(p, max_iter, float(b.amax(here.gradient)) <= tol)


def _two_loops(b: Backend, gradient: Array, pairs: list[tuple[Array, Array, float]]) -> Array:
    """Return the product of the inverse Hessian that the pairs imply with the gradient."""
    q, factors = gradient, []
    for s, y, bend in reversed(pairs):
        factors.append(float(b.dot(s, q)) / bend)
        q = b.axpy(-factors[-1], y, q)
    if pairs:
        _, y, bend = pairs[-1]
        q = b.scal(bend / float(b.dot(y, y)), q)
    for (s, y, bend), factor in zip(pairs, reversed(factors), strict=True):
        q = b.axpy(factor - float(b.dot(y, q)) / bend, s, q)
    return q


def _search(
    b: Backend, f: Callable[[Array], Point], p: Array, here: Point, direction: Array, step: float
) -> tuple[Array, Point] | None:
    """Return parameters along a direction that fulfil the Wolfe conditions, by bisection; None if there are none to be found.

    Decreases below the rounding error of the values are not asked for.
    """
    slope = float(b.dot(here.gradient, direction))
    if not slope < 0.0:
        return None
    slack = ROUNDING[b.dtype_of(p)] * abs(here.value)
    low, high = 0.0, math.inf
    for _ in range(TRIALS):
        after = b.axpy(step, direction, p)
        there = f(after)
        if not there.value <= here.value + DECREASE * step * slope + slack:
            high = step
        elif float(b.dot(there.gradient, direction)) < CURVATURE * slope:
            low = step
        else:
            return after, there
        step = 2.0 * low if math.isinf(high) else 0.5 * (low + high)
    return None


def newton_cg(b: Backend, f: Callable[[Array], Point], p: Array, tol: float, max_iter: int) -> Minimum:
    """Minimise f as `lbfgs` does, by Newton steps that conjugate gradients solve as far as it pays."""
    here = f(p)
    for step in range(max_iter):
        if float(b.amax(here.gradient)) <= tol:
            return Minimum(p, step, True)
        forcing = min(0.5, math.sqrt(float(b.nrm2(here.gradient))))
        limit = max(10, min(20 * p.shape[0], 200))
        direction = b.cg(here.hessian, b.scal(-1.0, here.gradient), tol=forcing, max_iter=limit).x
        found = _search(b, f, p, here, direction, 1.0)
        if found is None:
            return Minimum(p, step, False)
        p, here = found
    return Minimum(p, max_iter, float(b.amax(here.gradient)) <= tol)
