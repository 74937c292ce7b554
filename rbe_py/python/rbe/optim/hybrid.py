"""Packed and dense parameters trained together."""

from typing import Any

from .. import _rbe
from .._rbe import RBETensor
from .base import Group, Optimizer, Params


class HybridOptimizer(Optimizer):
    """Train packed tensors, packed activations and dense tensors, each by its own rule, in one step.

    Bits of packed tensors carry an int8 charge that evidence of the flip gradient runs down; a bit whose charge is
    used up flips. Points of the Poincaré disk follow Riemannian Adam. Dense tensors follow AdamW. State: 1 byte a
    packed weight and 12 bytes a block of 64.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and rates of their own
    lr_hi : float
        Rate of the charges; those of activations move at a hundredth of it.
    lr_lo : float
        Rate of the points: length of a step in the disk.
    lr : float
        Rate of dense tensors.
    betas : (float, float)
        Decays of first and second moments of points and dense tensors.
    weight_decay : float
        Decoupled weight decay of dense tensors.
    interaction : float
        Weight of the post-flip correction of the points' gradient.
    evidence : {"int8", "exact"}
        Numbers in which the evidence for the bits is computed: int8, stochastically rounded without bias, or float32,
        which trains no better and is slower. One or two samples, and activations, always use float32.
    on_nonfinite : {"error", "skip"}
        What happens with a gradient that is not finite: NonFiniteError and no change, or the whole step is left out.
    in_backward : bool
        Update each packed tensor during backward, as soon as its gradient is complete; its gradient is then never
        stored.
    seed : int
        Of initial charges and stochastic rounding.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.RBELinear(64, 32), rbe.nn.ReLU(), rbe.nn.Linear(32, 10))
    >>> optimizer = rbe.optim.HybridOptimizer(model.parameters())
    >>> loss = rbe.nn.functional.cross_entropy(model(rbe.randn(8, 64)), rbe.arange(8))
    >>> optimizer.step_with_autodiff(loss)
    """

    _engine: _rbe._Hybrid

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
        self._engine = _rbe._Hybrid(on_nonfinite, in_backward, seed)
        self.in_backward = in_backward
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

    @staticmethod
    def _rates(g: Group) -> tuple[float, float, float, tuple[float, float], float, float, str]:
        rates = (g["lr"], g["lr_lo"], g["lr_hi"], tuple(g["betas"]), g["weight_decay"], g["interaction"])
        return (*rates, g.get("evidence", "exact"))

    def _add(self, group: Group) -> None:
        self._engine.add_group(group["params"], self._rates(group))

    def _sync(self) -> None:
        for i, group in enumerate(self.param_groups):
            self._engine.set_rates(i, self._rates(group))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `in_backward` also make changed rates known before the next backward."""
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
        """Bits flipped by the last step."""
        return self._engine.counters()[2]

    @property
    def skipped(self) -> int:
        """Steps left out because a gradient was not finite."""
        return self._engine.counters()[1]

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.counters()[3]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters, the rates and the number of steps."""
        return {**super().state_dict(), "steps": self._engine.counters()[0]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; the next step continues bit for bit."""
        super().load_state_dict(state_dict)
        self._engine.set_steps(int(state_dict.get("steps", 0)))
        self._sync()
