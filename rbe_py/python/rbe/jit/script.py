"""Capturing and running again."""

from collections.abc import Callable
from typing import Any

from .. import _rbe
from .._rbe import RBETensor
from ..errors import DTypeError
from ..graph import ComputationGraph
from ..nn.module import Module


class Scripted:
    """A function that runs as the operations it was captured as.

    Made by `script`. It is captured anew for arguments of other shapes, element types, or numbers, and for another training
    mode of the modules that it is.

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
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = getattr(function, "__doc__", None)
        self._captured: dict[Any, tuple[_rbe._Captured, type]] = {}

    def _key(self, args: tuple[Any, ...]) -> Any:
        modes = [m.training for m in self.function.modules()] if isinstance(self.function, Module) else []
        kinds = [(tuple(a.shape), a.dtype.name, a.is_packed) if isinstance(a, RBETensor) else ("value", a) for a in args]
        return (*modes, *kinds)

    def _capture(self, args: tuple[Any, ...]) -> tuple[Any, _rbe._Captured]:
        kinds: list[type] = []

        def run() -> list[RBETensor]:
            result = self.function(*args)
            kinds.append(type(result))
            listed = list(result) if isinstance(result, tuple | list) else [result]
            if not all(isinstance(t, RBETensor) for t in listed):
                raise DTypeError(
                    "script", "a function that returns a tensor, or a tuple or list of them", type(result).__name__
                )
            return listed

        outputs, captured = _rbe._capture(run, [a for a in args if isinstance(a, RBETensor)])
        self._captured[self._key(args)] = captured, kinds[0]
        return _shaped(outputs, kinds[0]), captured

    def __call__(self, *args: Any) -> Any:
        """Run the function; the first time for arguments of a kind captures it."""
        found = self._captured.get(self._key(args))
        if found is None:
            return self._capture(args)[0]
        captured, kind = found
        return _shaped(captured.run([a for a in args if isinstance(a, RBETensor)]), kind)

    def operations(self, *args: Any) -> list[str]:
        """Return the names of the operations that run for such arguments."""
        key = self._key(args)
        if key not in self._captured:
            self._capture(args)
        return self._captured[key][0].names()

    def graph(self, x: RBETensor) -> ComputationGraph:
        """Return the captured function of one tensor as a graph, for checkpointing or as part of a longer chain."""
        self.operations(x)
        return ComputationGraph().register_operation(self.__name__, self)


def _shaped(outputs: list[RBETensor], kind: type) -> Any:
    return tuple(outputs) if issubclass(kind, tuple) else outputs if issubclass(kind, list) else outputs[0]


def script(function: Callable[..., Any]) -> Scripted:
    """Capture a function of tensors into a graph of operations, and join its element-wise chains.

    The first call runs the function and notes the operations of the engine; later ones run these alone. An element-wise
    operation whose result only one other uses runs inside that one, tile by tile: same results, fewer passes over
    memory. Tensors from outside, such as parameters, are used as they are at each call. Gradients flow as usual.

    Parameters
    ----------
    function : callable, or Module
        Of tensors and other hashable values by position; returns a tensor, or a tuple or list of them. What it decides in
        Python is decided when it is captured.

    Returns
    -------
    Scripted

    Raises
    ------
    GraphError
        At the first call: for a function that looks at values of what depends on its arguments (`item`, `if`, indices), changes
        tensors in place (batch norm in training does), or uses results that are not recorded (comparisons, sorting,
        operations defined in Python).
    DTypeError
        At the first call: for a result that is no tensor.

    Examples
    --------
    >>> import rbe
    >>> @rbe.jit.script
    ... def gate(x, y):
    ...     return x.sigmoid() * y.tanh()
    >>> gate(rbe.zeros(2), rbe.ones(2))
    tensor([0.3808, 0.3808])
    """
    return Scripted(function)
