"""Checkpoints under torch's name: results that are computed again in backward instead of being kept."""

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import autograd

__all__ = ["checkpoint"]


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """Return `function(*args, **kwargs)` without keeping what backward needs, as `rbe.autograd.checkpoint`.

    Parameters
    ----------
    function : callable
        Returns one tensor.
    use_reentrant : bool, optional
        Without effect: there is one way to do it.
    preserve_rng_state : bool
        Without effect: random numbers always repeat.
    *args, **kwargs
        Arguments of `function`.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([2.0], requires_grad=True)
    >>> rbe.utils.checkpoint.checkpoint(lambda x: x.square(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([4.])
    """
    return autograd.checkpoint(partial(function, **kwargs) if kwargs else function, *args)
