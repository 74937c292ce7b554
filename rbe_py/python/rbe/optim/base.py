"""What all optimisers share: parameter groups and saved state."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .._rbe import RBETensor
from ..errors import DTypeError, GraphError, TensorError

Group = dict[str, Any]
Params = Iterable[RBETensor] | Iterable[Group]


class Engine(Protocol):
    """The Rust side of an optimiser."""

    def step(self) -> None:
        """Update every parameter."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def state_of(self, i: int) -> tuple[dict[str, RBETensor], int] | None:
        """Return arrays and steps of parameter i."""

    def set_state_of(self, i: int, arrays: dict[str, RBETensor], step: int) -> None:
        """Replace arrays and steps of parameter i."""


class Optimizer:
    """Base of all optimisers.

    Attributes
    ----------
    param_groups : list of dict
        Parameters (`params`) with the rates that apply to them, read anew by every step.
    defaults : dict
        Rates of groups that do not give their own.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=0.1)
    >>> isinstance(optimizer, rbe.optim.Optimizer), optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """

    _engine: Engine

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        listed: list[Any] = list(params)
        if not listed:
            raise TensorError(type(self).__name__, "at least one parameter", "none")
        for group in listed if isinstance(listed[0], dict) else [{"params": listed}]:
            self.add_param_group(group)

    def _add(self, group: Group) -> None:
        raise NotImplementedError

    def _sync(self) -> None:
        raise NotImplementedError

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters, under "params", with rates of their own.

        Raises
        ------
        TensorError
            For a rate that is unknown or out of range; nothing is added then.
        DTypeError, GraphError
            For a tensor that cannot be trained, or is already.
        """
        params = param_group["params"]
        full = {**self.defaults, **param_group, "params": [params] if isinstance(params, RBETensor) else list(params)}
        unknown = set(full) - set(self.defaults) - {"params"} - {k for k in full if k.startswith("initial_")}
        if unknown:
            raise TensorError(type(self).__name__, f"rates {sorted(self.defaults)}", str(sorted(unknown)))
        for p in full["params"]:
            if not isinstance(p, RBETensor):
                raise DTypeError(type(self).__name__, "tensors", type(p).__name__)
        self._add(full)
        self.param_groups.append(full)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients first.
        """
        loss = closure() if closure is not None else None
        self._sync()
        self._engine.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        if not set_to_none:
            raise GraphError("zero_grad", "set_to_none=True", "False: gradients are dropped, not filled with zeros")
        self._engine.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters and the rates, in torch's form; parameters go by their number."""
        state, groups, n = {}, [], 0
        for group in self.param_groups:
            count = len(group["params"])
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": list(range(n, n + count))})
            n += count
        for i in range(n):
            found = self._engine.state_of(i)
            if found is not None:
                state[i] = {**found[0], "step": found[1]}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        TensorError, ShapeError
            If groups or arrays do not fit.
        """
        groups = state_dict["param_groups"]
        have = [len(g["params"]) for g in self.param_groups]
        if [len(g["params"]) for g in groups] != have:
            raise TensorError("load_state_dict", f"groups of {have} parameters", str([len(g["params"]) for g in groups]))
        before = [self._engine.state_of(i) for i in range(sum(have))]
        try:
            for i, entry in state_dict["state"].items():
                arrays = {k: v for k, v in entry.items() if k != "step"}
                self._engine.set_state_of(int(i), arrays, int(entry["step"]))
        except Exception:
            for i, old in enumerate(before):
                if old is not None:
                    self._engine.set_state_of(i, *old)
            raise
        for group, new in zip(self.param_groups, groups, strict=True):
            group.update({k: tuple(v) if k == "betas" else v for k, v in new.items() if k != "params"})

    def __repr__(self) -> str:
        def line(i: int, group: Group) -> str:
            rates = ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
            return f"  group {i}: {len(group['params'])} parameters, {rates}"

        lines = [line(i, group) for i, group in enumerate(self.param_groups)]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"
