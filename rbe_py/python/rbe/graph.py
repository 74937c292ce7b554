"""A chain of operations with checkpoints, for those who want the graph as an object."""

from collections.abc import Callable
from typing import Any

from . import _rbe
from ._tensor import RBETensor
from .autograd import register_operation
from .errors import GraphError, TensorError

DEFAULT_BUDGET = 64 << 20  # bytes of values that "adaptive" keeps unless told otherwise


class ComputationGraph:
    """Operations one after another, run on an input when asked.

    Examples
    --------
    >>> import rbe
    >>> graph = rbe.ComputationGraph()
    >>> _ = graph.register_operation("double", lambda x: x * 2.0, lambda dy, y, x: dy * 2.0)
    >>> _ = graph.register_operation("square", lambda x: x * x, lambda dy, y, x: dy * 2.0 * x)
    >>> x = rbe.tensor([3.0], requires_grad=True)
    >>> graph.execute(x).backward()
    >>> x.grad
    tensor([24.])
    """

    def __init__(self) -> None:
        self._operations: list[tuple[str, Callable[..., RBETensor]]] = []
        self._strategy = "none"
        self._every = 1
        self._budget = 0

    def register_operation(
        self, name: str, forward: Callable[[RBETensor], RBETensor], backward: Callable[..., Any] | None = None
    ) -> "ComputationGraph":
        """Append an operation.

        Parameters
        ----------
        name : str
            Name in errors.
        forward : callable
            `forward(x)` returns the next value.
        backward : callable, optional
            `backward(dy, y, x)` returns the gradient of x. Without it, forward is recorded as it is.
        """
        run = forward if backward is None else register_operation(name, forward, backward)
        self._operations.append((name, run))
        return self

    def enable_checkpointing(self, strategy: str, *, every: int = 1, budget_bytes: int | None = None) -> "ComputationGraph":
        """Trade memory for time: values between operations are dropped and computed again in backward.

        Parameters
        ----------
        strategy : {"none", "every", "adaptive"}
            "every" keeps one value in `every`. "adaptive" keeps all values while they fit `budget_bytes`; beyond, it drops
            stretches of about half the budget, but no fewer than `sqrt(n)` of `n` operations, which backward computes again one
            at a time. Of each stretch the first value stays: less than `2 sqrt(n)` values of one size cannot be had.
        every : int
            For "every".
        budget_bytes : int, optional
            For "adaptive"; by default 64 MiB.

        Raises
        ------
        TensorError
            For another strategy, every < 1 or a negative budget.
        """
        if strategy not in ("none", "every", "adaptive"):
            raise TensorError("enable_checkpointing", "strategy 'none', 'every' or 'adaptive'", repr(strategy))
        budget = DEFAULT_BUDGET if budget_bytes is None else budget_bytes
        if budget < 0:
            raise TensorError("enable_checkpointing", "budget_bytes >= 0", repr(budget_bytes))
        if every < 1:
            raise TensorError("enable_checkpointing", "every >= 1", str(every))
        self._strategy, self._every, self._budget = strategy, every, budget
        return self

    def execute(self, x: RBETensor) -> RBETensor:
        """Run the operations on `x` and return the last value.

        Raises
        ------
        GraphError
            If no operation was registered.
        """
        if not self._operations:
            raise GraphError("execute", "at least one registered operation", "none")
        every = self._every if self._strategy == "every" else None
        budget = self._budget if self._strategy == "adaptive" else None
        return _rbe._execute([run for _, run in self._operations], x, every, budget)
