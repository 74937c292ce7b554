"""Scripted functions: chains of element-wise operations are fused."""

import copy
import functools
import sys
import types
from collections.abc import Callable
from typing import Any

from .. import _rbe
from .._tensor import RBETensor
from ..errors import DTypeError
from ..graph import ComputationGraph


class Scripted:
    """A function that runs as written, with its chains of element-wise operations fused.

    Created by `script`. It takes the function's arguments and returns its result; no call leaves anything for the next.

    Copying and pickling copy and pickle the function, which must be importable by its name, or an object such as a Module.

    Examples
    --------
    >>> import rbe
    >>> f = rbe.jit.script(lambda x: (x * x + 1.0).tanh() * 0.5)
    >>> f(rbe.tensor([0.0, 1.0]))
    tensor([0.3808, 0.482 ])
    >>> f.operations(rbe.tensor([0.0, 1.0]))
    ['fused(mul, add, tanh, mul)']
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise DTypeError("script", "a function or a Module", type(function).__name__)
        self.function = function
        self.__name__ = type(function).__name__
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function."""
        return _rbe._fuse(self.function, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, as functions do."""
        return self if instance is None else types.MethodType(self, instance)

    def operations(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return the names of the operations that a call runs, in order; fused ones with the names of their parts.

        The function is called once; the state of random numbers is restored afterwards.
        """
        state = _rbe.get_rng_state()
        try:
            return _rbe._fused_operations(self.function, args, kwargs)
        finally:
            _rbe.set_rng_state(state)

    def graph(self, x: RBETensor | None = None) -> ComputationGraph:
        """Return the function of one tensor as a ComputationGraph, for checkpoints or as part of a longer chain."""
        return ComputationGraph().register_operation(self.__name__, self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Scripted":
        return Scripted(copy.deepcopy(self.function, memo))

    def __reduce__(self) -> Any:
        if not isinstance(self.function, types.FunctionType | types.BuiltinFunctionType):
            return Scripted, (self.function,)
        module, name = self.function.__module__, self.function.__qualname__
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:
            return name  # as pickle does for functions
        if found is not self.function:
            raise DTypeError("pickle", "a scripted function that can be imported by its name", f"{module}.{name}")
        return Scripted, (self.function,)

    def __repr__(self) -> str:
        return f"Scripted({self.function!r})"


def script(function: Callable[..., Any]) -> Scripted:
    """Return a function whose chains of element-wise operations are fused.

    The function runs as written at every call: its decisions in Python, values from outside, random numbers and changes are the
    same as without `script`, and its results are equal bit for bit. Element-wise operations on floats of one dtype are deferred
    until their results are needed. An operation whose result only one later operation uses, and no variable holds, runs inside
    that operation, tile by tile: this takes fewer passes over memory, and the tape saves the inputs of the chain in place of
    every value in it. Gradients are equal up to rounding.

    Parameters
    ----------
    function : callable, or Module
        Takes any arguments and returns any result.

    Returns
    -------
    Scripted

    Raises
    ------
    DTypeError
        If `function` is not callable.

    Examples
    --------
    >>> import rbe
    >>> @rbe.jit.script
    ... def gate(x, y):
    ...     return x.sigmoid() * y.tanh()
    >>> gate(rbe.zeros(2), rbe.ones(2))
    tensor([0.3808, 0.3808])
    """
    return function if isinstance(function, Scripted) else Scripted(function)
