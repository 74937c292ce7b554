"""Modules that hold modules or parameters."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from .._rbe import RBETensor
from ..errors import OutOfRangeError
from .module import Module
from .parameter import Parameter

Self = TypeVar("Self", bound="_Ordered")


def _place(op: str, index: int, length: int) -> int:
    at = index + length if index < 0 else index
    if not 0 <= at < length:
        raise OutOfRangeError(op, f"an index from {-length} to {length - 1}", str(index))
    return at


class _Ordered(Module):
    """Modules that have places, and are named by them unless names were given."""

    def append(self: Self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: Self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return self._part(list(self._modules.items())[index])
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name(index), module)

    def _name(self, index: int) -> str:
        return list(self._modules)[_place(type(self).__name__, index, len(self))]

    def _part(self, named: list[tuple[str, Module]]) -> Module:
        raise NotImplementedError


class Sequential(_Ordered):
    """Modules applied one after another.

    Parameters
    ----------
    *modules : modules, or one mapping of names to modules

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.nn.Linear(4, 3), rbe.nn.ReLU())
    >>> model(rbe.zeros(2, 4)).shape, len(model)
    ((2, 3), 2)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named: Iterable[tuple[str, Any]] = ((str(i), module) for i, module in enumerate(modules))
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        for name, module in named:
            self.add_module(name, module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self._modules.values():
            x = module(x)
        return x

    def _part(self, named: list[tuple[str, Module]]) -> Module:
        return type(self)(dict(named))


class ModuleList(_Ordered):
    """A list of modules.

    Examples
    --------
    >>> import rbe
    >>> layers = rbe.nn.ModuleList([rbe.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Add a module before the place `index`."""
        listed = list(self)
        listed.insert(index, module)
        for i, m in enumerate(listed):
            self.add_module(str(i), m)

    def _part(self, named: list[tuple[str, Module]]) -> Module:
        return type(self)([module for _, module in named])


class ModuleDict(Module):
    """Modules by name.

    Examples
    --------
    >>> import rbe
    >>> layers = rbe.nn.ModuleDict({"a": rbe.nn.Linear(2, 2)})
    >>> [name for name, _ in layers.named_parameters()]
    ['a.weight', 'a.bias']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add or replace modules."""
        for name, module in modules.items():
            self.add_module(name, module)

    def pop(self, name: str) -> Module:
        """Remove a module and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return names and modules."""
        return self._modules.items()


class ParameterList(Module):
    """A list of parameters; plain tensors are made parameters.

    Examples
    --------
    >>> import rbe
    >>> list_ = rbe.nn.ParameterList([rbe.nn.Parameter(rbe.zeros(2))])
    >>> len(list_)
    1
    """

    def __init__(self, values: Iterable[RBETensor] = ()) -> None:
        super().__init__()
        self.extend(values)

    def append(self, value: RBETensor) -> "ParameterList":
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self

    def extend(self, values: Iterable[RBETensor]) -> "ParameterList":
        """Add parameters at the end."""
        for value in values:
            self.append(value)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return (p for p in self._parameters.values() if p is not None)

    def __getitem__(self, index: int) -> Parameter:
        return list(self)[_place("ParameterList", index, len(self))]

    def __setitem__(self, index: int, value: RBETensor) -> None:
        place = str(_place("ParameterList", index, len(self)))
        self.register_parameter(place, value if isinstance(value, Parameter) else Parameter(value))

    def extra_repr(self) -> str:
        """Return the shapes."""
        return ", ".join(str(tuple(p.shape)) for p in self)
