"""In-place methods of the tensor class: they change the memory and, where a gradient is wanted, are recorded on the tape."""

from collections.abc import Callable
from typing import Any

from . import _rbe
from ._rbe import RBETensor
from .errors import DTypeError, ShapeError

_RANK = ("boo", "int", "flo")  # kinds of numbers, each of which holds those before it

# Operations whose gradients do not read the tensor itself: the tape may forget what it held before. All others keep a copy.
FORGETFUL = frozenset(
    {"add", "sub", "exp", "expm1", "sqrt", "reciprocal", "relu", "sigmoid", "tanh", "cumsum", "dropout", "masked_fill"}
)
_UNARY = (
    "abs", "ceil", "cos", "exp", "expm1", "floor", "log", "log1p", "neg", "reciprocal", "relu", "round", "rsqrt", "sigmoid",
    "sign", "sin", "sqrt", "square", "tanh", "logical_not",
)  # fmt: skip
_WITH_OTHERS = (
    "clamp", "cumsum", "div", "eq", "floor_divide", "ge", "gt", "le", "logical_and", "logical_or", "logical_xor", "lt",
    "masked_fill", "mul", "ne", "pow", "remainder", "scatter_add", "tril", "triu",
)  # fmt: skip
_OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")


def change(
    self: RBETensor, op: str, compute: Callable[[RBETensor], RBETensor], operands: tuple[Any, ...], forgetful: bool
) -> RBETensor:
    """Replace the elements by what `compute` makes of the tensor; they must fit its shape and its kind of numbers."""
    recorded = _rbe.is_grad_enabled() and any(isinstance(o, RBETensor) and o.requires_grad for o in (self, *operands))
    result = compute(self._before_change(op, recorded and not forgetful))
    if result.shape != self.shape:
        raise ShapeError(op, f"a result of shape {tuple(self.shape)}", str(tuple(result.shape)))
    if _RANK.index(result.dtype.name[:3]) > _RANK.index(self.dtype.name[:3]):
        raise DTypeError(op, f"a result that {self.dtype.name} holds", result.dtype.name)
    self._take_over(op, result)
    return self


def _operator(name: str) -> Callable[..., RBETensor]:
    def method(self: RBETensor, other: Any) -> RBETensor:
        return change(self, method.__name__, lambda x: getattr(x, f"__{name}__")(other), (other,), name in FORGETFUL)

    method.__name__ = f"__i{name}__"
    method.__doc__ = f"In-place form of `__{name}__`: whoever holds the tensor, or a view of it, sees the new elements."
    return method


def _in_place(name: str) -> Callable[..., RBETensor]:
    def method(self: RBETensor, *args: Any, **kwargs: Any) -> RBETensor:
        operands = (*args, *kwargs.values())
        return change(self, method.__name__, lambda x: getattr(x, name)(*args, **kwargs), operands, name in FORGETFUL)

    method.__name__ = name + "_"
    method.__doc__ = f"In-place form of `{name}`; returns the tensor."
    return method


class _no_grad:
    def __enter__(self) -> None:
        self.before = _rbe._set_grad_enabled(False)

    def __exit__(self, *_: object) -> None:
        _rbe._set_grad_enabled(self.before)


def add_(self: RBETensor, other: Any, *, alpha: float = 1) -> RBETensor:
    """Add `alpha * other` in place."""
    return change(self, "add_", lambda x: x + (other if alpha == 1 else other * alpha), (other,), forgetful=True)


def sub_(self: RBETensor, other: Any, *, alpha: float = 1) -> RBETensor:
    """Subtract `alpha * other` in place."""
    return change(self, "sub_", lambda x: x - (other if alpha == 1 else other * alpha), (other,), forgetful=True)


def zero_(self: RBETensor) -> RBETensor:
    """Set every element to 0."""
    self._assign(0)
    return self


def fill_(self: RBETensor, value: Any) -> RBETensor:
    """Set every element to `value`, a number or a tensor without axes.

    Raises
    ------
    ShapeError
        For a tensor with axes.
    """
    if isinstance(value, RBETensor) and value.ndim:
        raise ShapeError("fill_", "a value without axes", f"shape {tuple(value.shape)}")
    self._assign(value)
    return self


def copy_(self: RBETensor, source: Any) -> RBETensor:
    """Replace the values by those of `source`, which broadcasts; packed tensors take packed ones."""
    if self.is_packed:
        if not isinstance(source, RBETensor) or not source.is_packed:
            raise DTypeError("copy_", "a packed tensor", "a dense one (use RBETensor.encode)")
        self._copy_packed(source)
    else:
        self._assign(source)
    return self


def index_put_(self: RBETensor, indices: tuple[RBETensor, ...], values: Any, accumulate: bool = False) -> RBETensor:
    """Replace the elements that int64 or bool tensors name, as `self[indices] = values`, or add to them.

    Parameters
    ----------
    indices : tuple of tensors
    values : tensor or number
        Broadcasts to the shape of `self[indices]`.
    accumulate : bool
        Add `values` to the elements; of elements named several times every value counts.
    """
    if not accumulate:
        self[tuple(indices)] = values
        return self
    places = _rbe._arange_integers(0, self.numel(), 1, "int64").reshape(self.shape)[tuple(indices)]
    added = values if isinstance(values, RBETensor) else places.to(self.dtype) * 0 + values
    added = added.to(self.dtype).broadcast_to(places.shape).reshape(-1)

    def compute(x: RBETensor) -> RBETensor:
        return x.reshape(-1).scatter_add(0, places.reshape(-1), added).reshape(x.shape)

    return change(self, "index_put_", compute, (added,), forgetful=True)


def set_data(self: RBETensor, value: RBETensor) -> None:
    """Replace the values, unseen by the tape: torch's way to set a parameter."""
    if value.shape != self.shape:
        raise ShapeError("data", f"values of shape {self.shape}", str(value.shape))
    with _no_grad():
        copy_(self, value)


def uniform_(self: RBETensor, a: float = 0.0, b: float = 1.0) -> RBETensor:
    """Fill with uniform numbers in [a, b)."""
    self._assign(_rbe.rand(list(self.shape), self.dtype).mul_(b - a).add_(a))
    return self


def normal_(self: RBETensor, mean: float = 0.0, std: float = 1.0) -> RBETensor:
    """Fill with normal numbers."""
    self._assign(_rbe.randn(list(self.shape), self.dtype).mul_(std).add_(mean))
    return self


def install() -> None:
    """Give the tensor class its in-place methods and operators."""
    for function in (add_, sub_, zero_, fill_, copy_, index_put_, uniform_, normal_):
        setattr(RBETensor, function.__name__, function)
    for name in (*_UNARY, *_WITH_OTHERS):
        setattr(RBETensor, name + "_", _in_place(name))
    for name in _OPERATORS:
        setattr(RBETensor, f"__i{name}__", _operator(name))
