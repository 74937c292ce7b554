"""Fixtures for pytest: `pytest_plugins = ["rbe.testing.plugin"]` in a conftest.py."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from .. import _random, autograd
from .._rbe import get_rng_state, manual_seed, set_rng_state
from .._tensor import RBETensor

__all__ = ["float64_inputs", "gradcheck", "seeded"]

Check = Callable[..., None]


@pytest.fixture
def seeded() -> Any:
    """Seed the random numbers with 0 for a test, and restore the stream afterwards.

    Examples
    --------
    A test asks for it by name: `def test_dropout(seeded): …`
    """
    before = get_rng_state()
    manual_seed(0)
    yield
    set_rng_state(before)


@pytest.fixture
def float64_inputs() -> Callable[..., list[RBETensor]]:
    """Return a function that makes float64 leaves of given shapes with standard normal values, the same in every run.

    Examples
    --------
    `x, w = float64_inputs((3, 4), (5, 4))` in a test that asks for it by name.
    """

    def make(*shapes: Sequence[int]) -> list[RBETensor]:
        before = get_rng_state()
        manual_seed(0)
        made = [_random.randn(*shape, dtype="float64", requires_grad=True) for shape in shapes]
        set_rng_state(before)
        return made

    return make


@pytest.fixture
def gradcheck(float64_inputs: Callable[..., list[RBETensor]]) -> Check:
    """Return a function that fails the test unless gradients agree with central differences in float64.

    Examples
    --------
    `gradcheck(lambda x, w: x @ w.T, (3, 4), (5, 4))` with shapes or tensors, in a test that asks for it by name.
    """

    def check(fn: Callable[..., RBETensor], *inputs: Any, eps: float = 1e-6, atol: float = 1e-7, rtol: float = 1e-6) -> None:
        given = [x if isinstance(x, RBETensor) else float64_inputs(x)[0] for x in inputs]
        if not any(x.requires_grad for x in given):
            pytest.fail("gradcheck: no input requires grad")
        try:
            autograd.gradcheck(fn, given, eps, atol, rtol)
        except ValueError as e:
            pytest.fail(f"gradcheck: {e}", pytrace=False)

    return check
