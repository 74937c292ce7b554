"""Parameters of distributions, checked."""

from .._arguments import describe
from .._tensor import RBETensor
from ..creation import as_tensor
from ..errors import DTypeError, ShapeError, TensorError
from ..joining import broadcast_tensors


def floats(op: str, *parameters: object) -> tuple[RBETensor, ...]:
    """Return parameters as tensors of floats of one shape.

    Raises
    ------
    DTypeError
        For what is no tensor of floats or number.
    """
    made = [x if isinstance(x, RBETensor) else as_tensor(x) for x in parameters]
    if not all(x.dtype.is_floating_point for x in made):
        raise DTypeError(op, "floats as parameters", ", ".join(map(describe, parameters)))
    return broadcast_tensors(*made)


def check_all(op: str, holds: RBETensor, expected: str, x: RBETensor) -> None:
    """Raise TensorError unless a condition holds everywhere."""
    if not bool(holds.all()):
        raise TensorError(op, expected, f"{x.amin().item()} to {x.amax().item()}")


def one_of(op: str, a: RBETensor | None, b: RBETensor | None) -> RBETensor:
    """Return the one of two parameters that is given.

    Raises
    ------
    TensorError, ShapeError
    """
    given = [x for x in (a, b) if x is not None]
    if len(given) != 1:
        raise TensorError(op, "either probs or logits", "both" if given else "neither")
    (found,) = floats(op, given[0])
    if op == "Categorical" and found.ndim < 1:
        raise ShapeError(op, "an axis of classes", "a tensor without axes")
    return found
