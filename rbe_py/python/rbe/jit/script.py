"""Functions whose chains of element-wise operations run as one."""

import copy
import functools
import sys
import types
from collections.abc import Callable
from typing import Any

from .. import _rbe
from .._rbe import RBETensor
from ..errors import DTypeError
from ..graph import ComputationGraph


class Scripted:
    """A function that runs as it is written, with its element-wise operations joined.

    Made by `script`. It takes the function's arguments and returns its result, whatever they are; of one call it keeps nothing
    for the next.

    Copying and pickling copy and pickle the function: one that can be imported by its name, or an object, such as a Module.

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
        """Bind to an instance, as methods do."""
        return self if instance is None else types.MethodType(self, instance)

    def operations(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return the names of the operations that a call runs, in order; joined ones with the names of their parts.

        The function is called for that. Random numbers afterwards are as if it had not been.
        """
        state = _rbe.get_rng_state()
        try:
            return _rbe._fused_operations(self.function, args, kwargs)
        finally:
            _rbe.set_rng_state(state)

    def graph(self, x: RBETensor | None = None) -> ComputationGraph:
        """Return the function of one tensor as a graph, for checkpointing or as part of a longer chain."""
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
            return name  # as functions are pickled
        if found is not self.function:
            raise DTypeError("pickle", "a scripted function that can be imported by its name", f"{module}.{name}")
        return Scripted, (self.function,)

    def __repr__(self) -> str:
        return f"Scripted({self.function!r})"


def script(function: Callable[..., Any]) -> Scripted:
    """Make a function whose chains of element-wise operations run as one.

    The function runs as it is written, every time: what it decides in Python, reads from outside, draws or changes is as
    without `script`, and so are its results, to the bit. Its element-wise operations on floats of one dtype wait until their
    results are needed. Those whose results nobody asks for one by one, because no variable holds them and one later operation
    uses them, run inside that one, tile by tile: fewer passes over memory, and backward keeps what the chain reads in the place
    of every value in it. Gradients are equal but for rounding.

    Parameters
    ----------
    function : callable, or Module
        Of any arguments, with any result.

    Returns
    -------
    Scripted

    Raises
    ------
    DTypeError
        For what cannot be called.

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
