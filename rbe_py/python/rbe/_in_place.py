"""Changes of tensors in place by what an operation makes of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from . import _rbe
from .dtypes import can_cast
from .errors import DTypeError, ShapeError

if TYPE_CHECKING:
    from ._rbe import RBETensor


def changed(
    x: _rbe.TensorBase,
    op: str,
    compute: Callable[["RBETensor"], "RBETensor"],
    operands: tuple[Any, ...] = (),
    *,
    keep: bool = True,
) -> "RBETensor":
    """Replace the elements of a tensor by what `compute` makes of it, and return it.

    The result must have the shape of the tensor and fit its kind of numbers.

    Parameters
    ----------
    x : tensor
    op : str
        Name in errors.
    compute : function
    operands : tuple
        What else `compute` reads; with a tensor that requires grad the change is recorded.
    keep : bool
        Keep a copy of the elements from before where the change is recorded: gradients read it.

    Raises
    ------
    ShapeError, DTypeError
        For a result that does not fit.
    """
    recorded = _rbe.is_grad_enabled() and any(isinstance(o, _rbe.TensorBase) and o.requires_grad for o in (x, *operands))
    result = compute(x._before_change(op, recorded and keep))
    if result.shape != x.shape:
        raise ShapeError(op, f"a result of shape {tuple(x.shape)}", str(tuple(result.shape)))
    if not can_cast(result.dtype, x.dtype):
        raise DTypeError(op, f"a result that {x.dtype.name} holds", result.dtype.name)
    x._take_over(op, result)
    return cast("RBETensor", x)
