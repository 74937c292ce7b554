"""Layers of networks as operations."""

from typing import Any

from .. import _rbe
from .._tensor import RBETensor
from ..errors import TensorError
from ..nn import functional
from .operand import Operands, activated


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Any:
    """Return the correlation of x with filters, followed by an activation.

    Parameters
    ----------
    x : array or tensor (N, C, H, W)
    weight : array or tensor (out, C / groups, kernel height, kernel width)
    bias : array or tensor (out), optional
    stride, padding, dilation, groups
        As `rbe.nn.functional.conv2d`.
    activation : str, optional
        As for `gemm`.

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
    given = Operands("conv2d", x, weight, bias)
    a, w, b = given.tensors
    return given.result(activated("conv2d", functional.conv2d(a, w, b, stride, padding, dilation, groups), activation))


def pool2d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, mode: str = "max") -> Any:
    """Return the maximum or the mean of each window of x (N, C, H, W).

    Parameters
    ----------
    x : array or tensor (N, C, H, W)
    kernel_size, stride, padding
        As `rbe.nn.functional.max_pool2d`.
    mode : {"max", "mean"}

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
    modes = {"max": functional.max_pool2d, "mean": functional.avg_pool2d}
    if mode not in modes:
        raise TensorError("pool2d", "mode 'max' or 'mean'", repr(mode))
    given = Operands("pool2d", x)
    return given.result(modes[mode](given.tensors[0], kernel_size, stride, padding))


def softmax(x: Any, axis: int = -1) -> Any:
    """Return `e^x / Σ e^x` along an axis.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    given = Operands("softmax", x)
    return given.result(given.tensors[0].softmax(axis))


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
    given = Operands("cross_entropy", logits, target)
    x, t = given.tensors
    return given.result(functional.cross_entropy(x, t, reduction=reduction))


def rnn_layer(inputs: Any, weight: Any, recurrent_weight: Any, bias: Any = None, activation: str = "tanh") -> Any:
    """Return all states of a recurrent layer, `h_t = activation(x_t Wᵀ + h_(t-1) Rᵀ + b)` from `h_0 = 0`.

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
    array or tensor (steps, batch, hidden) or (steps, hidden)

    Raises
    ------
    ShapeError
        If the shapes do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.ops.rnn_layer(np.ones((3, 1)), np.ones((1, 1)), np.ones((1, 1)), activation="relu").ravel()
    array([1., 2., 3.])
    """
    given = Operands("rnn_layer", inputs, weight, recurrent_weight, bias)
    x, w, r, b = given.tensors
    given.check(x.ndim in (2, 3) and x.shape[0] > 0, "inputs (steps, batch, in) or (steps, in)")
    hidden = w.shape[0]
    given.check(w.ndim == 2 and w.shape[1] == x.shape[-1], f"a weight (hidden, {x.shape[-1]})")
    given.check(r.shape == (hidden, hidden), f"a recurrent weight ({hidden}, {hidden})")
    given.check(b is None or b.shape == (hidden,), f"a bias ({hidden},)")
    driven = x.linear(w, b)  # one product for all steps
    state: RBETensor = activated("rnn_layer", driven[0], activation)
    states = [state]
    for t in range(1, x.shape[0]):
        before = state.unsqueeze(0) if state.ndim == 1 else state
        state = activated("rnn_layer", driven[t] + before.linear(r).reshape(*state.shape), activation)
        states.append(state)
    return given.result(_rbe.stack(states, 0))
