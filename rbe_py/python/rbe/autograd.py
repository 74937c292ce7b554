"""Control of the tape: recording, gradients, user-defined operations, checkpoints."""

import functools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from . import _rbe
from ._rbe import RBEGradient, RBETensor
from .errors import GraphError

P = ParamSpec("P")
R = TypeVar("R")

is_grad_enabled = _rbe.is_grad_enabled


class set_grad_enabled:
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
        self.before = _rbe._set_grad_enabled(mode)

    def __enter__(self) -> None:
        _rbe._set_grad_enabled(self.mode)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _rbe._set_grad_enabled(self.before)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function` run in this mode; the code around the decorator keeps its own."""
        _rbe._set_grad_enabled(self.before)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with set_grad_enabled(self.mode):
                return function(*args, **kwargs)

        return wrapped


class _Mode:
    mode = False

    def __init__(self) -> None:
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(_rbe._set_grad_enabled(self.mode))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _rbe._set_grad_enabled(self.before.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(_Mode):
    """Nothing is recorded inside: a context and a decorator.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> with rbe.no_grad():
    ...     (x * 2).requires_grad
    False
    """


class enable_grad(_Mode):
    """Operations are recorded inside, even within no_grad: a context and a decorator.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> with rbe.no_grad(), rbe.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    mode = True


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, Sequence) else [x]


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool = False) -> None:
    """Add the gradients of several tensors to the leaves they depend on.

    Parameters
    ----------
    tensors : tensor or sequence of tensors
    grad_tensors : tensor or sequence, optional
        Upstream gradient of each; may be left out for scalars.
    retain_graph : bool
        Keep what backward needs, so that it can be run again.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> rbe.autograd.backward([x * 2, x * 3])
    >>> x.grad
    tensor([5.])
    """
    roots = _list(tensors)
    _rbe._backward(roots, _list(grad_tensors) if grad_tensors is not None else [None] * len(roots), retain_graph)


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool = False, allow_unused: bool = False
) -> tuple[RBETensor | RBEGradient | None, ...]:
    """Return the gradients of `outputs` with respect to `inputs`; no `.grad` is touched.

    Raises
    ------
    GraphError
        If an input is not part of the graph, unless `allow_unused`.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([3.0], requires_grad=True)
    >>> rbe.autograd.grad(x * x, x)
    (tensor([6.]),)
    """
    roots, targets = _list(outputs), _list(inputs)
    upstream = _list(grad_outputs) if grad_outputs is not None else [None] * len(roots)
    found = tuple(_rbe._grad(roots, targets, upstream, retain_graph))
    if not allow_unused and any(g is None for g in found):
        unused = [i for i, g in enumerate(found) if g is None]
        raise GraphError("grad", "inputs that the outputs depend on (or allow_unused=True)", f"unused inputs {unused}")
    return found


def gradcheck(fn: Callable[..., RBETensor], inputs: Any, eps: float = 1e-6, atol: float = 1e-7, rtol: float = 1e-6) -> bool:
    """Compare the gradients of `fn` with central differences in float64.

    Returns
    -------
    bool
        True; a gradient that is off raises TensorError naming the worst element.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([3.0], dtype="float64", requires_grad=True)
    >>> rbe.autograd.gradcheck(lambda x: x.tanh(), [x])
    True
    """
    _rbe._gradcheck(fn, list(_list(inputs)), eps, atol, rtol)
    return True


class Context:
    """What a user-defined operation keeps from forward for backward.

    Examples
    --------
    >>> import rbe
    >>> ctx = rbe.autograd.Context()
    >>> ctx.save_for_backward(rbe.ones(2))
    >>> ctx.saved_tensors
    (tensor([1., 1.]),)
    """

    def __init__(self) -> None:
        self.saved_tensors: tuple[RBETensor | None, ...] = ()
        self._versions: tuple[int, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()
        self._constant: tuple[int, ...] = ()

    def mark_non_differentiable(self, *outputs: RBETensor) -> None:
        """Say which outputs of forward have no gradient."""
        self._constant = tuple(id(t) for t in outputs)

    def _differentiable(self, output: Any) -> bool:
        """Whether an output of forward has a gradient: floats that are not marked otherwise."""
        return isinstance(output, RBETensor) and output.dtype.is_floating_point and id(output) not in self._constant

    def save_for_backward(self, *tensors: RBETensor | None) -> None:
        """Keep tensors; changing one in place before backward is an error."""
        self.saved_tensors = tensors
        self._versions = tuple(0 if t is None else t._version for t in tensors)

    def _check(self, name: str) -> None:
        for i, (t, v) in enumerate(zip(self.saved_tensors, self._versions, strict=True)):
            if t is not None and t._version != v:
                raise GraphError(name, f"saved tensor {i} as it was", "one changed in place after the forward pass")


class Function:
    """A user-defined operation: subclass with static `forward(ctx, *args)` and `backward(ctx, dy)`.

    `forward` returns a tensor or a tuple; `backward` takes a gradient for every output (zeros for one that the loss does
    not use) and returns a gradient (or None) for every argument of `forward`.

    Examples
    --------
    >>> import rbe
    >>> class Cube(rbe.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         (x,) = ctx.saved_tensors
    ...         return dy * 3.0 * x * x
    >>> x = rbe.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor([12.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the result; nothing inside is recorded."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Any, *dy: Any) -> Any:
        """Compute the gradients of forward's arguments."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run the operation and record it."""
        ctx = Context()
        ctx.needs_input_grad = tuple(isinstance(a, RBETensor) and a.requires_grad for a in args)
        with no_grad():
            result = cls.forward(ctx, *args)
        outputs = result if isinstance(result, tuple) else (result,)
        kept = [i for i, r in enumerate(outputs) if ctx._differentiable(r)]
        if not kept or not is_grad_enabled() or not any(ctx.needs_input_grad):
            return result
        places = [i for i, a in enumerate(args) if isinstance(a, RBETensor)]

        def run(dy: RBETensor) -> list[Any]:
            ctx._check(cls.__name__)
            upstream = [dy] if outputs is not result else _apart(dy, outputs, kept)
            grads = cls.backward(ctx, *upstream)
            grads = list(grads) if isinstance(grads, tuple | list) else [grads]
            if len(grads) != len(args):
                raise GraphError(cls.__name__, f"{len(args)} gradients from backward", str(len(grads)))
            return [grads[i] for i in places]

        inputs = [args[i] for i in places]
        if outputs is not result:
            return _rbe._custom_op(cls.__name__, inputs, result, run)
        # The tape knows operations of one result: several travel in one buffer, of which each is a part.
        with no_grad():
            joined = _rbe.concat([outputs[i].reshape(-1) for i in kept], 0)
        parts = _apart(_rbe._custom_op(cls.__name__, inputs, joined, run), outputs, kept)
        return tuple(part if i in kept else outputs[i] for i, part in enumerate(parts))


def _apart(joined: RBETensor, outputs: tuple[Any, ...], kept: list[int]) -> list[Any]:
    """Cut what `Function.apply` joined into the shapes of `outputs`; zeros in the place of tensors that are not in `kept`."""
    parts: list[Any] = []
    at = 0
    for i, output in enumerate(outputs):
        if i in kept:
            parts.append(joined.narrow(0, at, output.numel()).reshape(output.shape).to(output.dtype))
            at += output.numel()
        else:
            parts.append(output * 0 if isinstance(output, RBETensor) else None)
    return parts


def register_operation(name: str, forward: Callable[..., RBETensor], backward: Callable[..., Any]) -> Callable[..., RBETensor]:
    """Make a differentiable operation of two functions.

    Parameters
    ----------
    name : str
        Name in errors and `grad_fn`.
    forward : callable
        `forward(*tensors)` returns the result; nothing inside is recorded.
    backward : callable
        `backward(dy, output, *tensors)` returns a gradient (or None) for every tensor.

    Returns
    -------
    callable
        Takes the tensors, returns the recorded result.

    Examples
    --------
    >>> import rbe
    >>> double = rbe.register_operation("double", lambda x: x * 2.0, lambda dy, y, x: dy * 2.0)
    >>> x = rbe.ones(1, requires_grad=True)
    >>> double(x).backward()
    >>> x.grad
    tensor([2.])
    """

    def operation(*tensors: RBETensor) -> RBETensor:
        with no_grad():
            result = forward(*tensors)
        ctx = Context()
        ctx.save_for_backward(*tensors)

        def run(dy: RBETensor) -> list[Any]:
            ctx._check(name)
            grads = backward(dy, result, *(t.detach() for t in tensors))
            return list(grads) if isinstance(grads, tuple | list) else [grads]

        return _rbe._custom_op(name, list(tensors), result, run)

    operation.__name__ = name
    return operation


def checkpoint(fn: Callable[..., RBETensor], *inputs: Any) -> RBETensor:
    """Run `fn` without keeping what backward needs, and run it again when backward comes.

    Random numbers repeat. Parameters used inside `fn`, dense or packed, receive their gradients; the result of an earlier
    operation must come as an input.

    Parameters
    ----------
    fn : callable
        Takes `inputs`, returns one tensor.
    *inputs
        Tensors and other arguments of `fn`.

    Raises
    ------
    GraphError
        If `fn` uses the result of an earlier operation that is not among `inputs`.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([2.0], requires_grad=True)
    >>> rbe.autograd.checkpoint(lambda x: x.square().exp().log(), x).backward()
    >>> x.grad
    tensor([4.])
    """
    places = [i for i, a in enumerate(inputs) if isinstance(a, RBETensor)]

    def run(*tensors: RBETensor) -> RBETensor:
        arguments = list(inputs)
        for i, tensor in zip(places, tensors, strict=True):
            arguments[i] = tensor
        return fn(*arguments)

    return _rbe._checkpoint(run, [inputs[i] for i in places])
