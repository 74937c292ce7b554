"""The base of all layers."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .._rbe import RBETensor
from ..dtypes import DTypeLike, as_dtype
from ..errors import ShapeError, TensorError
from .parameter import Parameter

Self = TypeVar("Self", bound="Module")


class Handle:
    """A registered hook."""

    def __init__(self, hooks: "dict[int, Any]", key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Remove the hook."""
        self._hooks.pop(self._key, None)


class Module:
    """A layer or a model: parameters, buffers, submodules and a forward method.

    Tensors wrapped in `Parameter` and modules register themselves when assigned to attributes.
    """

    training: bool

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_buffers", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "_transient", set())
        object.__setattr__(self, "_hooks", {})
        object.__setattr__(self, "_pre_hooks", {})
        object.__setattr__(self, "training", True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the layer's result."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward between the registered hooks."""
        if not self._hooks and not self._pre_hooks:
            return self.forward(*args, **kwargs)
        for pre in tuple(self._pre_hooks.values()):
            changed = pre(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        result = self.forward(*args, **kwargs)
        for hook in tuple(self._hooks.values()):
            changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    # Parameters, buffers and submodules also stand in __dict__, so that reading an attribute costs one look-up.
    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call {type(self).__name__}'s super().__init__() before assigning attributes")
        tables: tuple[dict[str, Any], ...] = (self._parameters, self._buffers, self._modules)
        for table in tables:
            if name in table and not isinstance(value, Parameter | Module):
                if table is self._modules or (value is not None and not isinstance(value, RBETensor)):
                    del table[name]
                else:
                    table[name] = value
                break
        if isinstance(value, Parameter):
            self._buffers.pop(name, None)
            self._modules.pop(name, None)
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._parameters.pop(name, None)
            self._buffers.pop(name, None)
            self._modules[name] = value
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        object.__delattr__(self, name)

    _parameters: "dict[str, Parameter | None]"
    _buffers: "dict[str, RBETensor | None]"
    _modules: "dict[str, Module]"
    _transient: "set[str]"
    _hooks: "dict[int, Callable[..., Any]]"
    _pre_hooks: "dict[int, Callable[..., Any]]"

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """Add a parameter, or a place for one."""
        self._parameters[name] = value
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, value: RBETensor | None, persistent: bool = True) -> None:
        """Add a tensor that is saved (if `persistent`) but not trained."""
        self._buffers[name] = value
        if not persistent:
            self._transient.add(name)
        object.__setattr__(self, name, value)

    def add_module(self, name: str, module: "Module") -> None:
        """Add a submodule under a name."""
        setattr(self, name, module)

    register_module = add_module

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args, result)` after forward; what it returns replaces the result."""
        key = id(hook)
        self._hooks[key] = hook
        return Handle(self._hooks, key)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments."""
        key = id(hook)
        self._pre_hooks[key] = hook
        return Handle(self._pre_hooks, key)

    def named_modules(self, prefix: str = "", memo: "set[int] | None" = None) -> "Iterator[tuple[str, Module]]":
        """Yield this module and all below, each once, with their names."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            yield from module.named_modules(f"{prefix}.{name}" if prefix else name, memo)

    def modules(self) -> "Iterator[Module]":
        """Yield this module and all below, each once."""
        return (m for _, m in self.named_modules())

    def named_children(self) -> "Iterator[tuple[str, Module]]":
        """Yield the direct submodules with their names."""
        return iter(self._modules.items())

    def children(self) -> "Iterator[Module]":
        """Yield the direct submodules."""
        return iter(self._modules.values())

    def _named(self, table: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules() if recurse else [("", self)]:
            for name, value in getattr(module, table).items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self, recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield parameters with their names, each once."""
        return self._named("_parameters", recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield parameters, each once."""
        return (p for _, p in self.named_parameters(recurse))

    def named_buffers(self, recurse: bool = True) -> Iterator[tuple[str, RBETensor]]:
        """Yield buffers with their names, each once."""
        return self._named("_buffers", recurse)

    def buffers(self, recurse: bool = True) -> Iterator[RBETensor]:
        """Yield buffers, each once."""
        return (b for _, b in self.named_buffers(recurse))

    def _entries(self) -> "OrderedDict[str, RBETensor]":
        out: OrderedDict[str, RBETensor] = OrderedDict()
        for prefix, module in self.named_modules():
            lead = f"{prefix}." if prefix else ""
            for name, p in module._parameters.items():
                if p is not None:
                    out[lead + name] = p
            for name, b in module._buffers.items():
                if b is not None and name not in module._transient:
                    out[lead + name] = b
        return out

    def state_dict(self) -> "OrderedDict[str, RBETensor]":
        """Return parameters and persistent buffers by name, detached; memory is shared."""
        return OrderedDict((name, t.detach()) for name, t in self._entries().items())

    def load_state_dict(self, state_dict: Mapping[str, RBETensor], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copy values into parameters and buffers.

        Parameters
        ----------
        state_dict : mapping of str to tensor
        strict : bool
            Raise for names that are missing or unexpected.

        Returns
        -------
        (list of str, list of str)
            Missing and unexpected names.

        Raises
        ------
        TensorError
            For missing or unexpected names, if strict.
        ShapeError
            For a tensor of another shape or kind. Nothing has changed then.
        """
        own = self._entries()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        if strict and (missing or unexpected):
            raise TensorError("load_state_dict", "the names of this module", f"missing {missing}, unexpected {unexpected}")
        common = [name for name in own if name in state_dict]
        for name in common:
            have, new = own[name], state_dict[name]
            if tuple(have.shape) != tuple(new.shape) or have.is_packed != new.is_packed:
                kind = "packed" if have.is_packed else "dense"
                got = f"{'packed' if new.is_packed else 'dense'} {tuple(new.shape)}"
                raise ShapeError("load_state_dict", f"{name} {kind} {tuple(have.shape)}", got)
            if have.is_packed and have.scale != new.scale:
                raise TensorError("load_state_dict", f"{name} with scale {have.scale}", str(new.scale))
        for name in common:
            own[name].detach().copy_(state_dict[name].detach())
        return missing, unexpected

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode (or evaluation) here and below."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(False)

    def apply(self: Self, fn: "Callable[[Module], Any]") -> Self:
        """Call `fn` on every submodule and then on this module."""
        for module in self._modules.values():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Make all parameters want gradients, or no longer."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def to(self: Self, *args: Any, dtype: DTypeLike = None, device: object = None) -> Self:
        """Convert dense floating-point parameters and buffers to a dtype; packed ones stay. The only device is "cpu"."""
        from ..creation import check_device

        for arg in args:
            if str(arg) == "cpu":
                continue
            try:
                dtype = as_dtype(arg)
            except TypeError:
                device = arg
        check_device("to", device)
        if dtype is None:
            return self
        chosen = as_dtype(dtype)
        for module in self.modules():
            for table in (module._parameters, module._buffers):
                for name, t in list(table.items()):
                    if t is None or t.is_packed or not t.dtype.is_floating_point or t.dtype is chosen:
                        continue
                    converted = t.detach().to(chosen)
                    setattr(module, name, Parameter(converted, t.requires_grad) if isinstance(t, Parameter) else converted)
        return self

    def float(self: Self) -> Self:
        """Convert to float32."""
        return self.to(dtype="float32")

    def double(self: Self) -> Self:
        """Convert to float64."""
        return self.to(dtype="float64")

    def extra_repr(self) -> str:
        """Return the text between the brackets of repr."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}({extra}\n  " + "\n  ".join(lines) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_hooks"], state["_pre_hooks"] = {}, {}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # A tensor stands both in a table and as an attribute: make them one again.
        for table in ("_parameters", "_buffers", "_modules"):
            for name, value in state[table].items():
                object.__setattr__(self, name, value)
