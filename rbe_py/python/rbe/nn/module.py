"""The base class of layers and models: contents, calls and hooks, lazy parameters, state, modes."""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from .. import _rbe
from .._arguments import describe, flag
from .._tensor import RBETensor
from ..device import check_device
from ..dtypes import DTypeLike, as_dtype
from ..errors import DTypeError, GraphError, MissingMethodError, OutOfRangeError, ShapeError, TensorError
from ._backward_hooks import Watch
from .parameter import Parameter

__all__ = ["Handle", "IncompatibleKeys", "Module", "Unbuilt"]

Self = TypeVar("Self", bound="Module")
Hooks = dict[int, tuple[str, Callable[..., Any]]]
Tables = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]

_TAKEN = ("a Parameter or None", "a tensor or None for a buffer", "a Module or None")  # by attributes, for each table
_BUILD = -1  # number of the hook that creates lazy parameters


class Handle:
    """A registered hook."""

    numbers = itertools.count()

    def __init__(self, hooks: Hooks, kind: str, hook: Callable[..., Any]) -> None:
        self._hooks, self._number = hooks, next(Handle.numbers)
        hooks[self._number] = (kind, hook)

    def remove(self) -> None:
        """Remove the hook."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class IncompatibleKeys(NamedTuple):
    """Names that were missing from a state dict, and names in it that the module does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Unbuilt(NamedTuple):
    """How the input size of a layer without parameters is inferred: from its first input, or from a state that is loaded."""

    size: str  # attribute that holds the size; 0 until the layer is built, as in torch
    axis: int  # of the input, whose length the size is
    groups: int = 1  # size over the length of the source's axis
    source: tuple[str, int] = ("weight", 1)  # name and axis of the tensor of a state
    ndims: tuple[int, ...] = ()  # numbers of axes that an input may have; any that reaches `axis` if empty
    dtype: DTypeLike = None  # of the parameters; that of the first input by default


class Module:
    """A layer or a model: parameters, buffers, submodules and a forward method.

    Tensors wrapped in `Parameter` and modules register themselves when assigned to attributes.

    Examples
    --------
    >>> import rbe
    >>> class Net(rbe.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = rbe.nn.RBELinear(64, 32)
    ...         self.out = rbe.nn.Linear(32, 10)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> Net()(rbe.zeros(5, 64)).shape
    (5, 10)
    """

    training: bool

    # Parameters, buffers and submodules are in one table each and also in __dict__, so that reading an attribute is one lookup.
    _parameters: "dict[str, Parameter | None]"
    _buffers: "dict[str, RBETensor | None]"
    _modules: "dict[str, Module]"
    _transient: set[str]  # buffers that are not saved
    _hooks: Hooks
    _unbuilt: Unbuilt | None = None

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _transient=set(), _hooks={}, training=True)

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__dict__.update(pickled)
        for table in self._tables():  # unpickling has made two objects of an attribute and its table entry
            self.__dict__.update(table)

    # Contents

    def _tables(self) -> Tables:
        try:
            return self._parameters, self._buffers, self._modules
        except AttributeError:
            name = type(self).__name__
            raise AttributeError(f"call super().__init__() in {name}.__init__ before assigning attributes") from None

    def __setattr__(self, name: str, value: Any) -> None:
        parameters, buffers, modules = tables = self._tables()
        if isinstance(value, Parameter | Module):
            own = parameters if isinstance(value, Parameter) else modules
            for table in tables:
                if table is not own:
                    table.pop(name, None)
            own[name] = value
        elif name in parameters or name in buffers or name in modules:
            table, wanted = next(found for found in zip(tables, _TAKEN, strict=True) if name in found[0])
            if value is not None and not (table is buffers and isinstance(value, RBETensor)):
                raise DTypeError(f"{type(self).__name__}.{name}", wanted, type(value).__name__)
            table[name] = value
            if table is modules:
                del modules[name]
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in self._tables():
            table.pop(name, None)
        self._transient.discard(name)
        object.__delattr__(self, name)

    def _add(self, op: str, table: dict[str, Any], name: str, value: Any, wanted: str | None) -> None:
        """Add an entry to a table, unless something is `wanted` in the place of the value."""
        if not isinstance(name, str) or not name or "." in name:
            raise TensorError(op, "a name that is not empty and has no dot", repr(name))
        if name not in table and hasattr(self, name):
            raise TensorError(op, "the name of no attribute", repr(name))
        if wanted is not None:
            raise DTypeError(op, wanted, type(value).__name__)
        table[name] = value
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or (None) a place for one.

        Raises
        ------
        TensorError
            For a name that is empty, has a dot or belongs to an attribute.
        DTypeError
            For anything but a Parameter or None.
        """
        fits = isinstance(param, Parameter | None)
        self._add("register_parameter", self._tables()[0], name, param, None if fits else "a Parameter or None")

    def register_buffer(self, name: str, tensor: RBETensor | None, persistent: bool = True) -> None:
        """Add a tensor that is not trained, and saved with the module if `persistent`.

        Raises
        ------
        TensorError, DTypeError
            As `register_parameter`; for anything but a tensor or None.
        """
        fits = isinstance(tensor, RBETensor | None)
        self._add("register_buffer", self._tables()[1], name, tensor, None if fits else "a tensor or None")
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: "Module") -> None:
        """Add a submodule.

        Raises
        ------
        TensorError, DTypeError
            As `register_parameter`; for anything but a module.
        """
        self._add("add_module", self._tables()[2], name, module, None if isinstance(module, Module) else "a Module")

    register_module = add_module

    def named_modules(
        self, memo: "set[int] | None" = None, prefix: str = "", remove_duplicate: bool = True
    ) -> "Iterator[tuple[str, Module]]":
        """Yield this module and all below with their names, each once unless `remove_duplicate` is False."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> "Iterator[Module]":
        """Yield this module and all below, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> "Iterator[tuple[str, Module]]":
        """Yield the direct submodules with their names."""
        return iter(list(self._modules.items()))

    def children(self) -> "Iterator[Module]":
        """Yield the direct submodules."""
        return (module for _, module in self.named_children())

    def get_submodule(self, target: str) -> "Module":
        """Return the module of a dotted name; "" is this one.

        Raises
        ------
        OutOfRangeError
            If there is none.
        """
        module = self
        if not isinstance(target, str):
            raise DTypeError("get_submodule", "a name", describe(target))
        for part in target.split(".") if target else ():
            if part not in module._modules:
                raise OutOfRangeError("get_submodule", f"a module below {type(self).__name__}", repr(target))
            module = module._modules[part]
        return module

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of a dotted name.

        Raises
        ------
        OutOfRangeError
            If there is none.
        """
        if not isinstance(target, str):
            raise DTypeError("get_parameter", "a name", describe(target))
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise OutOfRangeError("get_parameter", f"a parameter of {type(self).__name__}", repr(target))
        return found

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in owners:
            if table == "_parameters":
                module._check_built(path)
            for name, value in module.__dict__[table].items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield parameters with their names, each once unless `remove_duplicate` is False."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, RBETensor]]:
        """Yield buffers with their names, each once unless `remove_duplicate` is False."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[RBETensor]:
        """Yield buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    # Calls, and hooks around them

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the layer's result."""
        raise MissingMethodError("Module.forward", "a subclass that defines it", type(self).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward between the module's hooks."""
        if not self._hooks:
            return self.forward(*args, **kwargs)
        hooks = tuple(self._hooks.values())
        for kind, hook in hooks:
            if kind == "forward_pre" and (changed := hook(self, args)) is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        watching = [hook for kind, hook in hooks if kind == "backward"]
        watch = Watch(self, watching, args) if watching and _rbe.is_grad_enabled() else None
        result = self.forward(*(watch.args if watch else args), **kwargs)
        for kind, hook in hooks:
            if kind == "forward" and (changed := hook(self, args, result)) is not None:
                result = changed
        return watch.outward(result) if watch else result

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments."""
        return Handle(self._hooks, "forward_pre", hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args, result)` after forward; what it returns replaces the result."""
        return Handle(self._hooks, "forward", hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        Both are tuples, `grad_input` with a place for every positional argument and `grad_output` with one for every result;
        None stands for what is no tensor or received no gradient. A tuple that the hook returns replaces `grad_input`.

        Raises
        ------
        DTypeError
            At a call whose result is neither a tensor nor a tuple or list.
        GraphError
            In backward: for a hook that returns another number of gradients.
        """
        return Handle(self._hooks, "backward", hook)

    # Lazy parameters, of layers with a method `_build(size, dtype)`

    def _defer(self, unbuilt: Unbuilt) -> None:
        """Register weight and bias as None, to be created from the first input or a loaded state."""
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        setattr(self, unbuilt.size, 0)
        self._unbuilt = unbuilt
        self._hooks[_BUILD] = ("forward_pre", _build_by_input)

    def _finish(self, size: int, dtype: DTypeLike) -> None:
        unbuilt: Any = self._unbuilt
        self._build(size, unbuilt.dtype or dtype)  # type: ignore[attr-defined]
        self._hooks.pop(_BUILD, None)
        self._unbuilt = None

    def _check_built(self, path: str) -> None:
        if self._unbuilt is not None:
            name = f"{type(self).__name__} {path!r}" if path else type(self).__name__
            wanted = "layers of known sizes: call the model on an input, or load a state, first"
            raise GraphError("parameters", wanted, f"{name} without {self._unbuilt.size}")

    # State

    def _entries(self, prefix: str = "") -> "OrderedDict[str, RBETensor]":
        """Return parameters and persistent buffers here and below by name."""
        out: OrderedDict[str, RBETensor] = OrderedDict()
        for path, owner in self.named_modules(remove_duplicate=False):
            owner._check_built(path)
            lead = prefix + (f"{path}." if path else "")
            saved = (entry for entry in owner._buffers.items() if entry[0] not in owner._transient)
            out.update((lead + name, t) for name, t in (*owner._parameters.items(), *saved) if t is not None)
        return out

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> "OrderedDict[str, RBETensor]":
        """Return parameters and persistent buffers by name; memory is shared.

        Parameters
        ----------
        prefix : str
            Put before every name.
        keep_vars : bool
            Return the parameters themselves instead of detached tensors.
        """
        entries = self._entries(prefix)
        return entries if keep_vars else OrderedDict((name, t.detach()) for name, t in entries.items())

    def load_state_dict(self, state_dict: Mapping[str, RBETensor], strict: bool = True) -> IncompatibleKeys:
        """Copy values into parameters and buffers. Lazy layers get their parameters if their size follows from the state.

        Parameters
        ----------
        state_dict : mapping of str to tensor
        strict : bool
            Raise for names that are missing or unexpected.

        Returns
        -------
        IncompatibleKeys
            Names missing from `state_dict`, and names that this module does not have.

        Raises
        ------
        DTypeError
            For anything but a mapping of names to tensors.
        TensorError
            For missing or unexpected names, if strict, or a packed tensor of another scale.
        ShapeError
            For tensors of another shape, or packed instead of dense or the reverse. The message names all of them.

        Nothing has changed after an error.
        """
        strict = flag("load_state_dict", "strict", strict)
        if not isinstance(state_dict, Mapping):
            raise DTypeError("load_state_dict", "a mapping of names to tensors", describe(state_dict))
        for name, t in state_dict.items():
            if not isinstance(name, str) or not isinstance(t, RBETensor):
                raise DTypeError("load_state_dict", "names and tensors", f"{describe(name)}: {describe(t)}")
        built: list[tuple[Module, Unbuilt]] = []
        try:
            for path, layer in self.named_modules():
                if (unbuilt := layer._unbuilt) is not None:
                    name, axis = unbuilt.source
                    source = state_dict.get(f"{path}.{name}" if path else name)
                    if source is not None and source.ndim > axis:
                        layer._finish(source.shape[axis] * unbuilt.groups, None)
                        built.append((layer, unbuilt))
            own = self._entries()
            return _copy_state(f"the {len(own)} names of {type(self).__name__}", own, state_dict, strict)
        except BaseException:
            for layer, unbuilt in built:
                layer._defer(unbuilt)
            raise

    # Modes

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode (or evaluation) here and below."""
        training = flag("train", "mode", mode)
        for module in self.modules():
            object.__setattr__(module, "training", training)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(False)

    def apply(self: Self, fn: "Callable[[Module], Any]") -> Self:
        """Call `fn` on every submodule and then on this module."""
        if not callable(fn):
            raise DTypeError("apply", "a function of a module", describe(fn))
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` of all parameters."""
        wanted = flag("requires_grad_", "requires_grad", requires_grad)
        for p in self.parameters():
            p.requires_grad = wanted
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Raises
        ------
        GraphError
            For set_to_none=False: gradients are dropped, never filled with zeros.
        """
        if not flag("zero_grad", "set_to_none", set_to_none):
            raise GraphError("zero_grad", "set_to_none=True", "False")
        for p in self.parameters():
            p.grad = None

    def to(self: Self, *args: Any, dtype: DTypeLike = None, device: object = None) -> Self:
        """Convert dense floating-point parameters and buffers to a dtype; packed ones stay. The only device is "cpu".

        Parameters of another dtype are replaced by new ones: make the optimiser afterwards.

        Raises
        ------
        DeviceError
            For another device.
        DTypeError
            For a dtype that is not of floats.
        """
        for arg in args:
            try:
                dtype = as_dtype(arg)
            except DTypeError:
                device = arg
        check_device("to", device)
        chosen = None if dtype is None else as_dtype(dtype)
        if chosen is not None and not chosen.is_floating_point:
            raise DTypeError("to", "a dtype of floats", chosen.name)
        replaced: dict[int, RBETensor] = {}
        for owner in self.modules() if chosen is not None else ():
            for name, t in [*owner._parameters.items(), *owner._buffers.items()]:
                if t is None or t.is_packed or not t.dtype.is_floating_point or t.dtype is chosen:
                    continue
                if id(t) not in replaced:
                    converted = t.detach().to(chosen)
                    replaced[id(t)] = Parameter(converted, t.requires_grad) if isinstance(t, Parameter) else converted
                setattr(owner, name, replaced[id(t)])
        return self

    def float(self: Self) -> Self:
        """Convert to float32."""
        return self.to(dtype="float32")

    def double(self: Self) -> Self:
        """Convert to float64."""
        return self.to(dtype="float64")

    def half(self: Self) -> Self:
        """Convert to float16, to compute and to save: optimisers train float32 and float64."""
        return self.to(dtype="float16")

    def bfloat16(self: Self) -> Self:
        """Convert to bfloat16, to compute and to save: optimisers train float32 and float64."""
        return self.to(dtype="bfloat16")

    def extra_repr(self) -> str:
        """Return the text between the brackets of repr."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}({extra}\n  " + "\n  ".join(lines) + "\n)"


def _build_by_input(module: Module, args: tuple[Any, ...]) -> None:
    """Create the parameters of a layer before its first forward."""
    unbuilt, input = module._unbuilt, args[0] if args else None
    if unbuilt is None:
        return
    if not isinstance(input, RBETensor):
        raise DTypeError(type(module).__name__, "a tensor as input", type(input).__name__)
    if input.ndim not in unbuilt.ndims if unbuilt.ndims else input.ndim < -unbuilt.axis:
        wanted = " or ".join(map(str, unbuilt.ndims)) or f"at least {-unbuilt.axis}"
        raise ShapeError(type(module).__name__, f"x of {wanted} axes", str(tuple(input.shape)))
    module._finish(input.shape[unbuilt.axis], input.dtype if input.dtype.is_floating_point else None)


def _copy_state(wanted: str, own: Mapping[str, RBETensor], given: Mapping[str, RBETensor], strict: bool) -> IncompatibleKeys:
    """Copy the tensors of one state into those of another, unless something is wrong with one of them."""
    result = IncompatibleKeys([n for n in own if n not in given], [n for n in given if n not in own])
    if strict and (result.missing_keys or result.unexpected_keys):
        parts = [f"{kind} {', '.join(names)}" for kind, names in zip(("missing", "unexpected"), result, strict=True) if names]
        raise TensorError("load_state_dict", wanted, "; ".join(parts))
    common = [name for name in own if name in given]
    for error, property_of in ((ShapeError, _shape), (TensorError, _scale)):
        wrong = [n for n in common if property_of(own[n]) != property_of(given[n])]
        if wrong:
            expected = ", ".join(f"{n} {property_of(own[n])}" for n in wrong)
            raise error("load_state_dict", expected, ", ".join(property_of(given[n]) for n in wrong))
    for name in common:
        own[name].detach().copy_(given[name].detach())
    return result


def _shape(t: RBETensor) -> str:
    return f"{'packed' if t.is_packed else 'dense'} {tuple(t.shape)}"


def _scale(t: RBETensor) -> str:
    return f"with scale {t.scale}" if t.is_packed else ""
