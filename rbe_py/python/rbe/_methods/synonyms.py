"""torch's second names of methods."""

from typing import TYPE_CHECKING, Any

from .. import _rbe
from ..errors import GraphError

if TYPE_CHECKING:
    from .._rbe import RBETensor


class Synonyms(_rbe.TensorBase):
    """Second names."""

    __slots__ = ()

    def absolute(self) -> "RBETensor":
        """Return `abs()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.absolute(rbe.tensor([-1.0]))
        tensor([1.])
        """
        return self.abs()

    def arccos(self) -> "RBETensor":
        """Return `acos()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arccos(rbe.tensor([1.0]))
        tensor([0.])
        """
        return self.acos()

    def arccosh(self) -> "RBETensor":
        """Return `acosh()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arccosh(rbe.tensor([1.0]))
        tensor([0.])
        """
        return self.acosh()

    def arcsin(self) -> "RBETensor":
        """Return `asin()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arcsin(rbe.tensor([0.0]))
        tensor([0.])
        """
        return self.asin()

    def arcsinh(self) -> "RBETensor":
        """Return `asinh()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arcsinh(rbe.tensor([0.0]))
        tensor([0.])
        """
        return self.asinh()

    def arctan(self) -> "RBETensor":
        """Return `atan()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arctan(rbe.tensor([0.0]))
        tensor([0.])
        """
        return self.atan()

    def arctan2(self, other: Any) -> "RBETensor":
        """Return `atan2(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arctan2(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([0.])
        """
        return self.atan2(other)

    def arctanh(self) -> "RBETensor":
        """Return `atanh()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.arctanh(rbe.tensor([0.0]))
        tensor([0.])
        """
        return self.atanh()

    def divide(self, other: Any, *, rounding_mode: str | None = None) -> "RBETensor":
        """Return `div(other, rounding_mode=rounding_mode)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.divide(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([0.])
        """
        return self.div(other, rounding_mode=rounding_mode)

    def fix(self) -> "RBETensor":
        """Return `trunc()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.fix(rbe.tensor([1.5]))
        tensor([1.])
        """
        return self.trunc()

    def greater(self, other: Any) -> "RBETensor":
        """Return `gt(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.greater(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([False])
        """
        return self.gt(other)

    def greater_equal(self, other: Any) -> "RBETensor":
        """Return `ge(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.greater_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([False])
        """
        return self.ge(other)

    def less(self, other: Any) -> "RBETensor":
        """Return `lt(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.less(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([ True])
        """
        return self.lt(other)

    def less_equal(self, other: Any) -> "RBETensor":
        """Return `le(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.less_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([ True])
        """
        return self.le(other)

    def multiply(self, other: Any) -> "RBETensor":
        """Return `mul(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.multiply(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([0.])
        """
        return self.mul(other)

    def negative(self) -> "RBETensor":
        """Return `neg()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.negative(rbe.tensor([1.0]))
        tensor([-1.])
        """
        return self.neg()

    def not_equal(self, other: Any) -> "RBETensor":
        """Return `ne(other)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.not_equal(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([ True])
        """
        return self.ne(other)

    def subtract(self, other: Any, *, alpha: Any = 1) -> "RBETensor":
        """Return `sub(other, alpha=alpha)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.subtract(rbe.tensor([0.0]), rbe.tensor([2.0]))
        tensor([-2.])
        """
        return self.sub(other, alpha=alpha)

    def ndimension(self) -> int:
        """Return the number of axes."""
        return self.ndim

    def pin_memory(self, device: object = None) -> "RBETensor":
        """Return the tensor: there is no device to copy to."""
        return _rbe._as_tensor(self)

    def detach_(self) -> "RBETensor":
        """Make a leaf require no grad, and return it.

        Raises
        ------
        GraphError
            For the result of a recorded operation: `x = x.detach()` does it.
        """
        if self.grad_fn is not None:
            raise GraphError("detach_", "a leaf (x = x.detach() takes a result off the tape)", "the result of an operation")
        return _rbe._as_tensor(self).requires_grad_(False)
