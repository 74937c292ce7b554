"""Hooks of modules: what runs around forward, and what runs when backward has passed through a module."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _rbe
from .._rbe import RBETensor
from ..errors import DTypeError, GraphError

if TYPE_CHECKING:
    from .module import Module

Gradients = tuple[RBETensor | None, ...]


class Handle:
    """A registered hook."""

    def __init__(self, hooks: "dict[int, Any]", number: int) -> None:
        self._hooks, self._number = hooks, number

    def remove(self) -> None:
        """Remove the hook."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooked:
    """Base of what takes hooks."""

    _hooks: "dict[int, tuple[str, Callable[..., Any]]]"
    _hook_numbers = itertools.count()

    def _register(self, kind: str, hook: Callable[..., Any]) -> Handle:
        number = next(Hooked._hook_numbers)
        self._hooks[number] = (kind, hook)
        return Handle(self._hooks, number)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments."""
        return self._register("forward_pre", hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args, result)` after forward; what it returns replaces the result."""
        return self._register("forward", hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        Both are tuples with None where a tensor has no gradient. What the hook returns replaces the gradient of the input;
        that is possible for a module with one input that requires grad. `forward` must return one tensor.
        """
        return self._register("backward", hook)


def call_with_hooks(module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a module's forward between its hooks."""
    hooks = tuple(module._hooks.values())
    for kind, hook in hooks:
        if kind == "forward_pre":
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    watching = [hook for kind, hook in hooks if kind == "backward"]
    watch = _Watch(module, watching, args) if watching and _rbe.is_grad_enabled() else None
    result = module.forward(*(watch.args if watch else args), **kwargs)
    for kind, hook in hooks:
        if kind == "forward":
            changed = hook(module, args, result)
            if changed is not None:
                result = changed
    return watch.outward(result) if watch else result


def _alias(t: RBETensor) -> RBETensor:
    """Return the same value as a result of its own, whose gradient is that of this use alone."""
    return _rbe._custom_op("backward_hook", [t], t.detach(), lambda dy: [dy])


class _Watch:
    """One call of a module under full backward hooks."""

    def __init__(self, module: "Module", hooks: list[Callable[..., Any]], args: tuple[Any, ...]) -> None:
        self.module, self.hooks = module, hooks
        self.grad_output: RBETensor | None = None
        self.tracked = [i for i, a in enumerate(args) if isinstance(a, RBETensor) and a.requires_grad]
        self.grads: dict[int, RBETensor] = {}
        listed = list(args)
        for i in self.tracked:
            listed[i] = _alias(args[i])
            listed[i].register_hook(self._receiver(i))
        self.args = tuple(listed)

    def outward(self, result: Any) -> Any:
        """Watch the result."""
        if not isinstance(result, RBETensor):
            raise DTypeError("register_full_backward_hook", "a module that returns one tensor", type(result).__name__)
        if not result.requires_grad:
            return result
        result = _alias(result)

        def arrived(dy: RBETensor) -> None:
            self.grad_output = dy
            if not self.tracked:
                self._run()

        result.register_hook(arrived)
        return result

    def _receiver(self, i: int) -> Callable[[RBETensor], RBETensor | None]:
        def receive(dy: RBETensor) -> RBETensor | None:
            self.grads[i] = dy
            if len(self.grads) < len(self.tracked):
                return None
            changed = self._run()
            return None if changed is None else changed[i]

        return receive

    def _run(self) -> Gradients | None:
        grad_input: Gradients = tuple(self.grads.get(i) for i in range(len(self.args)))
        self.grads = {}
        replaced = False
        for hook in self.hooks:
            changed = hook(self.module, grad_input, (self.grad_output,))
            if changed is not None:
                if len(self.tracked) != 1:
                    raise GraphError(
                        "full_backward_hook", "one input with a gradient to replace", f"{len(self.tracked)} of them"
                    )
                grad_input = changed if isinstance(changed, tuple) else (changed,)
                replaced = True
        return grad_input if replaced else None
