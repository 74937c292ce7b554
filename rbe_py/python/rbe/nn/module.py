"""The base of all layers."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .._arguments import describe, flag
from .._rbe import RBETensor
from ..dtypes import DTypeLike
from ..errors import DTypeError, GraphError, MissingMethodError, OutOfRangeError, TensorError
from . import state
from .conversion import convert
from .hooks import Hooked, call_with_hooks
from .lazy import Unbuilt, refuse
from .parameter import Parameter

__all__ = ["Module"]

Self = TypeVar("Self", bound="Module")


class Module(Hooked):
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

    # Parameters, buffers and submodules stand in a table each, and also in __dict__: reading one costs one look-up.
    _parameters: "dict[str, Parameter | None]"
    _buffers: "dict[str, RBETensor | None]"
    _modules: "dict[str, Module]"
    _transient: "set[str]"
    _unbuilt: "Unbuilt | None" = None  # set in layers whose input size is not known yet

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _transient=set(), _hooks={}, training=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the layer's result."""
        raise MissingMethodError("Module.forward", "a subclass that defines it", type(self).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward between the module's hooks."""
        if self._hooks:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def _tables(self) -> "tuple[dict[str, Any], dict[str, Any], dict[str, Any]]":
        try:
            return self._parameters, self._buffers, self._modules
        except AttributeError:
            name = type(self).__name__
            raise AttributeError(f"call super().__init__() in {name}.__init__ before assigning attributes") from None

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self._tables()
        parameters, buffers, modules = tables
        if isinstance(value, Parameter | Module):
            own = parameters if isinstance(value, Parameter) else modules
            for table in tables:
                if table is not own:
                    table.pop(name, None)
            own[name] = value
        elif name in parameters:
            if value is not None:
                raise DTypeError(f"{type(self).__name__}.{name}", "a Parameter or None", type(value).__name__)
            parameters[name] = None
        elif name in buffers:
            if value is not None and not isinstance(value, RBETensor):
                raise DTypeError(f"{type(self).__name__}.{name}", "a tensor or None for a buffer", type(value).__name__)
            buffers[name] = value
        elif name in modules:
            if value is not None:
                raise DTypeError(f"{type(self).__name__}.{name}", "a Module or None", type(value).__name__)
            del modules[name]
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in self._tables():
            table.pop(name, None)
        self._transient.discard(name)
        object.__delattr__(self, name)

    def _check_name(self, kind: str, name: str, table: "Mapping[str, Any]") -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise TensorError(f"register_{kind}", "a name that is not empty and has no dot", repr(name))
        if name not in table and hasattr(self, name):
            raise TensorError(f"register_{kind}", "the name of no attribute", repr(name))

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or (None) a place for one.

        Raises
        ------
        TensorError
            For a name that is empty, has a dot or belongs to an attribute.
        DTypeError
            For anything but a Parameter or None.
        """
        parameters = self._tables()[0]
        self._check_name("parameter", name, parameters)
        if param is not None and not isinstance(param, Parameter):
            raise DTypeError("register_parameter", "a Parameter or None", type(param).__name__)
        parameters[name] = param
        object.__setattr__(self, name, param)

    def register_buffer(self, name: str, tensor: RBETensor | None, persistent: bool = True) -> None:
        """Add a tensor that is not trained, and saved with the module if `persistent`.

        Raises
        ------
        TensorError
            For a name that is empty, has a dot or belongs to an attribute.
        DTypeError
            For anything but a tensor or None.
        """
        buffers = self._tables()[1]
        self._check_name("buffer", name, buffers)
        if tensor is not None and not isinstance(tensor, RBETensor):
            raise DTypeError("register_buffer", "a tensor or None", type(tensor).__name__)
        buffers[name] = tensor
        (self._transient.discard if persistent else self._transient.add)(name)
        object.__setattr__(self, name, tensor)

    def add_module(self, name: str, module: "Module") -> None:
        """Add a submodule.

        Raises
        ------
        TensorError
            For a name that is empty, has a dot or belongs to an attribute.
        DTypeError
            For anything but a module.
        """
        modules = self._tables()[2]
        self._check_name("module", name, modules)
        if not isinstance(module, Module):
            raise DTypeError("add_module", "a Module", type(module).__name__)
        modules[name] = module
        object.__setattr__(self, name, module)

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
                refuse(module, path)
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

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> "OrderedDict[str, RBETensor]":
        """Return parameters and persistent buffers by name; memory is shared.

        Parameters
        ----------
        prefix : str
            Put before every name.
        keep_vars : bool
            Return the parameters themselves instead of detached tensors.
        """
        entries = state.entries(self, prefix)
        return entries if keep_vars else OrderedDict((name, t.detach()) for name, t in entries.items())

    def load_state_dict(self, state_dict: Mapping[str, RBETensor], strict: bool = True) -> state.IncompatibleKeys:
        """Copy values into parameters and buffers.

        Parameters
        ----------
        state_dict : mapping of str to tensor
        strict : bool
            Raise for names that are missing or unexpected.

        Returns
        -------
        IncompatibleKeys
            Names that `state_dict` lacks, and names that this module has not.

        Raises
        ------
        DTypeError
            For anything but a mapping of names to tensors.
        TensorError
            For missing or unexpected names, if strict, or a packed tensor of another scale.
        ShapeError
            For a tensor of another shape, packed instead of dense, or the reverse. All that is wrong is named.

        Nothing has changed after an error.
        """
        return state.load(self, state_dict, flag("load_state_dict", "strict", strict))

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
        """Make all parameters want gradients, or no longer."""
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
        """
        convert(self, args, dtype, device)
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

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__dict__.update(pickled)
        # A tensor stands both in a table and as an attribute: make them one again.
        for table in self._tables():
            self.__dict__.update(table)
