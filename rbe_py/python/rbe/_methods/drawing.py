"""Random elements."""

import math
from typing import TYPE_CHECKING, Any

from .. import _rbe, dtypes
from .._arguments import integer
from .._in_place import changed
from .._stream import seed_of
from ..errors import DTypeError, OutOfRangeError, ShapeError, TensorError

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _uniform(x: _rbe.TensorBase, generator: Any) -> "RBETensor":
    """Return uniform numbers in [0, 1) of the shape of a tensor, in its type or, where that is no float, the default one."""
    wide = dtypes.float64 if x.dtype is dtypes.float64 else dtypes.float32
    return _rbe.rand(list(x.shape), wide, seed_of(generator))


class Drawing(_rbe.TensorBase):
    """Random elements."""

    __slots__ = ()

    def bernoulli(self, p: float | None = None, *, generator: Any = None) -> "RBETensor":
        """Return 1 with the probability that each element is, or `p`, else 0.

        Raises
        ------
        DTypeError, OutOfRangeError
            For probabilities that are no floats, or not from 0 to 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.bernoulli(rbe.tensor([0.0, 1.0]))
        tensor([0., 1.])
        """
        chance = self.detach() if p is None else _rbe.full(list(self.shape), p, self.dtype, "bernoulli")
        if not chance.dtype.is_floating_point:
            raise DTypeError("bernoulli", "floats", chance.dtype.name)
        _check_chances("bernoulli", chance)
        return (_uniform(self, generator) < chance)._cast(self.dtype)

    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> "RBETensor":
        """Fill with 1 with probability `p`, a number or a tensor that broadcasts, else 0."""
        chance = p if isinstance(p, _rbe.TensorBase) else _rbe.full([], p, dtypes.float64, "bernoulli_")
        _check_chances("bernoulli_", chance.detach())
        drawn = (_uniform(self, generator) < chance.detach())._cast(self.dtype)
        return changed(self, "bernoulli_", lambda x: x.detach() * 0 + drawn if x.dtype.is_floating_point else drawn)

    def multinomial(self, num_samples: int, replacement: bool = False, *, generator: Any = None) -> "RBETensor":
        """Return places drawn with the weights that a vector has, or each row of a matrix: int64.

        Parameters
        ----------
        num_samples : int
        replacement : bool
            Whether a place can be drawn again.

        Raises
        ------
        DTypeError, ShapeError, OutOfRangeError, TensorError
            For weights that are no floats of at least 0 with a finite positive sum, or more samples than there are weights.

        Examples
        --------
        >>> import rbe
        >>> rbe.multinomial(rbe.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
        tensor([1, 1])
        """
        count = integer("multinomial", "num_samples", num_samples)
        if not self.dtype.is_floating_point:
            raise DTypeError("multinomial", "weights that are floats", self.dtype.name)
        if self.ndim not in (1, 2) or not self.shape[-1]:
            raise ShapeError("multinomial", "a vector or matrix of weights", str(self.shape))
        weights = self.detach()._cast(dtypes.float64)
        weights = weights.reshape(-1, self.shape[-1])
        if not bool(((weights >= 0) & weights.isfinite()).all()) or not bool((weights.sum(1) > 0).all()):
            raise TensorError(
                "multinomial",
                "weights of at least 0 with a finite positive sum",
                f"a row with {weights.amin().item()} and sum {weights.sum(1).amin().item()}",
            )
        available = weights.shape[1] if replacement else int((weights > 0).sum(1).amin().item()) if len(weights) else count
        if not count > 0 or (not replacement and count > available):
            raise OutOfRangeError("multinomial", f"1 to {available} samples", str(count))
        seed = seed_of(generator)
        if replacement:
            ends = weights.cumsum(1)
            drawn = _rbe.rand([len(weights), count], dtypes.float64, seed) * ends.narrow(1, ends.shape[1] - 1, 1)
            found = ends.searchsorted(drawn, right=True).clamp(max=weights.shape[1] - 1)
        else:
            # Times until first events at these rates: the earliest are a sample without replacement.
            times = -(1 - _rbe.rand(list(weights.shape), dtypes.float64, seed)).log() / weights
            times = _rbe.where(weights > 0, times, math.inf)
            found = times._topk(count, 1, False)[1]
        return found.reshape(count) if self.ndim == 1 else found

    def random_(self, from_: int = 0, to: int | None = None, *, generator: Any = None) -> "RBETensor":
        """Fill with integers from `from_` to below `to`; `random_(n)` means those below n.

        Without bounds they are all that the type holds exactly.

        Raises
        ------
        OutOfRangeError
            For no integer between the bounds.
        """
        most = min(self.dtype.bounds[1] + 1, 2**63 - 1)
        low, high = (0, from_ if from_ else most) if to is None else (from_, to)
        if low >= high:
            raise OutOfRangeError("random_", f"an end above {low}", str(high))
        self._assign(_rbe.randint(low, high, list(self.shape), seed_of(generator))._cast(self.dtype))
        return _rbe._as_tensor(self)

    def exponential_(self, lambd: float = 1, *, generator: Any = None) -> "RBETensor":
        """Fill with numbers of the exponential distribution of rate `lambd`.

        Raises
        ------
        OutOfRangeError
            For a rate that is not positive.
        """
        if not lambd > 0:
            raise OutOfRangeError("exponential_", "a positive rate", str(lambd))
        self._assign(-(-_uniform(self, generator)).log1p() / lambd)
        return _rbe._as_tensor(self)

    def geometric_(self, p: float, *, generator: Any = None) -> "RBETensor":
        """Fill with the numbers of trials, each of which succeeds with probability `p`, up to the first success.

        Raises
        ------
        OutOfRangeError
            For a probability that is not between 0 and 1.
        """
        if not 0 < p < 1:
            raise OutOfRangeError("geometric_", "a probability between 0 and 1", str(p))
        trials = ((-_uniform(self, generator)).log1p() / math.log1p(-p)).floor() + 1
        self._assign(trials._cast(self.dtype))
        return _rbe._as_tensor(self)

    def log_normal_(self, mean: float = 1, std: float = 2, *, generator: Any = None) -> "RBETensor":
        """Fill with numbers whose logarithms have a normal distribution.

        Raises
        ------
        OutOfRangeError
            For a standard deviation that is not positive.
        """
        if not std > 0:
            raise OutOfRangeError("log_normal_", "a positive standard deviation", str(std))
        self._assign((_rbe.randn(list(self.shape), self.dtype, seed_of(generator)) * std + mean).exp())
        return _rbe._as_tensor(self)

    def cauchy_(self, median: float = 0, sigma: float = 1, *, generator: Any = None) -> "RBETensor":
        """Fill with numbers of the Cauchy distribution.

        Raises
        ------
        OutOfRangeError
            For a width that is not positive.
        """
        if not sigma > 0:
            raise OutOfRangeError("cauchy_", "a positive width", str(sigma))
        self._assign(((_uniform(self, generator) - 0.5) * math.pi).tan() * sigma + median)
        return _rbe._as_tensor(self)


def _check_chances(op: str, chance: "RBETensor") -> None:
    if not bool(((chance >= 0) & (chance <= 1)).all()):
        raise OutOfRangeError(op, "probabilities from 0 to 1", f"{chance.amin().item()} to {chance.amax().item()}")
