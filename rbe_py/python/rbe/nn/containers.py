"""Modules that hold modules or parameters."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, overload

from .._arguments import describe
from .._tensor import RBETensor
from ..errors import DTypeError, OutOfRangeError, TensorError, UnknownNameError
from .module import Module
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]

LONGEST = 1_000_000  # times that a Sequential is repeated
T = TypeVar("T", Module, Parameter)
Self = TypeVar("Self", bound="_Ordered[Any]")


def _listed(op: str, values: Any) -> list[Any]:
    if isinstance(values, RBETensor) or not isinstance(values, Iterable):
        raise DTypeError(op, "an iterable", describe(values))
    return list(values)


class _Ordered(Module, Generic[T]):
    """Base of containers with an order; entries are named by their index unless names were given."""

    _table: ClassVar[str] = "_modules"

    def _held(self) -> dict[str, T]:
        held: dict[str, T] = self.__dict__[self._table]
        return held

    def _taken(self, op: str, value: Any) -> T:
        """Return a value as it is kept."""
        raise NotImplementedError

    def _part(self, named: list[tuple[str, T]]) -> Any:
        """Return a container of some of the entries."""
        raise NotImplementedError

    def _replace(self, named: Iterable[tuple[str, T]]) -> None:
        """Hold these entries, in this order, instead of all others."""
        listed = list(named)
        for name in list(self._held()):
            delattr(self, name)
        for name, value in listed:
            setattr(self, name, value)

    def _numbered(self, values: Iterable[T]) -> None:
        self._replace((str(i), value) for i, value in enumerate(values))

    def _free_name(self) -> str:
        """Return the number of entries as a name, or the next number that is no name yet."""
        held, number = self._held(), len(self._held())
        while str(number) in held:
            number += 1
        return str(number)

    def _place(self, index: Any, end: int = 0) -> int:
        op, length = type(self).__name__, len(self)
        try:
            given = operator.index(index)
        except TypeError:
            raise DTypeError(op, "an integer or a slice as index", describe(index)) from None
        at = given + length if given < 0 else given
        if not 0 <= at < length + end:
            raise OutOfRangeError(op, f"an index from {-length} to {length - 1 + end}", str(given))
        return at

    def append(self: Self, value: Any) -> Self:
        """Add an entry at the end."""
        return self.extend([value])

    def extend(self: Self, values: Iterable[Any]) -> Self:
        """Add entries at the end.

        Raises
        ------
        DTypeError
            If one is of a wrong kind; nothing has changed then.
        """
        op = f"{type(self).__name__}.extend"
        for value in [self._taken(op, v) for v in _listed(op, values)]:
            setattr(self, self._free_name(), value)
        return self

    def insert(self: Self, index: int, value: Any) -> Self:
        """Add an entry before the place `index`; entries named by numbers are renumbered.

        Raises
        ------
        OutOfRangeError
            For a place beyond the end.
        """
        at, taken = self._place(index, 1), self._taken(f"{type(self).__name__}.insert", value)
        named = list(self._held().items())
        named.insert(at, (self._free_name(), taken))
        if all(name.isdigit() for name, _ in named):
            self._numbered(entry for _, entry in named)
        else:
            self._replace(named)
        return self

    def pop(self, key: int | slice = -1) -> Any:
        """Remove and return an entry, or those of a slice; the remaining entries are renumbered."""
        found = self[key]
        del self[key]
        return found

    def __delitem__(self, index: int | slice) -> None:
        left = list(self._held().values())
        del left[index if isinstance(index, slice) else self._place(index)]
        self._numbered(left)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._held().values()))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        named = list(self._held().items())
        return self._part(named[index]) if isinstance(index, slice) else named[self._place(index)][1]

    def __setitem__(self, index: int, value: Any) -> None:
        name = list(self._held())[self._place(index)]
        setattr(self, name, self._taken(type(self).__name__, value))

    def __iadd__(self: Self, values: Iterable[Any]) -> Self:
        return self.extend(values)


class _OrderedModules(_Ordered[Module]):
    """Base of containers of modules with an order."""

    def _taken(self, op: str, value: Any) -> Module:
        if not isinstance(value, Module):
            raise DTypeError(op, "modules", describe(value))
        return value


class Sequential(_OrderedModules):
    """Modules applied one after another.

    Parameters
    ----------
    *modules : modules, or one list of modules, or one mapping of names to modules

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.nn.Linear(4, 3), rbe.nn.ReLU())
    >>> model(rbe.zeros(2, 4)).shape, len(model)
    ((2, 3), 2)
    """

    def __init__(self, *modules: Module | Sequence[Module] | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], list | tuple):
            modules = tuple(modules[0])
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

    def _part(self, named: list[tuple[str, Module]]) -> Any:
        return type(self)(dict(named))

    def __add__(self, other: Any) -> "Sequential":
        return Sequential(*self, *self._sequence(other))

    def __iadd__(self, other: Any) -> "Sequential":
        return self.extend(self._sequence(other))

    def __mul__(self, times: int) -> "Sequential":
        return Sequential(*(list(self) * self._times(times)))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> "Sequential":
        return self.extend(list(self) * (self._times(times) - 1))

    def _sequence(self, other: Any) -> "Sequential":
        if not isinstance(other, Sequential):
            raise DTypeError("Sequential", "a Sequential to add", describe(other))
        return other

    def _times(self, times: Any) -> int:
        if not isinstance(times, int) or isinstance(times, bool):
            raise DTypeError("Sequential", "an integer to multiply by", describe(times))
        if not 1 <= times <= LONGEST:
            raise TensorError("Sequential", f"a factor from 1 to {LONGEST}", describe(times))
        return times


class ModuleList(_OrderedModules):
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
        self.extend(() if modules is None else modules)

    def _part(self, named: list[tuple[str, Module]]) -> Any:
        return type(self)([module for _, module in named])

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *_listed("ModuleList", other)])


class ModuleDict(Module):
    """Modules by name.

    Examples
    --------
    >>> import rbe
    >>> layers = rbe.nn.ModuleDict({"a": rbe.nn.Linear(2, 2)})
    >>> [name for name, _ in layers.named_parameters()]
    ['a.weight', 'a.bias']
    """

    def __init__(self, modules: "Mapping[str, Module] | ModuleDict | Iterable[tuple[str, Module]] | None" = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def update(self, modules: "Mapping[str, Module] | ModuleDict | Iterable[tuple[str, Module]]") -> None:
        """Add or replace modules, from a mapping or from pairs of names and modules.

        Raises
        ------
        DTypeError
            For anything else.
        """
        op = "ModuleDict.update"
        pairs = list(modules.items()) if isinstance(modules, Mapping | ModuleDict) else _listed(op, modules)
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], Module):
                raise DTypeError(op, "names and modules", describe(pair))
        for name, module in pairs:
            self.add_module(name, module)

    def clear(self) -> None:
        """Remove all modules."""
        for name in list(self._modules):
            delattr(self, name)

    def pop(self, name: str) -> Module:
        """Remove a module and return it.

        Raises
        ------
        UnknownNameError
            For a name that is not there.
        """
        module = self[name]
        delattr(self, name)
        return module

    def __getitem__(self, name: str) -> Module:
        if name not in self:
            raise UnknownNameError("ModuleDict", f"one of {', '.join(self._modules)}", describe(name))
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return names and modules."""
        return self._modules.items()


class ParameterList(_Ordered[Parameter]):
    """A list of parameters; plain tensors are made parameters.

    Examples
    --------
    >>> import rbe
    >>> list_ = rbe.nn.ParameterList([rbe.nn.Parameter(rbe.zeros(2))])
    >>> len(list_)
    1
    """

    _table: ClassVar[str] = "_parameters"

    def __init__(self, values: Iterable[RBETensor] = ()) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def _taken(self, op: str, value: Any) -> Parameter:
        if not isinstance(value, RBETensor):
            raise DTypeError(op, "tensors", describe(value))
        return value if isinstance(value, Parameter) else Parameter(value)

    def _part(self, named: list[tuple[str, Parameter]]) -> Any:
        return type(self)([value for _, value in named])

    def extra_repr(self) -> str:
        """Return the shapes."""
        return ", ".join(str(tuple(p.shape)) for p in self)
