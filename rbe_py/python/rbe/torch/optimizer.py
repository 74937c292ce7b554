"""The optimiser of packed and dense parameters as one of torch's."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from rbe import _rbe
from rbe._arguments import check, describe
from rbe._saved import entries, integer, sequence
from rbe.errors import DTypeError, NonFiniteError, TensorError
from rbe.optim._rates import HybridRates, read
from rbe.optim.base import MOST_STEPS
from rbe.optim.hybrid import MOST_SEED
from rbe.torch._weight import Weight, weight_of_handle

Group = dict[str, Any]


class HybridOptimizer(torch.optim.Optimizer):
    """Train the packed layers of a torch model by the engine's rule, and all else by torch's fused AdamW.

    Of a packed weight, every bit has a charge of one byte, which a step changes by the change of the loss that a flip would
    cause; level parameters follow Riemannian Adam (design/format.md). State: 1 byte for a packed weight and 12 bytes for a
    block of 64.

    Schedules of torch change `lr` of a group. The rates of packed weights, `lr_hi` and `lr_lo`, hold for the `lr` that the
    group has at first, and change in proportion to it. Gradient clipping scales dense gradients only: a step of a
    packed weight does not depend on the size of its gradient.

    Parameters
    ----------
    params : torch.nn.Module, or iterable of parameters, or of dicts with "params" and their own rates
        Of a model, all parameters that require grad. The `handle` of a packed layer stands for its weight.
    lr_hi, lr_lo : float
        Rate of the charges; rate of the level parameters.
    lr, betas, weight_decay : float, (float, float), float
        Of AdamW for dense parameters; `betas` also of level parameters.
    interaction, evidence, on_nonfinite, seed
        As in `rbe.optim.HybridOptimizer`. `on_nonfinite` holds for dense gradients, too.

    Raises
    ------
    TensorError, DTypeError, NonFiniteError
        For rates out of range; in `step` for a gradient that is not finite, unless `on_nonfinite` is "skip". Nothing is
        updated then.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr_hi: float = 0.05,
        lr_lo: float = 0.03,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        interaction: float = 0.0,
        evidence: str = "int8",
        on_nonfinite: str = "error",
        seed: int = 0,
    ) -> None:
        if isinstance(params, torch.nn.Module):
            params = [p for p in params.parameters() if p.requires_grad]
        for name, value in (("on_nonfinite", on_nonfinite), ("evidence", evidence)):
            if not isinstance(value, str):
                raise DTypeError("HybridOptimizer", f"a string for {name}", describe(value))
        seed = integer("HybridOptimizer", "seed", seed, 0, MOST_SEED)
        self._engine = _rbe._Hybrid(on_nonfinite, False, seed)
        self._on_nonfinite, self._dense_skipped = on_nonfinite, 0
        self._adamw = torch.optim.AdamW([torch.zeros(())], fused=True)
        self._adamw.param_groups.clear()  # as many as this optimiser has follow
        self._weights: list[tuple[torch.Tensor, Weight]] = []  # in the order of the engine
        self._of_engine: list[int] = []  # numbers of the groups that the engine has
        self._sent: list[HybridRates] = []
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_hi": lr_hi,
                "lr_lo": lr_lo,
                "betas": betas,
                "weight_decay": weight_decay,
                "interaction": interaction,
                "evidence": evidence,
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        """Add a group: parameters under "params", with their own rates."""
        before = len(self.param_groups)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            group.setdefault("first_lr", group["lr"])
            check("HybridOptimizer", float(group["first_lr"]) > 0, "an lr above 0", group["first_lr"])
            rates = self._rates(group)
            self._engine.check_rates(rates)
            for p in group["params"]:
                weight = weight_of_handle(p)
                dense = p.device.type == "cpu" and p.is_floating_point() and not p.is_sparse
                check(
                    "HybridOptimizer",
                    weight is not None or dense,
                    "parameters of floats on the CPU",
                    f"{p.dtype} on {p.device}",
                )
            found = [(p, w) for p in group["params"] if (w := weight_of_handle(p)) is not None]
            self._adamw.param_groups.append(
                {**self._adamw.defaults, "params": [p for p in group["params"] if weight_of_handle(p) is None]}
            )
            if found:
                self._engine.add_group([w.view for _, w in found], rates)
                self._of_engine.append(before)
                self._weights += found
                self._sent.append(rates)
        except BaseException:
            del self.param_groups[before:]
            raise

    def _rates(self, group: Group) -> HybridRates:
        """Return the engine's rates of a group: those of packed weights in proportion to `lr`."""
        part = float(group["lr"]) / float(group["first_lr"])
        scaled = {"lr": float(group["lr"]), "lr_hi": group["lr_hi"] * part, "lr_lo": group["lr_lo"] * part}
        return read("HybridOptimizer", HybridRates, {**group, **scaled})

    def _sync(self) -> None:
        rates = [self._rates(self.param_groups[n]) for n in self._of_engine]
        if rates != self._sent:
            self._engine.set_rates(rates)
            self._sent = rates

    def _follow(self) -> None:
        """Take over weights whose memory has moved or whose scale was loaded: an engine of the same state for them."""
        if all(weight_of_handle(handle) is weight for handle, weight in self._weights):
            return
        old, engine = self._engine, _rbe._Hybrid(self._on_nonfinite, False, self._engine.seed)
        weights = [(handle, weight_of_handle(handle)) for handle, _ in self._weights]
        found = [(handle, weight) for handle, weight in weights if weight is not None]
        for n, rates in zip(self._of_engine, self._sent, strict=True):
            of_group = {id(p) for p in self.param_groups[n]["params"]}
            engine.add_group([w.view for handle, w in found if id(handle) in of_group], rates)
        for k in range(len(found)):
            state = old.state_of(k)
            if state is not None:
                engine.set_state_of(k, *state)
        engine.set_counters(steps=old.steps, skipped=old.skipped, flips=old.flips)
        self._engine, self._weights = engine, found

    @property
    def flips(self) -> int:
        """Number of bits flipped by the last step."""
        return self._engine.flips

    @property
    def skipped(self) -> int:
        """Number of steps skipped because a gradient was not finite."""
        return self._engine.skipped + self._dense_skipped

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; drop those of packed weights, which hold for the old bits only."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._sync()
        self._follow()
        for handle, weight in self._weights:
            if handle.grad is None and weight.view.grad is not None:
                weight.view.grad = None  # zero_grad of the model
        dense = [p for g in self.param_groups for p in g["params"] if p.grad is not None and weight_of_handle(p) is None]
        grads = [p.grad for p in dense if p.numel()]
        if grads and not all(bool(m.isfinite()) for m in torch._foreach_norm(grads, float("inf"))):
            if self._on_nonfinite == "error":
                raise NonFiniteError("step", "finite gradients of dense parameters", "NaN or infinity")
            self._dense_skipped += 1
            return loss
        skipped = self._engine.skipped
        self._engine.step()
        if self._engine.skipped == skipped:
            if dense:
                self._step_dense()
            self._engine.zero_grad(True)
            for _, weight in self._weights:
                torch.autograd.graph.increment_version(weight.blocks)
        return loss

    def _step_dense(self) -> None:
        """Let torch's AdamW update dense parameters, with the rates of the groups as they are now and with this state."""
        for own, group in zip(self._adamw.param_groups, self.param_groups, strict=True):
            own.update({name: group[name] for name in ("lr", "betas", "weight_decay")})
        self._adamw.state = self.state
        self._adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or fill dense ones with zeros; those of packed weights are dropped in any case."""
        super().zero_grad(set_to_none)
        self._engine.zero_grad(True)
        for handle, _ in self._weights:
            handle.grad = None

    def _numbers(self) -> dict[int, int]:
        """Return the engine's number of each packed weight by that of its handle among all parameters."""
        places = {id(p): n for n, p in enumerate(p for g in self.param_groups for p in g["params"])}
        return {places[id(handle)]: k for k, (handle, _) in enumerate(self._weights)}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters in torch's format, with that of packed weights, the seed and counters."""
        saved = super().state_dict()
        for n, k in self._numbers().items():
            found = self._engine.state_of(k)
            assert found is not None
            arrays = {name: torch.from_numpy(array.numpy().copy()) for name, array in found[0].items()}
            saved["state"][n] = {**arrays, "step": found[1]}
        counters = {"steps": self._engine.steps, "skipped": self._engine.skipped, "flips": self._engine.flips}
        return {**saved, "seed": self._engine.seed, "counters": {**counters, "dense_skipped": self._dense_skipped}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned; the next step continues bit for bit.

        Raises
        ------
        TensorError, ShapeError, DTypeError, NonFiniteError, ValueError
            If groups or arrays do not fit, or have values that no step produces. Nothing changes then.
        """
        op, numbers = "load_state_dict", self._numbers()
        given = entries(op, "a state", state_dict, ("state", "param_groups"), others=True)
        state = entries(op, "state", given["state"], (), others=True)
        total = sum(len(g["params"]) for g in self.param_groups)
        saved = [len(g["params"]) for g in sequence(op, "param_groups", given["param_groups"])]
        own = [len(g["params"]) for g in self.param_groups]
        check(op, saved == own, f"groups of {own} parameters", saved)
        check(op, all(isinstance(n, int) and 0 <= n < total for n in state), f"numbers of {total} parameters", list(state)[:3])
        seed = integer(op, "seed", given.get("seed", self._engine.seed), 0, MOST_SEED)
        names = ("steps", "skipped", "flips", "dense_skipped")
        counters = entries(op, "counters", given.get("counters", dict.fromkeys(names, 0)), names, others=False)
        counts = {name: integer(op, name, counters[name], 0, MOST_STEPS) for name in names}
        fresh: list[tuple[int, dict[str, Any], int]] = []
        for n, k in numbers.items():
            arrays = dict(state.get(n, {}))
            step = integer(op, f"step of parameter {n}", arrays.pop("step", 0), 0, MOST_STEPS)
            fresh.append((k, {name: _lent(op, name, value) for name, value in arrays.items()}, step))
        before, old_seed = [], self._engine.seed
        self._engine.set_seed(seed)
        try:
            for k, found, step in fresh:
                before.append((k, self._engine.state_of(k)))
                self._engine.set_state_of(k, found, step)
            dense = {n: value for n, value in state.items() if n not in numbers}
            super().load_state_dict({"state": dense, "param_groups": given["param_groups"]})
            self._sync()
        except BaseException:
            self._engine.set_seed(old_seed)
            for k, old in before:
                if old is not None:
                    self._engine.set_state_of(k, *old)
            raise
        self._dense_skipped = counts.pop("dense_skipped")
        self._engine.set_counters(**counts)

    def __getstate__(self) -> dict[str, Any]:
        raise TensorError("HybridOptimizer", "its state_dict() to be saved", "the object itself to copy or pickle")


def _lent(op: str, name: str, value: Any) -> Any:
    """Return a saved array of the engine's as a tensor of rbe."""
    if not isinstance(value, torch.Tensor):
        raise DTypeError(op, f"a tensor as {name!r}", describe(value))
    value = value.detach().contiguous().clone()
    dtype = str(value.dtype).removeprefix("torch.")
    return _rbe._from_memory(value, value.data_ptr(), dtype, list(value.shape), list(value.stride()))


Params = torch.nn.Module | Iterable[torch.Tensor] | Iterable[Group]
