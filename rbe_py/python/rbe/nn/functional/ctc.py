"""The loss of connectionist temporal classification as a function, with torch's signature."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _interchange, creation
from ..._arguments import integer
from ..._tensor import RBETensor
from ...autograd import Function
from ...errors import OutOfRangeError, ShapeError
from .loss import reduce

__all__ = ["ctc_loss"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def _moved(a: Floats, by: int) -> Floats:
    """Return states (N, S) moved on, or back for a negative number."""
    out = np.full_like(a, -np.inf)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, : a.shape[1] + by] = a[:, -by:]
    return out


class _Paths:
    """The ways to read targets from a sequence: states are the targets' elements with a blank around each.

    All numbers are logarithms in float64: `log_probs` (T, N, C), `targets` (N, S) padded with the blank.
    """

    def __init__(self, log_probs: Floats, targets: Integers, steps: Integers, lengths: Integers, blank: int) -> None:
        n, longest = targets.shape
        self.states: Integers = np.full((n, 2 * longest + 1), blank, dtype=np.int64)
        self.states[:, 1::2] = targets
        self.steps, self.last = steps, 2 * lengths
        places = np.arange(self.states.shape[1])
        self.inside: Bools = places <= self.last[:, None]
        earlier = np.pad(self.states[:, :-2], ((0, 0), (2, 0)), constant_values=blank)
        # A blank, or the same element again, cannot be reached from the element before without what is between.
        self.skips: Bools = (self.states != blank) & (self.states != earlier) & (places >= 2)
        self.emitted: Floats = np.take_along_axis(
            log_probs, np.broadcast_to(self.states, (len(log_probs), *self.states.shape)), 2
        )
        self.log_probs = log_probs

    def forward(self) -> tuple[Floats, Floats]:
        """Return the sums (T, N, S) of all paths up to each state, and minus the logarithm (N) of the whole."""
        sums = np.full(self.emitted.shape, -np.inf)
        if len(sums):
            sums[0, :, :2] = self.emitted[0, :, :2]
        sums[:1, ~self.inside] = -np.inf
        for t in range(1, len(sums)):
            stay, move = sums[t - 1], _moved(sums[t - 1], 1)
            jump = np.where(self.skips, _moved(move, 1), -np.inf)
            sums[t] = np.where(self.inside, np.logaddexp(np.logaddexp(stay, move), jump) + self.emitted[t], -np.inf)
        rows = np.arange(len(self.steps))
        at = sums[np.maximum(self.steps - 1, 0), rows] if len(sums) else np.full(self.emitted.shape[1:], -np.inf)
        end = at[rows, self.last]
        before = np.where(self.last > 0, at[rows, np.maximum(self.last - 1, 0)], -np.inf)
        whole = np.logaddexp(end, before)
        return sums, -np.where(self.steps > 0, whole, np.where(self.last == 0, 0.0, -np.inf))

    def backward(self, sums: Floats, losses: Floats, dy: Floats) -> Floats:
        """Return the gradient (T, N, C) of the log-probabilities, which are taken to be a log-softmax, as torch does."""
        total, n, _ = self.log_probs.shape
        out = np.zeros_like(self.log_probs)
        rows, places = np.arange(n), np.arange(self.states.shape[1])
        ends = (places == self.last[:, None]) | (places == self.last[:, None] - 1)
        later = np.full(self.states.shape, -np.inf)
        for t in range(total - 1, -1, -1):
            move, jump = _moved(later, -1), _moved(_moved(np.where(self.skips, later, -np.inf), -1), -1)
            later = np.where(self.inside, np.logaddexp(np.logaddexp(later, move), jump), -np.inf)
            later = np.where(np.equal(self.steps - 1, t)[:, None], np.where(ends, 0.0, -np.inf), later)
            share = np.exp(sums[t] + later + losses[:, None])  # of all paths, those through the state
            later = later + self.emitted[t]
            of_classes = np.exp(self.log_probs[t])
            for s in places:
                of_classes[rows, self.states[:, s]] -= share[:, s]
            out[t] = np.where(np.greater(self.steps, t)[:, None], of_classes * dy[:, None], 0.0)
        return out


class _CTC(Function):
    """Losses (N); those that are infinite, with their gradients, are 0 with `zero_infinity`."""

    @staticmethod
    def forward(ctx: Any, log_probs: RBETensor, paths: _Paths, zero_infinity: bool) -> RBETensor:
        sums, losses = paths.forward()
        ctx.found = (paths, sums, losses, zero_infinity)
        ctx.dtype = log_probs.dtype
        return _interchange.from_numpy(np.where(np.isinf(losses) & zero_infinity, 0.0, losses)).to(log_probs.dtype)

    @staticmethod
    def backward(ctx: Any, dy: RBETensor) -> Any:
        paths, sums, losses, zero_infinity = ctx.found
        with np.errstate(invalid="ignore"):  # a loss that is infinite has a gradient that is NaN, as in torch
            found = paths.backward(sums, losses, dy.detach().numpy().astype(np.float64))
        if zero_infinity:
            found[:, np.isinf(losses)] = 0.0
        return _interchange.from_numpy(found).to(ctx.dtype), None, None


def _counts(op: str, name: str, given: RBETensor | Sequence[int] | int, n: int, most: int) -> Integers:
    """Return n lengths from 0 to `most`."""
    if isinstance(given, RBETensor):
        given = given.reshape(-1).tolist()
    listed = [integer(op, name, v) for v in (given if isinstance(given, Sequence) else [given])]
    if len(listed) != n:
        raise ShapeError(op, f"{n} {name}", str(len(listed)))
    if any(not 0 <= v <= most for v in listed):
        raise OutOfRangeError(op, f"{name} from 0 to {most}", str(listed))
    return np.array(listed, dtype=np.int64)


def ctc_loss(
    log_probs: RBETensor,
    targets: RBETensor,
    input_lengths: RBETensor | Sequence[int],
    target_lengths: RBETensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> RBETensor:
    """Return minus the log-probability of reading targets from longer sequences (Graves et al. 2006).

    A sequence of classes is read by joining equal neighbours and then dropping blanks.

    Parameters
    ----------
    log_probs : tensor (T, N, C) or (T, C)
        Log-softmax over the classes: the gradient takes that for granted, as in torch.
    targets : int64 tensor (N, S), (S), or (sum of target_lengths)
        Classes other than the blank.
    input_lengths, target_lengths : int64 tensor (N), or a sequence of int
    blank : int
    reduction : {"mean", "sum", "none"}
        The mean divides each loss by the length of its target first.
    zero_infinity : bool
        Whether targets too long to be read, whose loss is infinite, count as 0, with no gradient.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    OutOfRangeError
        For a class or a length that is not there.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.zeros(3, 1, 2).log_softmax(-1)    # of eight sequences six read as one 1
    >>> rbe.nn.functional.ctc_loss(x, rbe.tensor([[1]]), [3], [1])
    tensor(0.2877)
    """
    op = "ctc_loss"
    single = log_probs.ndim == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    if x.ndim != 3:
        raise ShapeError(op, "log_probs (T, N, C) or (T, C)", str(tuple(log_probs.shape)))
    total, n, classes = x.shape
    if not 0 <= blank < classes:
        raise OutOfRangeError(op, f"a blank from 0 to {classes - 1}", str(blank))
    steps = _counts(op, "input_lengths", input_lengths, n, total)
    lengths = _counts(op, "target_lengths", target_lengths, n, max(targets.numel(), 1))
    flat = targets.detach().numpy().astype(np.int64)
    joined = flat.ndim == 1 and not single
    if flat.ndim != (1 if single or joined else 2) or (flat.ndim == 2 and len(flat) != n):
        raise ShapeError(op, f"targets ({n}, S) or one after another", str(tuple(targets.shape)))
    if joined and len(flat) != lengths.sum():
        raise ShapeError(op, f"{int(lengths.sum())} targets", str(len(flat)))
    ends = np.cumsum(lengths)
    rows = [flat[end - m : end] for end, m in zip(ends, lengths, strict=True)] if joined else list(np.atleast_2d(flat))
    padded = np.full((n, int(lengths.max(initial=0))), blank, dtype=np.int64)
    for to, row, m in zip(padded, rows, lengths, strict=True):
        if m > len(row):
            raise OutOfRangeError(op, f"target_lengths up to {len(row)}", str(m))
        to[:m] = row[:m]
        if m and not (row[:m].min() >= 0 and row[:m].max() < classes):
            raise OutOfRangeError(op, f"classes from 0 to {classes - 1}", str(row[:m].tolist()))
    paths = _Paths(x.detach().numpy().astype(np.float64), padded, steps, lengths, blank)
    losses = _CTC.apply(x, paths, zero_infinity)
    if reduction == "mean":
        shares = _interchange.from_numpy(np.maximum(lengths, 1).astype(np.float64)).to(x.dtype)
        return (losses / shares).mean() if n else creation.zeros((), dtype=x.dtype)
    losses = reduce(losses, reduction)
    return losses.squeeze(0) if single and reduction == "none" else losses
