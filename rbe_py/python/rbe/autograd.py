"""Control of the tape: recording, gradients, user-defined operations, checkpoints."""

from collections.abc import Callable, Iterable
from typing import Any

from . import _rbe
from ._grad_mode import enable_grad as enable_grad
from ._grad_mode import inference_mode as inference_mode
from ._grad_mode import is_grad_enabled as is_grad_enabled
from ._grad_mode import no_grad as no_grad
from ._grad_mode import set_grad_enabled as set_grad_enabled
from ._gradient import RBEGradient
from ._rbe import Node as Node
from ._rbe import is_recomputing as is_recomputing
from ._tensor import RBETensor
from .creation import zeros, zeros_like
from .errors import DTypeError, GraphError, MissingMethodError
from .variables import Variable as Variable


def _tensors(op: str, name: str, given: Any) -> list[Any]:
    """Return one tensor, or the tensors of an iterable, as a list."""
    if isinstance(given, RBETensor):
        return [given]
    listed = list(given) if isinstance(given, Iterable) else [given]
    for t in listed:
        if not isinstance(t, RBETensor):
            raise DTypeError(op, f"a tensor or a sequence of tensors as {name}", type(t).__name__)
    return listed


def _upstream(op: str, name: str, given: Any, roots: list[RBETensor]) -> list[Any]:
    """Return the gradient that comes from above for each root."""
    if given is None:
        return [None] * len(roots)
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if len(listed) != len(roots):
        raise GraphError(op, f"{len(roots)} {name}", str(len(listed)))
    return listed


def _no_second_order(op: str, create_graph: bool) -> None:
    if create_graph:
        raise GraphError(op, "create_graph=False (gradients are not recorded: no double backward)", "create_graph=True")


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of several tensors to the leaves they depend on.

    Parameters
    ----------
    tensors : tensor or sequence of tensors
    grad_tensors : tensor or sequence, optional
        Upstream gradient of each; may be left out for scalars.
    retain_graph : bool, optional
        Keep what backward needs, so that it can be run again; by default it is freed.
    create_graph : bool
        Only False: gradients are not recorded.
    grad_variables
        torch's former name of `grad_tensors`.
    inputs : tensor or sequence of tensors, optional
        Add gradients to these alone, leaves or results; only the operations between them and `tensors` run. By default
        all leaves receive theirs.

    Raises
    ------
    DTypeError
        For what is no tensor.
    GraphError
        For a tensor without a graph, create_graph=True, no `inputs` in an empty sequence, an input that requires no
        gradient, or a graph that was freed.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.ones(1, requires_grad=True)
    >>> rbe.autograd.backward([x * 2, x * 3])
    >>> x.grad
    tensor([5.])
    """
    _no_second_order("backward", create_graph)
    if grad_variables is not None:
        if grad_tensors is not None:
            raise GraphError("backward", "grad_tensors or grad_variables", "both")
        grad_tensors = grad_variables
    roots = _tensors("backward", "tensors", tensors)
    upstream = _upstream("backward", "grad_tensors", grad_tensors, roots)
    only = None if inputs is None else _tensors("backward", "inputs", inputs)
    _rbe._backward(roots, upstream, bool(retain_graph), only)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[RBETensor | RBEGradient | None, ...]:
    """Return the gradients of `outputs` with respect to `inputs`; no `.grad` is touched.

    Parameters
    ----------
    outputs, inputs : tensor or sequence of tensors
    grad_outputs : tensor or sequence, optional
        Upstream gradient of each output; may be left out for scalars.
    retain_graph : bool, optional
        Keep what backward needs, so that it can be run again; by default it is freed.
    create_graph, is_grads_batched : bool
        Only False: gradients are not recorded, and not batched.
    only_inputs : bool
        Only True, as in torch.
    allow_unused : bool, optional
        Give None for an input that the outputs do not depend on, in the place of an error.
    materialize_grads : bool
        Give zeros for such an input.

    Raises
    ------
    DTypeError
        For what is no tensor.
    GraphError
        If an input is not part of the graph, unless `allow_unused` or `materialize_grads`; for create_graph=True.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([3.0], requires_grad=True)
    >>> rbe.autograd.grad(x * x, x)
    (tensor([6.]),)
    """
    _no_second_order("grad", create_graph)
    if is_grads_batched:
        raise GraphError("grad", "is_grads_batched=False", "True")
    if not only_inputs:
        raise GraphError("grad", "only_inputs=True", "False")
    if materialize_grads and allow_unused is False:
        raise GraphError("grad", "allow_unused=True, or not given, with materialize_grads=True", "allow_unused=False")
    roots, targets = _tensors("grad", "outputs", outputs), _tensors("grad", "inputs", inputs)
    upstream = _upstream("grad", "grad_outputs", grad_outputs, roots)
    found: list[Any] = _rbe._grad(roots, targets, upstream, bool(retain_graph))
    unused = [i for i, g in enumerate(found) if g is None]
    if materialize_grads:
        packed = [i for i in unused if targets[i].is_packed]
        if packed:
            raise GraphError(
                "grad", "dense inputs where gradients are to be zeros", f"packed inputs {packed} that are not used"
            )
        for i in unused:
            found[i] = zeros_like(targets[i])
    elif unused and not allow_unused:
        raise GraphError("grad", "inputs that the outputs depend on (or allow_unused=True)", f"unused inputs {unused}")
    return tuple(found)


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
    _rbe._gradcheck(fn, _tensors("gradcheck", "inputs", inputs), eps, atol, rtol)
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
        self._materialize = True

    def mark_non_differentiable(self, *outputs: RBETensor) -> None:
        """Say which outputs of forward have no gradient."""
        self._constant = tuple(id(t) for t in outputs)

    def _differentiable(self, output: Any) -> bool:
        """Whether an output of forward has a gradient: floats that are not marked otherwise."""
        return isinstance(output, RBETensor) and output.dtype.is_floating_point and id(output) not in self._constant

    def set_materialize_grads(self, value: bool) -> None:
        """Choose what backward is given for an output without a gradient: zeros, or (False) None."""
        self._materialize = bool(value)

    def save_for_backward(self, *tensors: RBETensor | None) -> None:
        """Keep tensors; changing one in place before backward is an error.

        Raises
        ------
        DTypeError
            For anything but tensors and None.
        """
        for t in tensors:
            if t is not None and not isinstance(t, RBETensor):
                raise DTypeError(
                    "save_for_backward", "tensors or None (keep other values as attributes of ctx)", type(t).__name__
                )
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
        raise MissingMethodError("Function.forward", "a subclass that defines it", "none")

    @staticmethod
    def backward(ctx: Any, *dy: Any) -> Any:
        """Compute the gradients of forward's arguments."""
        raise MissingMethodError("Function.backward", "a subclass that defines it", "none")

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
        arity = len(args)  # what backward refers to stays alive until then: no tensor that it does not need
        kinds = [(r.shape, r.dtype) if isinstance(r, RBETensor) and ctx._materialize else None for r in outputs]

        def run(upstream: list[Any]) -> list[Any]:
            ctx._check(cls.__name__)
            came = dict(zip(kept, upstream, strict=True))
            by_output = [came.get(i) for i in range(len(kinds))]
            for i, kind in enumerate(kinds):
                if by_output[i] is None and kind is not None:
                    by_output[i] = zeros(kind[0], dtype=kind[1])
            grads = cls.backward(ctx, *by_output)
            grads = list(grads) if isinstance(grads, tuple | list) else [grads]
            if len(grads) != arity:
                raise GraphError(cls.__name__, f"{arity} gradients from backward", str(len(grads)))
            return [grads[i] for i in places]

        inputs = [args[i] for i in places]
        parts = _rbe._record(cls.__name__, inputs, [outputs[i] for i in kept], run)
        by_place = dict(zip(kept, parts, strict=True))
        listed = tuple(by_place.get(i, r) for i, r in enumerate(outputs))
        return listed if outputs is result else listed[0]


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
        ctx.save_for_backward(*(t.detach() for t in tensors))

        def run(upstream: list[Any]) -> list[Any]:
            ctx._check(name)
            grads = backward(upstream[0], result, *ctx.saved_tensors)
            return list(grads) if isinstance(grads, tuple | list) else [grads]

        return _rbe._record(name, list(tensors), [result], run)[0]

    operation.__name__ = name
    return operation


def checkpoint(fn: Callable[..., RBETensor], *inputs: Any) -> RBETensor:
    """Run `fn` without keeping what backward needs, and run it again when backward comes.

    Random numbers repeat, and running statistics of batch norm follow the first run only; modules of your own that count or
    keep running values ask `rbe.autograd.is_recomputing()`. Parameters used inside `fn`, dense or packed, receive their
    gradients; the result of an earlier operation must come as an input.

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
    DTypeError
        If `fn` does not return a tensor.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.tensor([2.0], requires_grad=True)
    >>> rbe.autograd.checkpoint(lambda x: x.square().exp().log(), x).backward()
    >>> x.grad
    tensor([4.])
    """
    places = [i for i, a in enumerate(inputs) if isinstance(a, RBETensor)]
    others = [None if isinstance(a, RBETensor) else a for a in inputs]

    def run(*tensors: RBETensor) -> RBETensor:
        arguments = list(others)
        for i, tensor in zip(places, tensors, strict=True):
            arguments[i] = tensor
        return fn(*arguments)

    return _rbe._checkpoint(run, [inputs[i] for i in places])
