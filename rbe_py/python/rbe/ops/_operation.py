"""What every function of this package is: an operation with a forward and a backward pass that can be called by name."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, cast

import numpy as np

from .. import creation
from .._arguments import describe
from .._tensor import RBETensor
from ..errors import DTypeError, ShapeError
from .gradient import backward

__all__ = ["Operation", "into", "operation"]

P = ParamSpec("P")


class Operation(Protocol[P]):
    """A function of arrays or tensors with these attributes, which `operation` gives it.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> a, b = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> rbe.ops.gemm.forward(a, b)
    array([[11.]])
    >>> rbe.ops.gemm.backward(np.ones((1, 1)), a, b)[0]
    array([[3., 4.]])
    """

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Compute the result."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Compute the result, as a call does."""

    def backward(self, upstream: Any, *args: Any, **options: Any) -> tuple[Any, ...]:
        """Return the gradients of the operands, as `rbe.ops.backward` of this operation."""

    def forward_ex(self, *args: Any, **options: Any) -> Any:
        """Write the result into the last of `args`, an array or tensor of its shape and dtype, and return that."""


def operation(function: Callable[P, Any]) -> Operation[P]:
    """Give a function of operands the attributes of an `Operation`."""
    found: Any = function
    found.forward = function
    found.backward = lambda upstream, *args, **options: backward(function, upstream, *args, **options)
    found.forward_ex = lambda *args, **options: into(function.__name__, args[-1], function(*args[:-1], **options))
    return cast("Operation[P]", found)


def into(op: str, out: Any, result: Any) -> Any:
    """Write a result into an array or tensor and return that.

    Raises
    ------
    ShapeError, DTypeError
        If `out` does not have shape and dtype of the result; it is unchanged then.
    """
    if not isinstance(out, RBETensor | np.ndarray):
        raise DTypeError(op, "an array or tensor to write the result into", describe(out))
    if tuple(out.shape) != tuple(result.shape):
        raise ShapeError(op, f"an output {tuple(result.shape)}", str(tuple(out.shape)))
    same = creation.as_tensor(out).dtype if isinstance(out, RBETensor) else out.dtype.name
    if str(same).removeprefix("rbe.") != str(result.dtype).removeprefix("rbe."):
        raise DTypeError(op, f"an output of {str(result.dtype).removeprefix('rbe.')}", str(same).removeprefix("rbe."))
    if isinstance(out, RBETensor):
        out.copy_(creation.as_tensor(result))
    else:
        np.copyto(out, result.detach().numpy() if isinstance(result, RBETensor) else result)
    return out
