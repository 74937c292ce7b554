"""Adamax, NAdam and RAdam: other uses of Adam's moments."""

from ._rates import AdamaxRates, NAdamRates, RAdamRates
from .base import Params, check_how
from .dense import Dense


class Adamax(Dense):
    """Adamax (Kingma, Ba 2015): the step is divided by the largest recent gradient instead of a root of the second moment.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    betas : (float, float)
        Decays of the first moment and of the largest gradient.
    eps : float
        Added to the magnitude of each gradient.
    weight_decay : float
        Added to the gradient.
    maximize : bool
        Ascend instead of descending.
    foreach, differentiable, capturable
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.Adamax([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "adamax"
    _rates_type = AdamaxRates

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool | None = False,
        capturable: bool | None = False,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, capturable=capturable, differentiable=differentiable)
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)


class NAdam(Dense):
    """NAdam (Dozat 2016): Adam with Nesterov's momentum, which rises towards its decay.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    betas : (float, float)
        Decays of the moments.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
    momentum_decay : float
        How fast the momentum rises from half of the first decay to all of it.
    decoupled_weight_decay : bool
        Weight decay as in `AdamW`, instead of adding it to the gradient.
    maximize : bool
        Ascend instead of descending.
    foreach, capturable, differentiable
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.NAdam([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.8944
    """

    kind = "nadam"
    _rates_type = NAdamRates

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool | None = False,
        differentiable: bool | None = False,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, capturable=capturable, differentiable=differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class RAdam(Dense):
    """RAdam (Liu et al. 2020): Adam without the second moment until that is known from enough steps.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    betas : (float, float)
        Decays of the moments.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
    decoupled_weight_decay : bool
        Weight decay as in `AdamW`, instead of adding it to the gradient.
    maximize : bool
        Ascend instead of descending.
    foreach, capturable, differentiable
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.RAdam([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "radam"
    _rates_type = RAdamRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool | None = False,
        differentiable: bool | None = False,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, capturable=capturable, differentiable=differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
