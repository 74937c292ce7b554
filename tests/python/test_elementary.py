"""Functions of float64 against mpmath, which computes with any number of digits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import rbe
from instruction_sets import SETS, using

# Largest errors in units in the last place, and numbers to try beside those of all magnitudes.
FUNCTIONS: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], float, tuple[float, float]]] = [
    ("exp", rbe.exp, mpmath.exp, 1, (-746, 710)),
    ("expm1", rbe.expm1, mpmath.expm1, 2, (-40, 2)),
    ("log", rbe.log, mpmath.log, 1, (0, 4)),
    ("log1p", rbe.log1p, mpmath.log1p, 2, (-1, 3)),
    ("tanh", rbe.tanh, mpmath.tanh, 3, (-20, 20)),
    ("sigmoid", rbe.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 3, (-700, 40)),
    ("erf", rbe.erf, mpmath.erf, 2, (-6, 6)),
    ("erfc", rbe.erfc, mpmath.erfc, 5, (-6, 26)),
    ("gelu", rbe.nn.functional.gelu, lambda x: x * mpmath.ncdf(x), 6, (-37, 10)),
]


def numbers(low: float, high: float, count: int) -> np.ndarray:
    """Return numbers of a range, numbers of all exponents and both signs, and both ends of those that are small."""
    rng = np.random.default_rng(0)
    some = rng.integers(0, 2**64, count, dtype=np.uint64, endpoint=False).view(np.float64)
    small = rng.standard_normal(count) * 2.0 ** rng.integers(-60, 3, count)
    edges = np.array([0.0, -0.0, 5e-324, -5e-324, 2.3e-308, -2.3e-308, low, high, 1.0, -1.0])
    found = np.concatenate([rng.uniform(low, high, 4 * count), some, small, edges])
    return found[np.isfinite(found)]


@pytest.mark.parametrize(("name", "ours", "exact", "units", "span"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_errors_of_float64_are_within_the_stated_bounds(
    name: str, ours: Callable[[Any], Any], exact: Callable[[Any], Any], units: float, span: tuple[float, float]
) -> None:
    x = numbers(*span, 700)
    if name in ("log", "log1p"):
        x = x[x > (0 if name == "log" else -1)]
    got = ours(rbe.tensor(x)).numpy()
    largest, smallest = np.finfo(np.float64).max, np.finfo(np.float64).tiny
    worst = 0.0
    with mpmath.workdps(60):
        for at, value in zip(x, got, strict=True):
            if name in ("exp", "expm1") and at > 710:  # an exact result of so many digits takes for ever
                assert value == np.inf, (at, value)
                continue
            bounded = (
                max(min(float(at), 1e4), -1e4) if name in ("exp", "expm1", "tanh", "sigmoid", "erf", "erfc") else float(at)
            )
            want = exact(mpmath.mpf(bounded)) if name != "gelu" or at > -1e4 else mpmath.mpf(0)
            if abs(want) > largest:
                assert np.isinf(value), (at, value)
                continue
            if name in ("sigmoid", "gelu") and abs(want) < 4 * smallest:  # a quotient, or a product of a rounded number
                assert abs(value) <= 4 * smallest, (at, value)
                continue
            unit = np.spacing(abs(float(want)))
            worst = max(worst, float(abs(mpmath.mpf(float(value)) - want) / unit))
    print(f"{name}: {worst:.2f} units")
    assert worst <= units


def test_every_instruction_set_gives_the_same_bits() -> None:
    found = []
    for isa in SETS:
        with using(isa):
            found.append([ours(rbe.tensor(numbers(*span, 700))).numpy() for _, ours, _, _, span in FUNCTIONS])
    for other in found[1:]:
        for (name, *_), first, now in zip(FUNCTIONS, found[0], other, strict=True):
            same = (first.view(np.int64) == now.view(np.int64)) | (np.isnan(first) & np.isnan(now))
            assert same.all(), name
