"""Results of LAPACK on the tape."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _rbe
from ..errors import GraphError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def recorded(
    op: str, x: Any, results: "Sequence[RBETensor]", backward: "Callable[..., RBETensor]", saved: "Sequence[RBETensor]"
) -> "list[RBETensor]":
    """Return results as those of an operation on a tensor.

    Parameters
    ----------
    op : str
    x : tensor
    results : sequence of tensors
    backward : callable
        Takes the gradient of every result, None for one that the loss does not use, and returns that of x.
    saved : sequence of tensors
        The values that `backward` reads: changing them in place before is an error.
    """
    return recorded_of(op, [x], results, lambda *up: [backward(*up)], saved)


def recorded_of(
    op: str,
    inputs: Sequence[Any],
    results: "Sequence[RBETensor]",
    backward: "Callable[..., list[RBETensor]]",
    saved: "Sequence[RBETensor]",
) -> "list[RBETensor]":
    """Return results as `recorded` does, those of an operation on several tensors."""
    if not _rbe.is_grad_enabled() or not any(x.requires_grad for x in inputs):
        return list(results)
    versions = [t._version for t in saved]

    def run(upstream: list[Any]) -> list[Any]:
        for t, version in zip(saved, versions, strict=True):
            if t._version != version:
                raise GraphError(op, "saved tensors as they were", "one changed in place after the forward pass")
        return backward(*upstream)

    return list(_rbe._record(op, list(inputs), list(results), run))
