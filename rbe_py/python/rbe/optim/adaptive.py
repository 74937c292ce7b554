"""RMSprop, Adagrad and Adadelta."""

from ..errors import TensorError
from ._rates import AdadeltaRates, AdagradRates, RMSpropRates
from .base import Params, check_how
from .dense import Dense


class RMSprop(Dense):
    """RMSprop (Hinton 2012).

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
    alpha : float
        Decay of the second moment.
    eps : float
        Added to the root of the second moment.
    weight_decay, momentum : float
    centered : bool
        Subtract the squared mean from the second moment.
    maximize : bool
        Ascend instead of descending.
    capturable, foreach, differentiable
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.RMSprop([p], lr=0.01)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "rmsprop"
    _rates_type = RMSpropRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool | None = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool | None = False,
    ) -> None:
        check_how(type(self).__name__, capturable=capturable, foreach=foreach, differentiable=differentiable)
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class Adagrad(Dense):
    """Adagrad (Duchi, Hazan, Singer 2011).

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr, lr_decay : float
        The rate of step t is `lr / (1 + (t - 1) lr_decay)`.
    weight_decay : float
    initial_accumulator_value : float
        First value of the sum of squares.
    eps : float
        Added to the root of the sum of squares.
    maximize : bool
        Ascend instead of descending.
    foreach, differentiable, fused
        As `Adam`.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.Adagrad([p], lr=0.1)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9
    """

    kind = "adagrad"
    _rates_type = AdagradRates

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool | None = False,
        fused: bool | None = None,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, differentiable=differentiable, fused=fused)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class Adadelta(Dense):
    """Adadelta (Zeiler 2012): steps in the unit of the parameters, from running means of squares of gradients and steps.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and their own options
    lr : float
        Factor of the steps.
    rho : float
        Decay of both means, from 0 to 1.
    eps : float
        Added to the means before their roots are taken.
    weight_decay : float
    maximize : bool
        Ascend instead of descending.
    foreach, capturable, differentiable
        As `Adam`.

    Raises
    ------
    TensorError
        For a rho above 1.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer = rbe.optim.Adadelta([p], lr=100.0)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.6838
    """

    kind = "adadelta"
    _rates_type = AdadeltaRates

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool | None = False,
        maximize: bool = False,
        differentiable: bool | None = False,
    ) -> None:
        check_how(type(self).__name__, foreach=foreach, capturable=capturable, differentiable=differentiable)
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, rates: AdadeltaRates) -> None:  # type: ignore[override]
        super()._check(rates)
        if rates.rho > 1:
            raise TensorError("Adadelta", "rho <= 1", str(rates.rho))
