"""L-BFGS, which evaluates the loss several times a step."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .. import _rbe, creation
from .._arguments import check, describe, real, whole
from .._saved import entries, sequence
from .._tensor import RBETensor
from ..autograd import enable_grad, no_grad
from ..errors import DTypeError, ShapeError, TensorError
from ._line_search import Point, strong_wolfe
from ._rates import LBFGSRates, SGDRates
from .base import Group, Optimizer, Params

LEAST_CURVATURE = 1e-10
_KEEPS_PARAMETERS = SGDRates(lr=0.0, weight_decay=0.0, maximize=False, momentum=0.0, dampening=0.0, nesterov=False)


@dataclass(slots=True)
class History:
    """The steps so far: names and meanings are those of torch's state."""

    func_evals: int = 0
    n_iter: int = 0
    t: float = 1.0
    H_diag: float = 1.0
    prev_loss: float = 0.0
    d: RBETensor | None = None
    prev_flat_grad: RBETensor | None = None
    old_dirs: list[RBETensor] = field(default_factory=list)  # changes of the gradient
    old_stps: list[RBETensor] = field(default_factory=list)  # steps
    ro: list[float] = field(default_factory=list)  # one over their products

    def copy(self) -> "History":
        """Return a history that shares its tensors, which never change."""
        return replace(self, old_dirs=[*self.old_dirs], old_stps=[*self.old_stps], ro=[*self.ro])

    def add(self, gradient: RBETensor, most: int) -> None:
        """Take in the change of the gradient along the last step, if the loss curves upwards there."""
        if self.d is None or self.prev_flat_grad is None:
            return
        change, step = gradient - self.prev_flat_grad, self.d * self.t
        product = float(change.dot(step))
        if product > LEAST_CURVATURE:
            if len(self.old_dirs) >= most:
                for listed in (self.old_dirs, self.old_stps, self.ro):
                    del listed[0]
            self.old_dirs.append(change)
            self.old_stps.append(step)
            self.ro.append(1.0 / product)
            self.H_diag = product / float(change.dot(change))

    def direction(self, gradient: RBETensor) -> RBETensor:
        """Return minus the approximate inverse Hessian times the gradient, by the recursion of two loops."""
        past = list(zip(self.old_dirs, self.old_stps, self.ro, strict=True))
        down, shares = -gradient, []
        for change, step, inverse in reversed(past):
            shares.append(float(step.dot(down)) * inverse)
            down = down - change * shares[-1]
        down = down * self.H_diag
        for (change, step, inverse), share in zip(past, reversed(shares), strict=True):
            down = down + step * (share - float(change.dot(down)) * inverse)
        return down


class LBFGS(Optimizer):
    """L-BFGS (Nocedal 1980): a quasi-Newton method that keeps the last steps and changes of the gradient.

    Each step calls the closure up to `max_eval` times. There is one group, of dense parameters.

    Parameters
    ----------
    params : iterable of tensors
    lr : float
        Length of the steps, or of the first one tried in a line search.
    max_iter : int
        Iterations in a step.
    max_eval : int, optional
        Evaluations of the closure in a step; default 5/4 of max_iter.
    tolerance_grad : float
        A step ends where no element of the gradient is larger.
    tolerance_change : float
        A step ends where the loss and no parameter change by more.
    history_size : int
        Steps that are kept.
    line_search_fn : {"strong_wolfe"}, optional
        Without it steps have the length `lr`.
    maximize : bool
        Ascend instead of descending.

    Raises
    ------
    TensorError
        For several groups, an unknown line search, or a number out of range.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([3.0, -2.0]))
    >>> optimizer = rbe.optim.LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((p - 1.0) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(13., grad_fn=<sum backward>)
    >>> p.detach()
    tensor([1., 1.])
    """

    _engine: _rbe._Dense
    _rates_type = LBFGSRates

    def __init__(
        self,
        params: Params,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": whole("LBFGS", "max_iter", max_iter, 1) * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        self._history = History()
        super().__init__(params, defaults)

    def _new_engine(self) -> _rbe._Dense:
        return _rbe._Dense("sgd")  # checks and holds the parameters; its rule is not used

    def _add(self, group: Group) -> None:
        if self._sent:
            raise TensorError("LBFGS", "one group of parameters", "several")
        self._engine.add_group(group["params"], _KEEPS_PARAMETERS)
        self._sent.append(self._rates_of(group))

    def _sync(self) -> None:
        """Do nothing: the engine does not step."""

    def _check(self, rates: LBFGSRates) -> None:
        numbers = ("lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size")
        for name in numbers:
            least = 1 if name in ("max_iter", "history_size") else 0
            check("LBFGS", getattr(rates, name) >= least, f"{name} >= {least}", getattr(rates, name))
        check("LBFGS", rates.line_search_fn in (None, "strong_wolfe"), "line_search_fn 'strong_wolfe'", rates.line_search_fn)

    @property
    def _params(self) -> list[RBETensor]:
        params: list[RBETensor] = self.param_groups[0]["params"]
        return params

    def _gradient(self, sign: float) -> RBETensor:
        """Return the gradients of all parameters as one vector of its own; zeros for a parameter without one."""
        parts = [creation.zeros(p.numel(), dtype=p.dtype) if p.grad is None else p.grad.reshape(-1) for p in self._params]
        whole = _rbe.concat(parts, 0) if len(parts) > 1 else parts[0].clone()
        return whole.detach() if sign > 0 else -whole.detach()

    def _move(self, origin: list[RBETensor], direction: RBETensor, step: float) -> None:
        """Set the parameters to what they were at the origin plus a step along a direction."""
        at = 0
        for p, first in zip(self._params, origin, strict=True):
            p.copy_(first + (direction.narrow(0, at, p.numel()) * step).reshape(p.shape).to(p.dtype))
            at += p.numel()

    @contextmanager
    def _or_back(self) -> Iterator[None]:
        """Put the parameters back where they were if what is inside fails."""
        origin = [p.detach().clone() for p in self._params]
        try:
            yield
        except BaseException:
            for p, first in zip(self._params, origin, strict=True):
                p.copy_(first)
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Run up to `max_iter` iterations and return the loss before the first.

        Parameters
        ----------
        closure : callable
            Drops the gradients, computes the loss and its gradients, and returns the loss.

        Raises
        ------
        DTypeError
            Without a closure. If the closure raises, parameters and history are as before the call.
        """
        if not callable(closure):
            raise DTypeError("LBFGS", "a closure that computes the loss and its gradients", describe(closure))
        rates: LBFGSRates = self._rates_of(self.param_groups[0])
        self._check(rates)
        history, sign = self._history.copy(), -1.0 if rates.maximize else 1.0
        losses: list[Any] = []

        def evaluate(step: float = 0.0) -> Point:
            with enable_grad():
                losses.append(closure())
            history.func_evals += 1
            gradient = self._gradient(sign)
            slope = math.nan if history.d is None else float(gradient.dot(history.d))
            return Point(step, sign * float(losses[-1]), gradient, slope)

        with no_grad(), self._or_back():
            here = evaluate()
            if not _largest(here.gradient) <= rates.tolerance_grad:
                self._iterate(here, rates, history, evaluate)
        self._history = history
        return losses[0]

    def _iterate(self, here: Point, rates: LBFGSRates, history: History, evaluate: Callable[[float], Point]) -> None:
        first = history.func_evals - 1
        for count in range(1, rates.max_iter + 1):
            history.n_iter += 1
            history.add(here.gradient, rates.history_size)
            history.d = history.direction(here.gradient)
            history.prev_flat_grad, history.prev_loss = here.gradient, here.loss
            history.t = rates.lr
            if history.n_iter == 1:
                total = float(here.gradient.abs().sum())
                history.t = min(1.0, 1.0 / total) * rates.lr
            here.slope, here.step = float(here.gradient.dot(history.d)), 0.0
            if here.slope > -rates.tolerance_change:
                return
            here = self._next(here, rates, history, evaluate, last=count == rates.max_iter)
            moved = _largest(history.d) * abs(history.t)
            if (
                history.func_evals - first >= rates.max_eval
                or _largest(here.gradient) <= rates.tolerance_grad
                or moved <= rates.tolerance_change
                or abs(here.loss - history.prev_loss) < rates.tolerance_change
            ):
                return

    def _next(
        self, here: Point, rates: LBFGSRates, history: History, evaluate: Callable[[float], Point], *, last: bool
    ) -> Point:
        """Move the parameters along the direction and return the point that they are at; after the last step without a line
        search the loss is not evaluated any more.
        """
        direction, origin = history.d, [p.detach().clone() for p in self._params]
        assert direction is not None

        def at(step: float) -> Point:
            self._move(origin, direction, step)
            return evaluate(step)

        if rates.line_search_fn is None:
            if last:
                self._move(origin, direction, history.t)
                return here
            return at(history.t)
        narrow = rates.tolerance_change / max(_largest(direction), math.ulp(0.0))
        used = history.func_evals - self._history.func_evals
        found = strong_wolfe(at, here, history.t, narrow=narrow, most=rates.max_eval - used)
        history.t = found.point.step
        self._move(origin, direction, history.t)
        return found.point

    def state_dict(self) -> dict[str, Any]:
        """Return history and rates in torch's format."""
        groups = [{**self._plain(self.param_groups[0]), "params": list(range(len(self._params)))}]
        if not self._history.func_evals:
            return {"state": {}, "param_groups": groups}
        state = {f.name: getattr(self._history, f.name) for f in fields(History)}
        return {"state": {0: {k: [*v] if isinstance(v, list) else v for k, v in state.items()}}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned.

        Raises
        ------
        TensorError, ShapeError, DTypeError, NonFiniteError
            If groups or tensors do not fit. Nothing changes then.
        """
        op = "load_state_dict"
        saved = entries(op, "a state", state_dict, ("state", "param_groups"), others=True)
        listed = [
            entries(op, "a group", g, ("params",), others=True) for g in sequence(op, "param_groups", saved["param_groups"])
        ]
        counts = [len(sequence(op, "params", g["params"])) for g in listed]
        check(op, counts == [len(self._params)], f"one group of {len(self._params)} parameters", str(counts))
        group = {**self.param_groups[0], **self._known(dict(listed[0])), "params": self._params}
        self._check(self._rates_of(group))
        state = entries(op, "state", saved["state"], (), others=True)
        found = state.get(0, state.get("0"))
        history = History() if found is None else self._restored(found)
        self.param_groups[0].update(group)
        self._history = history

    def _restored(self, found: Any) -> History:
        op, names = "load_state_dict", [f.name for f in fields(History)]
        saved = {name: entries(op, "the history", found, names, others=True)[name] for name in names}
        size = sum(p.numel() for p in self._params)

        def vector(name: str, value: Any) -> RBETensor:
            if not isinstance(value, RBETensor) or not value.dtype.is_floating_point:
                raise DTypeError(op, f"a tensor of floats as {name}", describe(value))
            if tuple(value.shape) != (size,):
                raise ShapeError(op, f"{name} ({size},)", str(tuple(value.shape)))
            return value.detach().clone()

        history = History()
        for name in ("func_evals", "n_iter"):
            setattr(history, name, whole(op, name, saved[name], 0))
        for name in ("t", "H_diag", "prev_loss"):
            setattr(history, name, real(op, name, saved[name], finite=name != "prev_loss"))
        for name in ("d", "prev_flat_grad"):
            setattr(history, name, None if saved[name] is None else vector(name, saved[name]))
        for name in ("old_dirs", "old_stps"):
            setattr(history, name, [vector(name, value) for value in sequence(op, name, saved[name])])
        history.ro = [real(op, "ro", value) for value in sequence(op, "ro", saved["ro"])]
        lengths = [len(history.old_dirs), len(history.old_stps), len(history.ro)]
        check(op, len(set(lengths)) == 1, "as many changes of the gradient as steps", str(lengths))
        return history

    @property
    def state_bytes(self) -> int:
        """Bytes of the history."""
        kept = [*self._history.old_dirs, *self._history.old_stps, self._history.d, self._history.prev_flat_grad]
        return sum(t.nbytes for t in kept if t is not None)

    def _plain(self, group: Group) -> Group:
        return {**group, **asdict(self._rates_of(group))}


def _largest(t: RBETensor) -> float:
    """Return the largest magnitude in a vector, 0 for an empty one."""
    return float(t.abs().max()) if t.numel() else 0.0
