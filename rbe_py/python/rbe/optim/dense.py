"""Optimisers of dense models, with torch's signatures and formulas."""

from .. import _rbe
from ..errors import TensorError
from .base import Group, Optimizer, Params


def _check(name: str, **values: float) -> None:
    for key, value in values.items():
        if not value >= 0:
            raise TensorError(name, f"{key} >= 0", str(value))


def _check_betas(name: str, betas: tuple[float, float]) -> None:
    if not all(0 <= b < 1 for b in betas):
        raise TensorError(name, "betas in [0, 1)", str(betas))


class _Dense(Optimizer):
    _engine: _rbe._Dense

    def __init__(self, kind: str, params: Params, constants: dict[str, float], lr: float, weight_decay: float) -> None:
        _check(type(self).__name__, lr=lr, weight_decay=weight_decay)
        self._engine = _rbe._Dense(kind, constants)
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def _add(self, group: Group) -> None:
        self._engine.add_group(group["params"], group["lr"], group["weight_decay"])

    def _sync(self) -> None:
        for i, group in enumerate(self.param_groups):
            self._engine.set_rates(i, group["lr"], group["weight_decay"])

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.state_bytes()


class SGD(_Dense):
    """Stochastic gradient descent with momentum.

    `v ← μ v + (1 - dampening) (g + λ p)`; `p ← p - lr v`, or with `nesterov` `p ← p - lr (g + λ p + μ v)`.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        _check("SGD", momentum=momentum)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise TensorError("SGD", "momentum > 0 and no dampening for nesterov", f"{momentum} and {dampening}")
        constants = {"momentum": momentum, "dampening": dampening, "nesterov": float(nesterov)}
        super().__init__("sgd", params, constants, lr, weight_decay)


class Adam(_Dense):
    """Adam (Kingma, Ba 2015); weight decay joins the gradient."""

    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        _check(type(self).__name__, eps=eps)
        _check_betas(type(self).__name__, betas)
        constants = {"beta1": betas[0], "beta2": betas[1], "eps": eps, "decoupled": float(self.decoupled)}
        super().__init__("adam", params, constants, lr, weight_decay)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov, Hutter 2019)."""

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(_Dense):
    """RMSprop (Hinton 2012)."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        _check("RMSprop", eps=eps, momentum=momentum, alpha=alpha)
        constants = {"alpha": alpha, "eps": eps, "momentum": momentum, "centered": float(centered)}
        super().__init__("rmsprop", params, constants, lr, weight_decay)


class Adagrad(_Dense):
    """Adagrad (Duchi, Hazan, Singer 2011)."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        _check("Adagrad", eps=eps, lr_decay=lr_decay, initial_accumulator_value=initial_accumulator_value)
        constants = {"lr_decay": lr_decay, "eps": eps, "initial": initial_accumulator_value}
        super().__init__("adagrad", params, constants, lr, weight_decay)


class Lion(_Dense):
    """Lion (Chen et al. 2023): the sign of an interpolated momentum."""

    def __init__(
        self, params: Params, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0
    ) -> None:
        _check_betas("Lion", betas)
        super().__init__("lion", params, {"beta1": betas[0], "beta2": betas[1]}, lr, weight_decay)
