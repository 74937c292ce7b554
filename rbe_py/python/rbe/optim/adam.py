"""Adam, AdamW and Lion."""

from ._rates import AdamRates, LionRates
from .base import Params, check_how
from .dense import Dense


class Adam(Dense):
    """Adam (Kingma, Ba 2015); weight decay is added to the gradient.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    betas : (float, float)
        Decays of the first and the second moment.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
    amsgrad : bool
        Use the largest second moment so far in place of the second moment (Reddi, Kale, Kumar 2018).
    maximize : bool
        Ascend instead of descending.
    foreach, capturable, differentiable, fused
        Accepted for compatibility with torch, where they choose an implementation; `differentiable=True` is refused.
    decoupled_weight_decay : bool
        As `AdamW`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.Adam([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "adam"
    _rates_type = AdamRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool | None = False,
        differentiable: bool | None = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov, Hutter 2019): `p ← p (1 - lr λ)` before Adam's step.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize, foreach, capturable, differentiable, fused
        As `Adam`.
    weight_decay : float
        λ.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.AdamW([p], lr=0.1, weight_decay=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.89
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool | None = False,
        differentiable: bool | None = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


class Lion(Dense):
    """Lion (Chen et al. 2023): the sign of an interpolated momentum, with decoupled weight decay.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    betas : (float, float)
        Shares of the momentum in the step and in its update.
    weight_decay : float
    maximize : bool
        Ascend instead of descending.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.Lion([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "lion"
    _rates_type = LionRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})
