"""Wrappers of public functions whose errors name the wrong argument.

Without them `relu(3)` would end in "'int' object has no attribute 'relu'", unless `relu` checked the type of its argument in
every call. The wrapper of a public function or method passes its arguments on and examines them only when an error is raised: a
DTypeError then names an argument that does not fit its annotation, or that lacks an attribute. Errors raised in user code or
deliberately by the package pass unchanged. Only arguments annotated as bool are checked before the call: everything in Python
has a truth value, and `bias="False"` would make a layer with a bias.

A wrapper has the parameters of its function, by name, so that a call costs some 50 ns more.
"""

import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import update_wrapper
from typing import Any

import numpy as np

from . import _rbe
from ._arguments import describe, flag
from ._tensor import RBETensor
from .errors import DTypeError, FormatError, OutOfRangeError, RBEError, TensorError, UnknownNameError

_PACKAGE = os.path.dirname(__file__) + os.sep
_NUMPY = os.path.dirname(np.__file__) + os.sep
_STANDARD = os.path.dirname(os.__file__) + os.sep
_INSTALLED = f"{os.sep}site-packages{os.sep}"

_LOOKED_AT = 16  # elements of a sequence

# Errors of Python that a wrong argument may cause inside the package.
_CAUGHT = (AttributeError, LookupError, ArithmeticError, TypeError, ValueError, RecursionError, OSError)

# Methods that Python calls for operators; errors of those for attributes and iteration have a meaning to Python.
_OPERATORS = frozenset(
    f"__{name}__"
    for name in (
        "init", "call", "getitem", "setitem", "delitem", "contains", "len", "deepcopy", "neg", "abs", "invert",
        "lt", "le", "gt", "ge",
        *(side + name for side in ("", "r", "i") for name in (
            "add", "sub", "mul", "truediv", "matmul", "pow", "mod", "floordiv", "and", "or", "xor",
        )),
    )
)  # fmt: skip


def _kind(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    return hint if origin is None else origin


def _allows(hint: Any, value: Any) -> bool:
    """Return whether an annotation allows a value; True if that cannot be decided."""
    kind, parts = _kind(hint), typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(_allows(part, value) for part in parts)
    if kind is typing.Literal:
        return value in parts
    if kind in (None, type(None)):
        return value is None
    if kind is bool:
        return isinstance(value, bool | int | np.bool_)
    if kind in (int, float):
        return isinstance(value, kind | int) or hasattr(type(value), "__float__" if kind is float else "__index__")
    if kind is Callable:
        return callable(value)
    if kind is Any or not isinstance(kind, type):
        return True
    if not isinstance(value, kind):
        return False
    if parts and isinstance(value, list | tuple):
        if kind is tuple and parts[-1] is not ...:
            return len(parts) == len(value) and all(map(_allows, parts, value))
        return all(_allows(parts[0], part) for part in value[:_LOOKED_AT])
    return True


def _misfit(name: str, hint: Any, value: Any) -> tuple[str, str] | None:
    """Return the expected and the given value of an argument, or its part, that does not fit its annotation; else None."""
    if _allows(hint, value):
        return None
    choices = typing.get_args(hint) if _kind(hint) in (typing.Union, types.UnionType) else (hint,)
    for choice in choices:
        kind, parts = _kind(choice), typing.get_args(choice)
        if parts and isinstance(kind, type) and isinstance(value, kind) and isinstance(value, list | tuple):
            if kind is tuple and parts[-1] is not ... and len(parts) != len(value):
                continue
            of = parts if kind is tuple and parts[-1] is not ... else (parts[0],) * len(value)
            for i, (part_hint, part) in enumerate(zip(of, value, strict=True)):
                if (wrong := _misfit(f"{name}[{i}]", part_hint, part)) is not None:
                    return wrong
    return f"{_words(hint)} as {name}", describe(value)


_WORDS = {RBETensor: "a tensor", int: "an integer", float: "a number", bool: "True or False", str: "a string"}
_MANY = {RBETensor: "tensors", int: "integers", float: "numbers", bool: "True or False", str: "strings"}


def _words(hint: Any, many: bool = False) -> str:
    """Return the words for an annotation in an error message."""
    kind, parts = _kind(hint), [part for part in typing.get_args(hint) if part is not ...]
    if kind in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(part, many) for part in parts))
    if kind is typing.Literal:
        return " or ".join(map(repr, parts))
    if kind in (None, type(None)):
        return "None"
    if kind is Callable:
        return "functions" if many else "a function"
    if kind in _WORDS:
        return _MANY[kind] if many else _WORDS[kind]
    name = getattr(kind, "__name__", str(kind))
    if isinstance(kind, type) and issubclass(kind, Iterable) and not issubclass(kind, Mapping | Set):
        what = f" of {_words(parts[0], True)}" if len(set(map(str, parts))) == 1 and parts[0] is not Any else ""
        return f"{name.lower()}s{what}" if many else f"a {name.lower()}{what}"
    return f"objects of type {name}" if many else f"an object of type {name}"


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:  # a class that the module imports only for type checkers
        package = sys.modules[__package__]
        parts = (package.nn, package.optim, package)
        known = {name: value for part in parts for name, value in vars(part).items() if name[:1].isupper()}
        try:
            return typing.get_type_hints(function, localns=known)
        except Exception:
            return {}
    except Exception:
        return {}


def _from_inside(error: BaseException) -> bool:
    """Whether an error was raised within the function by the package or a library of its own, not by code of the user."""
    trace = error.__traceback__ and error.__traceback__.tb_next
    if trace is None:
        return False  # the arguments do not fit the parameters, which Python's message says
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        library = file.startswith(_STANDARD) and _INSTALLED not in file
        if not (file.startswith((_PACKAGE, _NUMPY, "<frozen ", "<__array_function__")) or library):
            return False
        trace = trace.tb_next
    return True


def _holder(value: Any, arguments: Mapping[str, Any]) -> str | None:
    """Return the name of the argument that is a value, or holds it."""
    for name, given in arguments.items():
        if given is value:
            return name
        if isinstance(given, list | tuple | dict):
            for key, part in given.items() if isinstance(given, dict) else enumerate(given):
                if part is value:
                    return f"{name}[{key!r}]"
    return None


def explain(
    error: BaseException, function: Any, values: tuple[Any, ...], more: tuple[Any, ...], by_name: dict[str, Any]
) -> BaseException | None:
    """Return the error to raise instead, None for one that already names the argument or comes from user code.

    Parameters
    ----------
    error : exception
    function : function
        The function that raised it.
    values : tuple
        Arguments of the named parameters.
    more, by_name : tuple and dict
        Arguments in `*args` and `**kwargs`.
    """
    own = isinstance(error, RBEError)
    if hasattr(error, "__explained__") or not _from_inside(error):
        return None
    code = function.__code__
    given = dict(zip(code.co_varnames, values, strict=False))
    if more:
        star = code.co_varnames[len(values)]
        given.update((f"{star}[{i}]", value) for i, value in enumerate(more))
    given.update(by_name)
    try:
        op = _name(function, given)
        found = _of_old_extension(error) or _named(error, function, op, given)
        if found is None and not own:
            found = _translated(error, op, given)
    except Exception:  # an argument that cannot even be asked for its type
        return None
    if found is not None:
        found.__explained__ = True  # type: ignore[attr-defined]
    return found


def _of_old_extension(error: BaseException) -> BaseException | None:
    """Return an error that says so if the compiled extension lacks what the package asks of it: no argument is wrong then."""
    if not isinstance(error, AttributeError) or not error.name:
        return None
    if error.obj is not _rbe and not (isinstance(error.obj, RBETensor) and error.name.startswith("_")):
        return None
    text = f"{_rbe.__file__} was built from other sources than this package (it lacks {error.name!r}): build it again"
    return AttributeError(text, name=error.name, obj=error.obj)


def _named(error: BaseException, function: Any, op: str, given: dict[str, Any]) -> BaseException | None:
    """Return an error that names the wrong argument. Errors of the package are replaced only if a tensor was expected."""
    hints = _hints(function)
    for name, value in given.items():
        hint = hints.get(name.partition("[")[0], Any)
        wrong = _misfit(name, hint, value)
        if wrong is not None and (not isinstance(error, RBEError) or RBETensor in (hint, *typing.get_args(hint))):
            return DTypeError(op, *wrong)
    if isinstance(error, RBEError):
        return None
    if isinstance(error, AttributeError) and error.name and (held := _holder(error.obj, given)) is not None:
        wanted = "a tensor" if hasattr(RBETensor, error.name) else f"an object with the attribute {error.name}"
        return DTypeError(op, f"{wanted} as {held}", describe(error.obj))
    return None


def _translated(error: BaseException, op: str, given: dict[str, Any]) -> BaseException | None:
    """Return an error of the package for one of Python's that has no single wrong argument."""
    if isinstance(error, OSError):
        return FormatError(op, "a file that can be read and written", str(error))
    if isinstance(error, TypeError | ValueError) and not isinstance(error, UnicodeError):
        return None
    got = f"{', '.join(f'{name} = {describe(value)}' for name, value in given.items())} ({type(error).__name__}: {error})"
    kind = (
        OutOfRangeError if isinstance(error, IndexError) else UnknownNameError if isinstance(error, KeyError) else TensorError
    )
    return kind(op, "arguments that it can work with", got)


def _name(function: Any, given: dict[str, Any]) -> str:
    """Return the name of an operation, and remove `self` or `cls` from its arguments."""
    owner = given.pop("self", None) if "self" in given else given.pop("cls", None)
    if owner is None or isinstance(owner, RBETensor):
        return str(function.__name__).removeprefix("__").removesuffix("__")
    kind = owner if isinstance(owner, type) else type(owner)
    name = function.__name__
    return kind.__name__ if name in ("__init__", "forward", "__call__") else f"{kind.__name__}.{name}"


def check_truth(function: Any, index: int, values: tuple[Any, ...]) -> None:
    """Raise DTypeError unless the parameter at `index` of the named ones is True, False, 0 or 1."""
    names = function.__code__.co_varnames
    given = dict(zip(names, values, strict=False))
    flag(_name(function, given), names[index], values[index])


_TEMPLATE = """
def make(_function, _explain, _caught, _check):
    def guarded({parameters}):{flags}
        try:
            return _function({passed})
        except _caught as _error:
            _found = _explain(_error, _function, ({values}), {more}, {by_name})
            if _found is None:
                raise
            raise _found from _error
    return guarded
"""

_makers: dict[tuple[Any, ...], Any] = {}


_FLAG = """
        if {name} is not True and {name} is not False:
            _check(_function, {index}, ({values}))"""


def _maker(code: types.CodeType, flags: tuple[int, ...]) -> Any:
    """Return a maker of wrappers for functions with these parameters; positional ones are named p0, p1, … in it.

    `flags` are the positions of parameters annotated as bool.
    """
    count, by_position = code.co_argcount, code.co_posonlyargcount
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]
    star, stars = code.co_flags & inspect.CO_VARARGS, code.co_flags & inspect.CO_VARKEYWORDS
    key = count, by_position, keywords, star, stars, flags
    if key not in _makers:
        names = [f"p{i}" for i in range(count)]
        parameters = [*names[:by_position], *(["/"] if by_position else []), *names[by_position:]]
        parameters += (["*_args"] if star else ["*"] if keywords else []) + [*keywords] + (["**_kwargs"] if stars else [])
        passed = [*names, *(["*_args"] if star else []), *(f"{k}={k}" for k in keywords), *(["**_kwargs"] if stars else [])]
        named = [*names, *keywords]
        values = "".join(f"{name}, " for name in named)
        source = _TEMPLATE.format(
            flags="".join(_FLAG.format(name=named[i], index=i, values=values) for i in flags),
            parameters=", ".join(parameters),
            passed=", ".join(passed),
            values=values,
            more="_args" if star else "()",
            by_name="_kwargs" if stars else "{}",
        )
        space: dict[str, Any] = {}
        exec(compile(source, f"{__file__} (wrapper)", "exec"), space)  # no file: tracebacks show no line of it
        _makers[key] = space["make"]
    return _makers[key]


def guarded(function: Any) -> Any:
    """Return a function with a wrapper that explains its errors.

    Wrapped functions and generators, whose body does not run in the call, are returned as they are.
    """
    code = function.__code__
    if hasattr(function, "__guarded__") or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        return function
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    flags = tuple(i for i, name in enumerate(names) if function.__annotations__.get(name) is bool)
    made = _maker(code, flags)(function, explain, _CAUGHT, check_truth)
    named = len(made.__code__.co_varnames) - 2  # all but _error and _found
    own = made.__code__.replace(co_varnames=code.co_varnames[:named] + made.__code__.co_varnames[named:])
    # It has the globals of the function, by which doctest finds its module.
    wrapper = types.FunctionType(own, function.__globals__, function.__name__, function.__defaults__, made.__closure__)
    update_wrapper(wrapper, function)
    if "<locals>" in function.__qualname__:
        wrapper.__qualname__ = function.__name__
    wrapper.__kwdefaults__ = function.__kwdefaults__
    wrapper.__guarded__ = True  # type: ignore[attr-defined]
    return wrapper


def guard_class(cls: type) -> None:
    """Give the public methods and operators that a class defines wrappers."""
    for name, value in list(vars(cls).items()):
        if (name.startswith("_") and name not in _OPERATORS) or (name == "__call__" and hasattr(cls, "forward")):
            continue  # (the call of a module only hands on to forward)
        if isinstance(value, staticmethod | classmethod):
            if isinstance(value.__func__, types.FunctionType):
                setattr(cls, name, type(value)(guarded(value.__func__)))
        elif isinstance(value, types.FunctionType):
            setattr(cls, name, guarded(value))


def _public(module: types.ModuleType, seen: set[str]) -> Iterator[types.ModuleType]:
    """Yield a module and those of the package that it exports."""
    seen.add(module.__name__)
    yield module
    for name in _names(module):
        value = getattr(module, name, None)
        if isinstance(value, types.ModuleType) and value.__name__.startswith("rbe.") and value.__name__ not in seen:
            yield from _public(value, seen)


def _names(module: types.ModuleType) -> Sequence[str]:
    listed: Sequence[str] = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return listed


def install(package: types.ModuleType) -> None:
    """Give the functions that a package exports, wherever it has them, and the methods of its classes wrappers."""
    modules = [m for name, m in sys.modules.items() if m is package or name.startswith(package.__name__ + ".")]
    wrappers = {}
    for module in _public(package, set()):
        for name in _names(module):
            value = getattr(module, name, None)
            if isinstance(value, types.FunctionType) and value.__module__.startswith(package.__name__):
                wrappers[value] = guarded(value)
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value in wrappers:
                setattr(module, name, wrappers[value])
            elif isinstance(value, type) and value.__module__ == module.__name__ and not issubclass(value, BaseException):
                guard_class(value)
    guard_class(RBETensor)
