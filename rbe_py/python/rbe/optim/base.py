"""Base class of optimisers: parameter groups and saved state."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from .. import _rbe
from .._arguments import check, describe, flag, whole
from .._saved import entries, integer, sequence
from .._tensor import RBETensor
from ..autograd import enable_grad
from ..errors import DTypeError, MissingMethodError, TensorError
from . import _rates
from ._rates import Rates

Group = dict[str, Any]
Engine = _rbe._Dense | _rbe._Hybrid
Params = Iterable[RBETensor] | Iterable[tuple[str, RBETensor]] | Iterable[Group]

# torch's choices of an implementation, which do not change the result: accepted in groups and dropped.
HOW = ("foreach", "fused", "capturable", "differentiable")
# Entries that a group may have besides its rates.
LABELS = ("params", "param_names", "name")
MOST_STEPS = 2**53


def check_how(op: str, **how: Any) -> None:
    """Check torch's options that choose an implementation, none of which changes the result.

    Raises
    ------
    TensorError
        For `differentiable=True`, because steps are not recorded.
    DTypeError
        For values other than True, False and None.
    """
    for name, value in how.items():
        if value is not None and flag(op, name, value) and name == "differentiable":
            raise TensorError(op, "differentiable=False", "True (steps are not recorded)")


class Optimizer:
    """Base class of all optimisers.

    Optimisers can be copied and pickled, together with the model or, as in torch, with copies of its parameters.

    Attributes
    ----------
    param_groups : list of dict
        Parameters (`params`) with their rates, which every step reads. A rate may be a number of Python or NumPy, or an
        array or tensor of one element.
    defaults : dict
        Default rates of groups.

    Examples
    --------
    >>> import rbe
    >>> optimizer = rbe.optim.SGD(rbe.nn.Linear(2, 2).parameters(), lr=0.1)
    >>> isinstance(optimizer, rbe.optim.Optimizer), optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """

    _engine: Engine
    _rates_type: type[Rates]
    _sent: list[Rates]  # what the engine has

    def __init__(self, params: Params, defaults: Group) -> None:
        self._engine, self._sent = self._new_engine(), []
        self.defaults = defaults
        self.param_groups: list[Group] = []
        listed = self._listed(params)
        if not listed:
            raise TensorError(type(self).__name__, "at least one parameter", "an empty sequence")
        for group in listed if isinstance(listed[0], dict) else [{"params": listed}]:
            self.add_param_group(group)

    def _new_engine(self) -> Engine:
        raise MissingMethodError("Optimizer", "a subclass that has a rule, such as SGD", type(self).__name__)

    def _rates_of(self, group: Group) -> Any:
        """Return the rates of a group in the form that the engine takes."""
        return _rates.read(type(self).__name__, self._rates_type, group)

    def _add(self, group: Group) -> None:
        rates = self._rates_of(group)
        self._engine.add_group(group["params"], rates)
        self._sent.append(rates)

    def _check(self, rates: Any) -> None:
        """Raise if a rate is out of range."""
        raise NotImplementedError

    def _sync(self) -> None:
        """Send the rates of all groups to the engine if one has changed."""
        rates = [self._rates_of(group) for group in self.param_groups]
        if rates != self._sent:
            self._engine.set_rates(rates)
            self._sent = rates

    def _listed(self, params: Any) -> list[Any]:
        """Return the items of an ordered iterable `params` as a list; a tensor, a set or a dict is refused."""
        if isinstance(params, RBETensor | set | frozenset | dict | str) or not hasattr(params, "__iter__"):
            raise DTypeError(type(self).__name__, "a list or iterator of tensors, or of dicts", describe(params))
        return list(params)

    def _known(self, group: Group) -> Group:
        """Return the group without the options that choose an implementation.

        Raises
        ------
        TensorError
            For an unknown rate.
        """
        op = type(self).__name__
        check_how(op, **{k: group[k] for k in HOW if k in group})
        kept = {k: v for k, v in group.items() if k not in HOW}
        unknown = [k for k in kept if k not in self.defaults and k not in LABELS and not str(k).startswith("initial_")]
        if unknown:
            raise TensorError(op, f"rates {sorted(self.defaults)}", str(unknown))
        return kept

    def add_param_group(self, param_group: Group) -> None:
        """Add a group: parameters under "params", with their own rates.

        Raises
        ------
        TensorError
            If a rate is unknown or out of range; nothing is added then.
        DTypeError, GraphError
            If a rate is not a number; if a tensor cannot be trained, or is already in the optimiser.
        """
        op = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DTypeError(op, 'a dict with "params"', describe(param_group))
        params = param_group["params"]
        listed = [params] if isinstance(params, RBETensor) else self._listed(params)
        full = {**self.defaults, **self._known(param_group), "params": listed}
        if any(isinstance(p, tuple) for p in listed):
            if not all(isinstance(p, tuple) and len(p) == 2 for p in listed):
                pairs = sum(isinstance(p, tuple) for p in listed)
                raise DTypeError(op, "either tensors or pairs of a name and a tensor", f"{pairs} tuples among {len(listed)}")
            full["params"] = [p for _, p in listed]
            full["param_names"] = [name for name, _ in listed]
        for p in full["params"]:
            if not isinstance(p, RBETensor):
                raise DTypeError(op, "tensors", describe(p))
        if self.param_groups and ("param_names" in full) != ("param_names" in self.param_groups[0]):
            raise TensorError(op, "names of all parameters or of none", "names in some groups")
        self._check(self._rates_of(full))
        self._add(full)
        self.param_groups.append(full)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Called first; computes the loss and its gradients.

        Raises
        ------
        DTypeError, TensorError
            If a rate in `param_groups` is not a finite number; nothing is updated then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._sync()
        self._engine.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros.

        Parameters
        ----------
        set_to_none : bool
            If false, dense gradients are filled with zeros in place. Gradients of packed tensors are dropped in any case,
            because they are valid only for the bits they were computed with.
        """
        self._engine.zero_grad(flag("zero_grad", "set_to_none", set_to_none))

    def _count(self) -> int:
        return sum(len(group["params"]) for group in self.param_groups)

    def _plain(self, group: Group) -> Group:
        """Return the group with all numbers converted to Python's."""
        return {**group, **asdict(self._rates_of(group))}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters and the rates in torch's format; parameters are identified by their number."""
        state, groups, n = {}, [], 0
        for group in self.param_groups:
            count = len(group["params"])
            groups.append({**self._plain(group), "params": list(range(n, n + count))})
            n += count
        for i in range(n):
            found = self._engine.state_of(i)
            if found is not None:
                state[i] = {**found[0], "step": found[1]}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned; a parameter without an entry has no state afterwards.

        Raises
        ------
        TensorError, ShapeError, DTypeError, NonFiniteError
            If groups or arrays do not fit, or have values that no step produces. Nothing changes then.
        """
        groups, entries = self._checked(state_dict)
        old_groups, old_states = self.param_groups, []
        try:
            self.param_groups = groups
            self._sync()
            for i in range(self._count()):
                old_states.append(self._engine.state_of(i))
                self._engine.set_state_of(i, *entries.get(i, ({}, 0)))
        except BaseException:
            self.param_groups = old_groups
            self._sync()
            for i, old in enumerate(old_states):
                if old is not None:
                    self._engine.set_state_of(i, *old)
            raise
        # Keep the same dict objects, because schedules refer to them.
        for group, new in zip(old_groups, groups, strict=True):
            group.update(new)
        self.param_groups = old_groups

    def _checked(self, state_dict: Any) -> tuple[list[Group], dict[int, tuple[dict[str, RBETensor], int]]]:
        """Return the new groups, and the state arrays and steps of parameters by their number."""
        op = "load_state_dict"
        saved = entries(op, "a state", state_dict, ("state", "param_groups"), others=True)
        listed = [
            entries(op, "a group", g, ("params",), others=True) for g in sequence(op, "param_groups", saved["param_groups"])
        ]
        have, came = ([len(sequence(op, "params", g["params"])) for g in groups] for groups in (self.param_groups, listed))
        check(op, have == came, f"groups of {have} parameters", str(came))
        groups = []
        for group, new in zip(self.param_groups, listed, strict=True):
            known = self._known({k: tuple(v) if k == "betas" and isinstance(v, list) else v for k, v in new.items()})
            groups.append({**group, **known, "params": group["params"]})
            self._check(self._rates_of(groups[-1]))
        states = {}
        for key, entry in entries(op, "state", saved["state"], (), others=True).items():
            i = integer(op, "a parameter", int(key) if isinstance(key, str) and key.isdecimal() else key, 0, sum(have) - 1)
            found = entries(op, f"the state of parameter {i}", entry, ("step",), others=True)
            step = whole(op, f"step of parameter {i}", found["step"], 0)
            check(op, step <= MOST_STEPS, f"a step of parameter {i} up to {MOST_STEPS}", step)
            arrays = {name: value for name, value in found.items() if name != "step" and value is not None}
            for name, value in arrays.items():
                if not isinstance(value, RBETensor) or not isinstance(name, str):
                    raise DTypeError(op, f"a tensor as {name!r} of parameter {i}", describe(value))
            states[i] = arrays, step
        return groups, states

    def __getstate__(self) -> dict[str, Any]:
        kept = {k: v for k, v in self.__dict__.items() if k not in ("_engine", "_sent")}
        return {**kept, "_states": [self._engine.state_of(i) for i in range(self._count())]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        states = state["_states"]
        self.__dict__.update({k: v for k, v in state.items() if k != "_states"})
        self._engine, self._sent = self._new_engine(), []
        for group in self.param_groups:
            self._add(group)
        for i, found in enumerate(states):
            self._engine.set_state_of(i, *found)

    def __repr__(self) -> str:
        def line(i: int, group: Group) -> str:
            rates = ", ".join(f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names"))
            return f"  group {i}: {len(group['params'])} parameters, {rates}"

        lines = [line(i, group) for i, group in enumerate(self.param_groups)]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"
