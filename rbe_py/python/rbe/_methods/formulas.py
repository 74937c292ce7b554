"""Element-wise functions that are formulas of others."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _rbe, dtypes
from .._arguments import number
from .._in_place import changed
from ..errors import DTypeError

if TYPE_CHECKING:
    from .._rbe import RBETensor


class Formulas(_rbe.TensorBase):
    """Element-wise functions."""

    __slots__ = ()

    def addcmul(self, tensor1: "RBETensor", tensor2: "RBETensor", *, value: Any = 1) -> "RBETensor":
        """Return `self + value * tensor1 * tensor2`.

        Examples
        --------
        >>> import rbe
        >>> rbe.addcmul(rbe.ones(2), rbe.tensor([1.0, 2.0]), rbe.tensor([3.0, 4.0]), value=10)
        tensor([31., 81.])
        """
        product = tensor1 * tensor2
        return self + (product if value == 1 else product * value)

    def addcmul_(self, tensor1: "RBETensor", tensor2: "RBETensor", *, value: Any = 1) -> "RBETensor":
        """In-place form of `addcmul`: return the tensor, changed."""
        return changed(
            self, "addcmul_", lambda x: x.addcmul(tensor1, tensor2, value=value), (tensor1, tensor2, value), keep=False
        )

    def addcdiv(self, tensor1: "RBETensor", tensor2: "RBETensor", *, value: Any = 1) -> "RBETensor":
        """Return `self + value * tensor1 / tensor2`.

        Raises
        ------
        DTypeError
            For a quotient of two tensors of integers: say how to round it with `div`.

        Examples
        --------
        >>> import rbe
        >>> rbe.addcdiv(rbe.ones(2), rbe.tensor([1.0, 2.0]), rbe.tensor([2.0, 4.0]))
        tensor([1.5, 1.5])
        """
        if not (tensor1.dtype.is_floating_point or tensor2.dtype.is_floating_point):
            raise DTypeError("addcdiv", "a tensor of floats among the two that are divided", tensor1.dtype.name)
        return self + (tensor1 / tensor2 if value == 1 else tensor1 * value / tensor2)

    def addcdiv_(self, tensor1: "RBETensor", tensor2: "RBETensor", *, value: Any = 1) -> "RBETensor":
        """In-place form of `addcdiv`: return the tensor, changed."""
        return changed(
            self, "addcdiv_", lambda x: x.addcdiv(tensor1, tensor2, value=value), (tensor1, tensor2, value), keep=False
        )

    def lerp(self, end: "RBETensor", weight: Any) -> "RBETensor":
        """Return `self + weight * (end - self)`; the weight is a number or a tensor.

        Examples
        --------
        >>> import rbe
        >>> rbe.lerp(rbe.zeros(2), rbe.tensor([1.0, 2.0]), 0.25)
        tensor([0.25, 0.5 ])
        """
        return self + (end - self).mul(weight)

    def lerp_(self, end: "RBETensor", weight: Any) -> "RBETensor":
        """In-place form of `lerp`: return the tensor, changed."""
        return changed(self, "lerp_", lambda x: x.lerp(end, weight), (end, weight))

    def logit(self, eps: float | None = None) -> "RBETensor":
        """Return `ln(x / (1 - x))`, of x held between `eps` and `1 - eps` if that is given.

        Examples
        --------
        >>> import rbe
        >>> rbe.logit(rbe.tensor([0.5, 0.9]))
        tensor([0.    , 2.1972])
        """
        if eps is None:
            x = self * _rbe.where((self < 0).logical_or(self > 1), math.nan, 1.0)._cast(self.dtype)
        else:
            x = _rbe.where(self < eps, eps, _rbe.where(self > 1 - eps, 1 - eps, self))
        return (x / (1 - x)).log()

    def logit_(self, eps: float | None = None) -> "RBETensor":
        """In-place form of `logit`: return the tensor, changed."""
        return changed(self, "logit_", lambda x: x.logit(eps))

    def nan_to_num(self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> "RBETensor":
        """Return the tensor with numbers in place of NaN (0) and of infinities (the largest that its type has).

        Examples
        --------
        >>> import rbe
        >>> rbe.nan_to_num(rbe.tensor([float("nan"), float("inf"), 2.0]), posinf=9.0)
        tensor([0., 9., 2.])
        """
        if not self.dtype.is_floating_point:
            return self._copy()
        most = float(np.finfo(self.dtype.name).max)
        rest = _rbe.where(self == -math.inf, -most if neginf is None else neginf, self)
        rest = _rbe.where(self == math.inf, most if posinf is None else posinf, rest)
        return _rbe.where(self.isnan(), 0.0 if nan is None else nan, rest)

    def nan_to_num_(self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> "RBETensor":
        """In-place form of `nan_to_num`: return the tensor, changed."""
        return changed(self, "nan_to_num_", lambda x: x.nan_to_num(nan, posinf, neginf))

    def sinc(self) -> "RBETensor":
        """Return `sin(πx) / (πx)`, 1 at 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.sinc(rbe.tensor([0.0, 0.5]))
        tensor([1.    , 0.6366])
        """
        at_0 = self == 0
        angle = _rbe.where(at_0, 1.0, self * math.pi)
        return _rbe.where(at_0, 1.0, angle.sin() / angle)

    def fmax(self, other: "RBETensor") -> "RBETensor":
        """Return the larger of two tensors' elements, of a number and NaN the number; equal ones share the gradient.

        Examples
        --------
        >>> import rbe
        >>> rbe.fmax(rbe.tensor([1.0, 5.0]), rbe.tensor([float("nan"), 7.0]))
        tensor([1., 7.])
        """
        return _rbe.where(self.isnan(), other, self).maximum(_rbe.where(_rbe.isnan(other), self, other))

    def fmin(self, other: "RBETensor") -> "RBETensor":
        """Return the smaller of two tensors' elements, of a number and NaN the number; equal ones share the gradient.

        Examples
        --------
        >>> import rbe
        >>> rbe.fmin(rbe.tensor([1.0, 5.0]), rbe.tensor([float("nan"), 7.0]))
        tensor([1., 5.])
        """
        return _rbe.where(self.isnan(), other, self).minimum(_rbe.where(_rbe.isnan(other), self, other))

    def clamp_min(self, min: Any) -> "RBETensor":
        """Return the elements, those below `min` replaced by it.

        Examples
        --------
        >>> import rbe
        >>> rbe.clamp_min(rbe.tensor([-1.0, 2.0]), 0)
        tensor([0., 2.])
        """
        return self.clamp(min=min)

    def clamp_min_(self, min: Any) -> "RBETensor":
        """In-place form of `clamp_min`: return the tensor, changed."""
        return changed(self, "clamp_min_", lambda x: x.clamp(min=min), (min,))

    def clamp_max(self, max: Any) -> "RBETensor":
        """Return the elements, those above `max` replaced by it.

        Examples
        --------
        >>> import rbe
        >>> rbe.clamp_max(rbe.tensor([-1.0, 2.0]), 1)
        tensor([-1.,  1.])
        """
        return self.clamp(max=max)

    def clamp_max_(self, max: Any) -> "RBETensor":
        """In-place form of `clamp_max`: return the tensor, changed."""
        return changed(self, "clamp_max_", lambda x: x.clamp(max=max), (max,))

    def frac(self) -> "RBETensor":
        """Return the part behind the point, `x - trunc(x)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.frac(rbe.tensor([1.5, -2.25]))
        tensor([ 0.5 , -0.25])
        """
        return self - self.trunc()

    def deg2rad(self) -> "RBETensor":
        """Return degrees as radians.

        Examples
        --------
        >>> import rbe
        >>> rbe.deg2rad(rbe.tensor([180.0]))
        tensor([3.1416])
        """
        return self * (math.pi / 180.0)

    def rad2deg(self) -> "RBETensor":
        """Return radians as degrees.

        Examples
        --------
        >>> import rbe
        >>> rbe.rad2deg(rbe.tensor([1.0]))
        tensor([57.2958])
        """
        return self * (180.0 / math.pi)

    def sgn(self) -> "RBETensor":
        """Return `sign()`.

        Examples
        --------
        >>> import rbe
        >>> rbe.sgn(rbe.tensor([-2.0, 3.0]))
        tensor([-1.,  1.])
        """
        return self.sign()

    def signbit(self) -> "RBETensor":
        """Return whether the sign of each element is negative, also of -0.0.

        Examples
        --------
        >>> import rbe
        >>> rbe.signbit(rbe.tensor([-0.0, 1.0]))
        tensor([ True, False])
        """
        if self.dtype.is_floating_point:
            return _rbe.full([], 1, self.dtype).copysign(self.detach()) < 0
        return self < 0

    def positive(self) -> "RBETensor":
        """Return the tensor itself.

        Raises
        ------
        DTypeError
            For a mask.

        Examples
        --------
        >>> import rbe
        >>> rbe.positive(rbe.tensor([-2.0]))
        tensor([-2.])
        """
        if self.dtype is dtypes.bool:
            raise DTypeError("positive", "numbers", "bool")
        return _rbe._as_tensor(self)

    def true_divide(self, other: Any) -> "RBETensor":
        """Return `self / other`.

        Examples
        --------
        >>> import rbe
        >>> rbe.true_divide(rbe.tensor([3]), 2)
        tensor([1.5])
        """
        return self.div(other)

    def float_power(self, exponent: Any) -> "RBETensor":
        """Return `self ** exponent` in float64.

        Examples
        --------
        >>> import rbe
        >>> rbe.float_power(rbe.tensor([2]), 0.5)
        tensor([1.4142], dtype=rbe.float64)
        """
        power = exponent if isinstance(exponent, int | float) else _rbe._as_tensor(exponent)._cast(dtypes.float64)
        return self._cast(dtypes.float64).pow(power)

    def rsub(self, other: Any, *, alpha: float = 1) -> "RBETensor":
        """Return `other - alpha * self`.

        Examples
        --------
        >>> import rbe
        >>> rbe.rsub(rbe.tensor([1.0]), 5)
        tensor([4.])
        """
        taken = _rbe._as_tensor(self) if alpha == 1 else self * number("rsub", alpha)
        found: RBETensor = other - taken
        return found

    def ldexp(self, other: "RBETensor") -> "RBETensor":
        """Return `self * 2 ** other`.

        Examples
        --------
        >>> import rbe
        >>> rbe.ldexp(rbe.tensor([1.5]), rbe.tensor([3]))
        tensor([12.])
        """
        return self.mul(other.exp2())

    def heaviside(self, values: "RBETensor") -> "RBETensor":
        """Return 0 below 0, 1 above and `values` at 0.

        Raises
        ------
        DTypeError
            For two types.

        Examples
        --------
        >>> import rbe
        >>> rbe.heaviside(rbe.tensor([-1.0, 0.0, 2.0]), rbe.tensor([0.5]))
        tensor([0. , 0.5, 1. ])
        """
        if self.dtype is not values.dtype:
            raise DTypeError("heaviside", f"values of {self.dtype.name}", values.dtype.name)
        return _rbe.where(self == 0, values, (self > 0)._cast(self.dtype))

    def isposinf(self) -> "RBETensor":
        """Return whether each element is plus infinity.

        Examples
        --------
        >>> import rbe
        >>> rbe.isposinf(rbe.tensor([1.0, float("inf")]))
        tensor([False,  True])
        """
        return self == math.inf

    def isneginf(self) -> "RBETensor":
        """Return whether each element is minus infinity.

        Examples
        --------
        >>> import rbe
        >>> rbe.isneginf(rbe.tensor([1.0, -float("inf")]))
        tensor([False,  True])
        """
        return self == -math.inf

    def bitwise_and(self, other: Any) -> "RBETensor":
        """Return `self & other` of integers or masks.

        Examples
        --------
        >>> import rbe
        >>> rbe.bitwise_and(rbe.tensor([6]), 3)
        tensor([2])
        """
        found: RBETensor = self & other
        return found

    def bitwise_or(self, other: Any) -> "RBETensor":
        """Return `self | other` of integers or masks.

        Examples
        --------
        >>> import rbe
        >>> rbe.bitwise_or(rbe.tensor([6]), 3)
        tensor([7])
        """
        found: RBETensor = self | other
        return found

    def bitwise_xor(self, other: Any) -> "RBETensor":
        """Return `self ^ other` of integers or masks.

        Examples
        --------
        >>> import rbe
        >>> rbe.bitwise_xor(rbe.tensor([6]), 3)
        tensor([5])
        """
        found: RBETensor = self ^ other
        return found

    def bitwise_not(self) -> "RBETensor":
        """Return `~self` of integers or masks.

        Examples
        --------
        >>> import rbe
        >>> rbe.bitwise_not(rbe.tensor([6]))
        tensor([-7])
        """
        return ~self
