"""Stochastic gradient descent."""

from ..errors import TensorError
from ._rates import SGDRates
from .base import Params, check_how
from .dense import Dense


class SGD(Dense):
    """Stochastic gradient descent with momentum.

    `v ← μ v + (1 - dampening) (g + λ p)`; `p ← p - lr v`, or with `nesterov` `p ← p - lr (g + λ p + μ v)`.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    momentum, dampening : float
        μ, and the share of the gradient that does not enter v.
    weight_decay : float
        λ.
    nesterov : bool
    maximize : bool
        Ascend instead of descending.
    foreach, differentiable, fused
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.800000011920929]
    """

    kind = "sgd"
    _rates_type = SGDRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool | None = False,
        fused: bool | None = None,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, differentiable=differentiable, fused=fused)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, rates: SGDRates) -> None:  # type: ignore[override]
        super()._check(rates)
        if rates.nesterov and (not rates.momentum or rates.dampening):
            raise TensorError("SGD", "momentum > 0 and no dampening for nesterov", f"{rates.momentum} and {rates.dampening}")
