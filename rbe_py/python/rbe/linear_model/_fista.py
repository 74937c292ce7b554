"""Accelerated proximal gradients (FISTA) with backtracking and adaptive restart, stopped by the duality gap."""

import math
from typing import NamedTuple

from ..backend.protocol import Array
from ._quadratic import Quadratic

EVERY = 10  # steps from one duality gap to the next
GROW, SHRINK = 2.0, 0.9  # of the curvature: after a step that was too long, and before the next one


class Found(NamedTuple):
    """Coefficients (d), the duality gap over n, the steps taken, and whether the gap is small enough."""

    coef: Array
    gap: float
    steps: int
    converged: bool


def duality_gap(problem: Quadratic, w: Array, hw: Array, l1: float) -> float:
    """Return an upper bound on how far the objective at w is above its minimum.

    The dual point is the residual, shrunk until the correlations with all columns are at most `l1`. Without an l1 penalty
    strong convexity gives the bound.
    """
    b, l2 = problem.backend, problem.l2
    descent = b.axpy(-1.0, hw, problem.linear)
    if l1 == 0.0:
        return float(b.dot(descent, descent)) / (2.0 * l2)
    square, fit = problem.residual(w, hw)
    largest = float(b.amax(descent))
    shrink = min(1.0, l1 / largest) if largest > 0.0 else 1.0
    penalty = l1 * float(b.asum(w)) + 0.5 * l2 * (1.0 + shrink**2) * float(b.dot(w, w))
    return 0.5 * (1.0 + shrink**2) * square - shrink * fit + penalty


def minimise(problem: Quadratic, l1: float, start: Array, tol: float, max_iter: int) -> Found:
    """Minimise `problem + l1 ‖w‖₁`.

    The curvature L that a step assumes is raised until it bounds the objective, which for a quadratic means `Δ·H Δ ≤ L ‖Δ‖²`
    of the step Δ. The momentum restarts when it points uphill (O'Donoghue and Candès, 2015).

    Parameters
    ----------
    problem : Quadratic
    l1 : float
    start : array (d)
    tol : float
        Stop at a gap of `tol ‖y‖² / n`.
    max_iter : int
    """
    b = problem.backend
    w, hw = start, problem.hessian(start)
    point, h_point, momentum = w, hw, 1.0
    slope = float(b.nrm2(problem.linear))
    curvature = _curvature(problem, slope)
    gap, enough = duality_gap(problem, w, hw, l1), tol * problem.target
    for step in range(1, max_iter + 1):
        if gap <= enough:
            return Found(w, max(gap, 0.0), step - 1, True)
        descent = b.axpy(-1.0, h_point, problem.linear)
        curvature *= SHRINK
        while True:
            after = b.prox_soft_threshold(b.axpy(1.0 / curvature, descent, point), l1 / curvature)
            change = b.axpy(-1.0, point, after)
            h_change = problem.hessian(change)
            length = float(b.dot(change, change))
            if not float(b.dot(change, h_change)) > curvature * length * (1.0 + 1e-6):
                break
            curvature *= GROW
        h_after = b.axpy(1.0, h_change, h_point)
        moved = b.axpy(-1.0, w, after)
        if float(b.dot(change, moved)) < 0.0:
            momentum = 1.0
        following = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * momentum**2))
        ahead = (momentum - 1.0) / following
        point = b.axpy(ahead, moved, after)
        h_point = b.axpy(ahead, b.axpy(-1.0, hw, h_after), h_after)
        w, hw, momentum = after, h_after, following
        if step % EVERY == 0 or step == max_iter:
            hw = problem.hessian(w)  # also drops the rounding errors that the sums above have collected
            gap = duality_gap(problem, w, hw, l1)
            point, h_point = (w, hw) if momentum == 1.0 else (point, problem.hessian(point))
    return Found(w, max(gap, 0.0), max_iter, gap <= enough)


def _curvature(problem: Quadratic, slope: float) -> float:
    """Return the curvature along the gradient at 0, a lower bound of the largest."""
    if slope == 0.0:
        return 1.0
    unit = problem.backend.scal(1.0 / slope, problem.linear)
    return max(float(problem.backend.dot(unit, problem.hessian(unit))), 1e-30)
