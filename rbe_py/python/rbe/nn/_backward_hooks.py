"""Full backward hooks: one node of the tape before and one after the operations of a module observe its gradients."""

from collections.abc import Callable
from typing import Any

from .. import _rbe
from .._tensor import RBETensor
from ..errors import DTypeError, GraphError

__all__ = ["Watch"]

Gradients = tuple[RBETensor | None, ...]


class Watch:
    """One call of a module under full backward hooks.

    Two nodes with several outputs enclose the operations that the module records. Backward reaches the node at the module's
    results first, with the gradients of all results, and the node at its inputs last, with the gradients of all inputs.
    """

    def __init__(self, module: Any, hooks: list[Callable[..., Any]], args: tuple[Any, ...]) -> None:
        self.module, self.hooks = module, hooks
        self.grad_output: Gradients = ()
        self.arity = len(args)
        self.tracked = [i for i, a in enumerate(args) if _has_gradient(a)]
        inputs = [args[i] for i in self.tracked]
        parts = _rbe._record(_NAME, inputs, [t.detach() for t in inputs], self._inputs, always=True)
        self.args = _replaced(args, dict(zip(self.tracked, parts, strict=True)))  # until the results are there

    def outward(self, result: Any) -> Any:
        """Watch the result, a tensor or a tuple or list with tensors."""
        listed = [result] if isinstance(result, RBETensor) else result
        if not isinstance(listed, tuple | list):
            what = type(result).__name__
            raise DTypeError("register_full_backward_hook", "a module that returns a tensor, or a tuple or list of them", what)
        places, length = [i for i, r in enumerate(listed) if _has_gradient(r)], len(listed)
        # The inputs are parents of the node of the results, too: backward reaches that node first even if no result needs them.
        inputs, self.args = [self.args[i] for i in self.tracked], ()
        missing = [None for _ in inputs]

        def arrived(upstream: list[Any]) -> list[Any]:
            """Keep the gradients of the results until those of the inputs are known."""
            self.grad_output = tuple(_at(places, upstream, i) for i in range(length))
            if not self.tracked:
                self._run((None,) * self.arity)
            return [*upstream, *missing]

        parts = _rbe._record(_NAME, [*(listed[i] for i in places), *inputs], [listed[i].detach() for i in places], arrived)
        changed = _replaced(listed, dict(zip(places, parts, strict=True)))
        return changed[0] if isinstance(result, RBETensor) else changed

    def _inputs(self, upstream: list[Any]) -> list[Any]:
        if not self.grad_output:
            return upstream  # backward came from inside the module
        changed = self._run(tuple(_at(self.tracked, upstream, i) for i in range(self.arity)))
        return [changed[i] for i in self.tracked]

    def _run(self, grad_input: Gradients) -> Gradients:
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = self._checked(changed if isinstance(changed, tuple) else (changed,))
        self.grad_output = ()
        return grad_input

    def _checked(self, changed: Gradients) -> Gradients:
        if len(changed) == self.arity:
            return changed
        expected = f"None, or gradients of all {self.arity} inputs"
        raise GraphError("register_full_backward_hook", f"a hook that returns {expected}", f"{len(changed)} of them")


_NAME = "backward_hook"


def _has_gradient(value: Any) -> bool:
    return isinstance(value, RBETensor) and value.requires_grad and not value.is_packed


def _at(places: list[int], values: list[Any], i: int) -> Any:
    return values[places.index(i)] if i in places else None


def _replaced(items: Any, by_place: dict[int, RBETensor]) -> Any:
    """Return a tuple or list of the same type with other members at some places."""
    if not by_place:
        return items
    listed = [by_place.get(i, item) for i, item in enumerate(items)]
    return type(items)(*listed) if hasattr(items, "_fields") else type(items)(listed)
