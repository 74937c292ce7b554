"""In-place methods of the tensor class: they change the memory, and nothing of them is recorded."""

from collections.abc import Callable
from typing import Any

from . import _rbe
from ._rbe import RBETensor
from .errors import DTypeError, GraphError, ShapeError

_RANK = ("boo", "int", "flo")  # kinds of numbers, each of which holds those before it


def _store(self: RBETensor, op: str, result: RBETensor) -> RBETensor:
    """Write the result of an in-place operation; it must fit the tensor's shape and its kind of numbers."""
    if result.shape != self.shape:
        raise ShapeError(op, f"a result of shape {self.shape}", str(result.shape))
    if _RANK.index(result.dtype.name[:3]) > _RANK.index(self.dtype.name[:3]):
        raise DTypeError(op, f"a result that {self.dtype.name} holds", result.dtype.name)
    self._assign(result)
    return self


def _operator(name: str) -> Callable[..., RBETensor]:
    def method(self: RBETensor, other: Any) -> RBETensor:
        recorded = self.requires_grad or (isinstance(other, RBETensor) and other.requires_grad)
        if recorded and _rbe.is_grad_enabled():
            if self.requires_grad and self.is_leaf:
                raise GraphError(name, "a tensor that is no leaf of the tape (use no_grad())", "a leaf that requires grad")
            # On the tape the name is bound to a new tensor: what was saved stays as it was.
            result: RBETensor = getattr(self, name)(other)
            return result
        with _no_grad():
            result = getattr(self.detach(), name)(other)
        return _store(self, name, result)

    method.__name__ = f"__i{name.strip('_')}__"
    method.__doc__ = f"In place where nothing is recorded; otherwise as `{name}`."
    return method


def _in_place(name: str) -> Callable[..., RBETensor]:
    def method(self: RBETensor, *args: Any, **kwargs: Any) -> RBETensor:
        with _no_grad():
            result = getattr(self.detach(), name)(*args, **kwargs)
        return _store(self, name + "_", result)

    method.__name__ = name + "_"
    method.__doc__ = f"In-place form of `{name}`; not recorded, so only for tensors without gradient or under no_grad()."
    return method


class _no_grad:
    def __enter__(self) -> None:
        self.before = _rbe._set_grad_enabled(False)

    def __exit__(self, *_: object) -> None:
        _rbe._set_grad_enabled(self.before)


def add_(self: RBETensor, other: Any, *, alpha: float = 1) -> RBETensor:
    """Add `alpha * other` in place."""
    with _no_grad():
        result = self.detach() + (other if alpha == 1 else other * alpha)
    return _store(self, "add_", result)


def sub_(self: RBETensor, other: Any, *, alpha: float = 1) -> RBETensor:
    """Subtract `alpha * other` in place."""
    return add_(self, other, alpha=-alpha)


def zero_(self: RBETensor) -> RBETensor:
    """Set every element to 0."""
    self._assign(0)
    return self


def fill_(self: RBETensor, value: float) -> RBETensor:
    """Set every element to `value`."""
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


def set_data(self: RBETensor, value: RBETensor) -> None:
    """Replace the values, unseen by the tape: torch's way to set a parameter."""
    if value.shape != self.shape:
        raise ShapeError("data", f"values of shape {self.shape}", str(value.shape))
    with _no_grad():
        copy_(self, value)


def uniform_(self: RBETensor, a: float = 0.0, b: float = 1.0) -> RBETensor:
    """Fill with uniform numbers in [a, b)."""
    self._assign(_rbe.rand(list(self.shape), self.dtype) * (b - a) + a)
    return self


def normal_(self: RBETensor, mean: float = 0.0, std: float = 1.0) -> RBETensor:
    """Fill with normal numbers."""
    self._assign(_rbe.randn(list(self.shape), self.dtype) * std + mean)
    return self


def install() -> None:
    """Give the tensor class its in-place methods and operators."""
    for function in (add_, sub_, zero_, fill_, copy_, uniform_, normal_):
        setattr(RBETensor, function.__name__, function)
    for name in ("mul", "div", "clamp", "sqrt", "exp", "neg", "relu", "abs"):
        setattr(RBETensor, name + "_", _in_place(name))
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
        setattr(RBETensor, f"__i{name}__", _operator(f"__{name}__"))
