"""The result of a recurrent layer: its states, and the nodes of its steps on the tape."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

from .._tensor import RBETensor

__all__ = ["Recurrence", "StepNodes"]


class StepNodes(Sequence[Any]):
    """The node of every time step, `grad_fn` of its state.

    Where nothing was recorded, as for arrays, the steps are computed again and recorded when a node is first asked for; the
    operands must still be as they were.

    Parameters
    ----------
    count : int
        Time steps.
    states : callable
        Returns the recorded state of every step.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> outputs, nodes = rbe.ops.rnn_layer(np.ones((3, 1)), np.ones((1, 1)), np.ones((1, 1)))
    >>> len(nodes), nodes[0].name()
    (3, 'tanh')
    """

    def __init__(self, count: int, states: Callable[[], list[RBETensor]]) -> None:
        self._count, self._states = count, states
        self._nodes: list[Any] | None = None

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if self._nodes is None:
            self._nodes = [state.grad_fn for state in self._states()]
        return self._nodes[index]

    def __len__(self) -> int:
        return self._count


class Recurrence(NamedTuple):
    """States of all steps and their nodes: always two, whatever the number of steps.

    Attributes
    ----------
    outputs : array or tensor (steps, batch, hidden) or (steps, hidden)
    nodes : StepNodes

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.rnn_layer(np.ones((2, 1)), np.ones((1, 1)), np.ones((1, 1)), activation="relu").outputs.ravel()
    array([1., 2.])
    """

    outputs: Any
    nodes: StepNodes
