"""Contexts and decorators that turn recording on and off, also for generators and coroutines."""

import functools
import inspect
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import _rbe
from .errors import DTypeError

if TYPE_CHECKING:
    from typing_extensions import Self

F = TypeVar("F", bound=Callable[..., Any])
Enter = Callable[[], "_Mode"]

is_grad_enabled = _rbe.is_grad_enabled


class _Mode:
    """A context that sets the mode of this thread, and a decorator that sets it wherever the decorated code runs."""

    mode = False

    def __init__(self) -> None:
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(_rbe._set_grad_enabled(self.mode))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _rbe._set_grad_enabled(self.before.pop())

    def _again(self) -> "_Mode":
        """Return a context of the same mode: calls of a decorated function may overlap."""
        return type(self)()

    def __call__(self, function: F) -> F:
        """Return `function` run in this mode.

        Generators, coroutines and asynchronous generators run in it until they wait; the code that waits for them keeps its
        own mode. Of a class only `__init__` is decorated, with a FutureWarning as in torch: decorate the methods instead.

        Raises
        ------
        DTypeError
            For what cannot be called.
        """
        if not callable(function):
            raise DTypeError(type(self).__name__, "a function to decorate", type(function).__name__)
        if inspect.isclass(function):
            warnings.warn(
                f"{type(self).__name__} decorates only __init__ of class {function.__name__}: decorate its methods instead",
                FutureWarning,
                stacklevel=2,
            )
            setattr(function, "__init__", self(function.__init__))  # noqa: B010 (mypy knows no assignment to a method)
            return function
        return _decorated(self._again, function)


class _Bare(_Mode):
    """A mode that decorates without brackets as well: `@no_grad` is `@no_grad()`."""

    @overload
    def __new__(cls, function: None = None) -> "Self": ...
    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]
    def __new__(cls, function: Any = None) -> Any:
        """Return the context, or `function` decorated by it."""
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: None = None) -> None:
        super().__init__()


class no_grad(_Bare):
    """Nothing is recorded inside: a context and a decorator, with or without brackets.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> with rbe.no_grad():
    ...     (x * 2).requires_grad
    False
    >>> @rbe.no_grad()
    ... def doubled(values):
    ...     for value in values:
    ...         yield value * 2
    >>> [y.requires_grad for y in doubled([x, x])]
    [False, False]
    """


inference_mode = no_grad
"""torch's other name of no_grad: results can be used later all the same."""


class enable_grad(_Bare):
    """Operations are recorded inside, even within no_grad: a context and a decorator, with or without brackets.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> with rbe.no_grad(), rbe.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    mode = True


class set_grad_enabled(_Mode):
    """Recording on or off: at once, as a context, or as a decorator.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> with rbe.set_grad_enabled(False):
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.first = _rbe._set_grad_enabled(mode)

    def __enter__(self) -> None:
        _rbe._set_grad_enabled(self.mode)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _rbe._set_grad_enabled(self.first)

    def _again(self) -> "_Mode":
        return type(self)(self.mode)

    def __call__(self, function: F) -> F:
        """Return `function` run in this mode; the code around the decorator keeps its own."""
        _rbe._set_grad_enabled(self.first)
        return super().__call__(function)


def _decorated(enter: Enter, function: F) -> F:
    wrapped: Any
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from _driven(enter, function(*args, **kwargs)))

    elif inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            return await _Driven(enter, function(*args, **kwargs))

    elif inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            source = function(*args, **kwargs)
            step: Awaitable[Any] = source.asend(None)
            while True:
                try:
                    item = await _Driven(enter, step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await _Driven(enter, source.aclose())
                    raise
                except BaseException as error:
                    step = source.athrow(error)
                else:
                    step = source.asend(sent)

    else:

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with enter():
                return function(*args, **kwargs)

    return wrapped  # type: ignore[no-any-return]


class _Driven:
    """A coroutine whose every step runs in a mode."""

    def __init__(self, enter: Enter, coroutine: Any) -> None:
        self.enter, self.coroutine = enter, coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        return _driven(self.enter, self.coroutine)


def _driven(enter: Enter, source: Any) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine step by step: each step in the mode, the time between two steps in the caller's."""
    try:
        with enter():
            item = source.send(None)
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                with enter():
                    source.close()
                raise
            except BaseException as error:
                with enter():
                    item = source.throw(error)
            else:
                with enter():
                    item = source.send(sent)
    except StopIteration as end:
        return end.value
