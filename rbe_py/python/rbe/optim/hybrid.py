"""The optimiser of packed and dense parameters."""

from typing import Any

from .. import _rbe
from .._arguments import describe, flag
from .._saved import integer
from .._tensor import RBETensor
from ..errors import DTypeError
from ._rates import HybridRates
from .base import MOST_STEPS, Optimizer, Params

MOST_SEED = 2**64 - 1


class HybridOptimizer(Optimizer):
    """Train packed tensors, packed activations and dense tensors, each by its own rule, in one step.

    Every bit of a packed tensor has an int8 charge, which a step changes by the bit's flip score; a bit whose charge falls
    below 0 flips. Level parameters follow Riemannian Adam, dense tensors AdamW. State: 1 byte for a packed weight and
    12 bytes for a block of 64.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own rates
    lr_hi : float
        Rate of the charges; charges of activations use a hundredth of it.
    lr_lo : float
        Rate of the level parameters: length of a step in the disk.
    lr : float
        Rate of dense tensors.
    betas : (float, float)
        Decays of first and second moments of level parameters and dense tensors.
    weight_decay : float
        Decoupled weight decay of dense tensors.
    interaction : float
        Weight of the correction of the level parameters' gradient for the flips of the same step.
    evidence : {"int8", "exact"}
        Number type of the operands of flip scores: int8, stochastically rounded without bias, or float32, which trains no
        better and is slower. One or two samples, and activations, always use float32.
    on_nonfinite : {"error", "skip"}
        If a gradient is not finite: raise a NonFiniteError and change nothing, or skip the whole step. Finite gradients of any
        size keep everything finite: one far larger than usual moves bits, level parameters and dense tensors as far as a usual
        one, and has little effect on later steps (design/format.md).
    in_backward : bool
        Update each packed tensor during backward, as soon as its gradient is complete; its gradient is then never
        stored.
    seed : int
        Seed of initial charges and stochastic rounding.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.RBELinear(64, 32), rbe.nn.ReLU(), rbe.nn.Linear(32, 10))
    >>> optimizer = rbe.optim.HybridOptimizer(model.parameters())
    >>> loss = rbe.nn.functional.cross_entropy(model(rbe.randn(8, 64)), rbe.arange(8))
    >>> optimizer.step_with_autodiff(loss)
    """

    _engine: _rbe._Hybrid
    _rates_type = HybridRates

    def __init__(
        self,
        params: Params,
        *,
        lr_hi: float = 0.05,
        lr_lo: float = 0.03,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        interaction: float = 0.0,
        evidence: str = "int8",
        on_nonfinite: str = "error",
        in_backward: bool = False,
        seed: int = 0,
    ) -> None:
        op = type(self).__name__
        for name, value in (("on_nonfinite", on_nonfinite), ("evidence", evidence)):
            if not isinstance(value, str):
                raise DTypeError(op, f"a string for {name}", describe(value))
        self.on_nonfinite, self.in_backward = on_nonfinite, flag(op, "in_backward", in_backward)
        self._seed = integer(op, "seed", seed, 0, MOST_SEED)
        defaults = {
            "lr_hi": lr_hi,
            "lr_lo": lr_lo,
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "interaction": interaction,
            "evidence": evidence,
        }
        super().__init__(params, defaults)

    def _new_engine(self) -> _rbe._Hybrid:
        return _rbe._Hybrid(self.on_nonfinite, self.in_backward, self._seed)

    def _check(self, rates: HybridRates) -> None:
        self._engine.check_rates(rates)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or fill them with zeros; with `in_backward` the next backward uses changed rates."""
        if self.in_backward:
            self._sync()
        super().zero_grad(set_to_none)

    def step_with_autodiff(self, loss: RBETensor) -> None:
        """Run `zero_grad()`, `loss.backward()` and `step()`."""
        self.zero_grad()
        loss.backward()
        self.step()

    @property
    def flips(self) -> int:
        """Number of bits flipped by the last step."""
        return self._engine.flips

    @property
    def skipped(self) -> int:
        """Number of steps skipped because a gradient was not finite."""
        return self._engine.skipped

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.state_bytes

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters, the rates, the seed and the number of steps."""
        return {**super().state_dict(), "steps": self._engine.steps, "seed": self._engine.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned, with its seed; the next step continues bit for bit.

        Raises
        ------
        TensorError, ShapeError, DTypeError, NonFiniteError
            If groups or arrays do not fit, or have values that no step produces. Nothing changes then.
        """
        op, given = "load_state_dict", state_dict if isinstance(state_dict, dict) else {}
        steps = integer(op, "steps", given.get("steps", 0), 0, MOST_STEPS)
        seed = integer(op, "seed", given.get("seed", self._engine.seed), 0, MOST_SEED)
        before = self._engine.seed
        self._engine.set_seed(seed)  # seed of the charges of parameters without a state
        try:
            super().load_state_dict(state_dict)
        except BaseException:
            self._engine.set_seed(before)
            raise
        self._seed = seed
        self._engine.set_counters(steps=steps, skipped=self.skipped, flips=self.flips)

    def __getstate__(self) -> dict[str, Any]:
        counters = {"steps": self._engine.steps, "skipped": self.skipped, "flips": self.flips}
        return {**super().__getstate__(), "_counters": counters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({k: v for k, v in state.items() if k != "_counters"})
        self._engine.set_counters(**state["_counters"])
