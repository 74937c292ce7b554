"""Layers of networks as operations."""

from typing import Any

import numpy as np

from .. import _rbe
from .._grad_mode import enable_grad
from .._tensor import RBETensor
from ..errors import TensorError
from ..nn import functional
from ._operation import operation
from .attributes import Conv2DAttrs, Pool2DAttrs
from .operand import Operands, activated, chosen
from .recurrence import Recurrence, StepNodes

__all__ = ["conv2d", "cross_entropy", "pool2d", "rnn_layer", "softmax"]


@operation
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
    *,
    act: str | None = None,
    attrs: Conv2DAttrs | None = None,
) -> Any:
    """Return the correlation of x with filters, followed by an activation.

    Parameters
    ----------
    x : array or tensor (N, C, H, W)
    weight : array or tensor (out, C / groups, kernel height, kernel width)
    bias : array or tensor (out), optional
    stride, padding, dilation, groups
        As `rbe.nn.functional.conv2d`.
    activation, act : str, optional
        As for `gemm`.
    attrs : Conv2DAttrs, optional
        Stride, padding, dilation and groups, instead of those arguments; also in the place of `stride`.

    Returns
    -------
    array or tensor (N, out, H', W')

    Raises
    ------
    ShapeError, TensorError
        If shapes or arguments do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), activation="relu").tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    attrs = stride if isinstance(stride, Conv2DAttrs) else attrs or Conv2DAttrs(stride, padding, dilation, groups)
    given = Operands("conv2d", x, weight, bias)
    a, w, b = given.tensors
    y = functional.conv2d(a, w, b, attrs.stride, attrs.padding, attrs.dilation, attrs.groups)
    return given.result(activated("conv2d", y, chosen("conv2d", activation, act)))


@operation
def pool2d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, mode: str = "max") -> Any:
    """Return the maximum or the mean of each window of x (N, C, H, W).

    Parameters
    ----------
    x : array or tensor (N, C, H, W)
    kernel_size, stride, padding
        As `rbe.nn.functional.max_pool2d`; a `Pool2DAttrs` as kernel_size stands for all arguments.
    mode : {"max", "mean", "avg"}

    Raises
    ------
    TensorError
        If `mode` is unknown.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.pool2d(np.arange(4.0).reshape(1, 1, 2, 2), 2, mode="mean").item()
    1.5
    """
    if isinstance(kernel_size, Pool2DAttrs):
        attrs = kernel_size
        kernel_size, stride, padding, mode = attrs.kernel_size, attrs.stride, attrs.padding, attrs.mode
    modes = {"max": functional.max_pool2d, "mean": functional.avg_pool2d, "avg": functional.avg_pool2d}
    if mode not in modes:
        raise TensorError("pool2d", "mode 'max' or 'mean'", repr(mode))
    given = Operands("pool2d", x)
    return given.result(modes[mode](given.tensors[0], kernel_size, stride, padding))


@operation
def softmax(x: Any, axis: int = -1) -> Any:
    """Return `e^x / Σ e^x` along an axis.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    found = _rbe._plain_softmax(x, axis)
    if found is not None:
        return found
    given = Operands("softmax", x)
    return given.result(given.tensors[0].softmax(axis))


@operation
def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the cross entropy (nats) of logits (n, classes, …) and class numbers (n, …).

    Parameters
    ----------
    logits : array or tensor (n, classes, …)
    target : int64 array or tensor (n, …)
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError, DTypeError, OutOfRangeError
        If the target does not match the logits.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> round(float(rbe.ops.cross_entropy(np.zeros((3, 4)), np.array([0, 1, 3]))), 4)   # ln 4
    1.3863
    """
    found = _rbe._plain_cross_entropy(logits, target, reduction)
    if found is not None:
        return found
    given = Operands("cross_entropy", logits, target)
    x, t = given.tensors
    return given.result(functional.cross_entropy(x, t, reduction=reduction))


@operation
def rnn_layer(inputs: Any, weight: Any, recurrent_weight: Any, bias: Any = None, activation: str = "tanh") -> Recurrence:
    """Return all states of a recurrent layer, `h_t = activation(x_t Wᵀ + h_(t-1) Rᵀ + b)` from `h_0 = 0`, and its nodes.

    Parameters
    ----------
    inputs : array or tensor (steps, batch, in) or (steps, in)
    weight : array or tensor (hidden, in)
        W.
    recurrent_weight : array or tensor (hidden, hidden)
        R.
    bias : array or tensor (hidden), optional
    activation : str
        As for `gemm`.

    Returns
    -------
    Recurrence
        A pair: the states, array or tensor (steps, batch, hidden) or (steps, hidden), and the node of every step on the tape.

    Raises
    ------
    ShapeError
        If the shapes do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> outputs, nodes = rbe.ops.rnn_layer(np.ones((3, 1)), np.ones((1, 1)), np.ones((1, 1)), activation="relu")
    >>> outputs.ravel(), len(nodes)
    (array([1., 2., 3.]), 3)
    """
    given = Operands("rnn_layer", inputs, weight, recurrent_weight, bias)
    x, w, r, b = given.tensors
    given.check(x.ndim in (2, 3) and x.shape[0] > 0, "inputs (steps, batch, in) or (steps, in)")
    hidden = w.shape[0]
    given.check(w.ndim == 2 and w.shape[1] == x.shape[-1], f"a weight (hidden, {x.shape[-1]})")
    given.check(r.shape == (hidden, hidden), f"a recurrent weight ({hidden}, {hidden})")
    given.check(b is None or b.shape == (hidden,), f"a bias ({hidden},)")
    steps = x.shape[0]
    if not given.as_tensor:
        driven = x.linear(w, b).numpy()
        rows = driven if driven.ndim == 3 else driven[:, None]
        found = _rbe._plain_states(rows, np.ascontiguousarray(r.numpy().T), activation)
        if found is not None:
            return Recurrence(found.reshape(driven.shape), StepNodes(steps, lambda: _recorded(x, w, r, b, activation)))
    states = _states(x, w, r, b, activation)
    recorded = states[-1].requires_grad
    nodes = StepNodes(steps, lambda: states if recorded else _recorded(x, w, r, b, activation))
    return Recurrence(given.result(_rbe.stack(states, 0)), nodes)


def _states(x: RBETensor, w: RBETensor, r: RBETensor, b: RBETensor | None, activation: str) -> list[RBETensor]:
    """Return the state of every step."""
    driven = x.linear(w, b)  # one product for all steps
    transposed = r.transpose(0, 1).contiguous()
    state = activated("rnn_layer", driven[0], activation)
    states = [state]
    for t in range(1, x.shape[0]):
        before = state.unsqueeze(0) if state.ndim == 1 else state
        state = activated("rnn_layer", driven[t] + before.matmul(transposed).reshape(*state.shape), activation)
        states.append(state)
    return states


def _recorded(x: RBETensor, w: RBETensor, r: RBETensor, b: RBETensor | None, activation: str) -> list[RBETensor]:
    """Return the states as results of operations that are recorded."""
    leaves = [t.detach() for t in (x, w, r)]
    bias = None if b is None else b.detach()
    for leaf in leaves if bias is None else (*leaves, bias):
        leaf.requires_grad = True
    with enable_grad():
        return _states(leaves[0], leaves[1], leaves[2], bias, activation)
