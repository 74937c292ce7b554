"""Operands: NumPy arrays or tensors, and results of the same type."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import creation
from .._tensor import RBETensor
from ..errors import DTypeError, ShapeError, TensorError
from ..nn import functional

ACTIVATIONS: dict[str, Callable[[RBETensor], RBETensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "tanh": functional.tanh,
    "sigmoid": functional.sigmoid,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


class Operands:
    """The operands of one call as tensors; None stays None. The result is a tensor if an operand is one."""

    def __init__(self, op: str, *given: Any) -> None:
        self.op = op
        self.as_tensor = any(isinstance(x, RBETensor) for x in given)
        # Lists are computed in double precision, as NumPy does.
        self.tensors: list[Any] = [None if x is None else creation.as_tensor(listed(x)) for x in given]
        if any(t is not None and t.is_packed for t in self.tensors):
            raise DTypeError(op, "dense operands", "a packed tensor")

    def check(self, holds: bool, expected: str) -> None:
        """Raise a ShapeError unless the shapes match."""
        if not holds:
            raise ShapeError(self.op, expected, ", ".join(str(tuple(t.shape)) for t in self.tensors if t is not None))

    def result(self, t: RBETensor) -> Any:
        """Return the result with the type of the operands: a tensor or an array."""
        return t if self.as_tensor else t.detach().numpy()


def listed(x: Any) -> Any:
    """Return numbers and lists of them as an array, of float64 if they are floats."""
    return np.asarray(x) if isinstance(x, list | tuple | float | int) else x


def chosen(op: str, activation: str | None, act: str | None) -> str | None:
    """Return the name of an activation that is given by one of two arguments; "none" is None.

    Raises
    ------
    TensorError
        If both are given.
    """
    if activation is not None and act is not None:
        raise TensorError(op, "activation or act", "both")
    name = activation if act is None else act
    return None if name == "none" else name


def activated(op: str, x: RBETensor, activation: str | None) -> RBETensor:
    """Apply an activation to `x`; None returns `x`.

    Raises
    ------
    TensorError
        For an unknown name.
    """
    if activation is None:
        return x
    if activation not in ACTIVATIONS:
        raise TensorError(op, f"activation {', '.join(ACTIVATIONS)} or None", repr(activation))
    return ACTIVATIONS[activation](x)
