"""Optimisers of dense models, with torch's names, signatures and formulas."""

from .. import _rbe
from ..errors import TensorError
from .base import Group, Optimizer, Params


class _Dense(Optimizer):
    """An optimiser whose groups hold all its constants, each read anew by every step."""

    kind: str
    _engine: _rbe._Dense

    def __init__(self, params: Params, defaults: Group) -> None:
        self._engine = _rbe._Dense(self.kind)
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        name = type(self).__name__
        for key, value in group.items():
            if key == "betas":
                if len(value) != 2 or not all(0 <= b < 1 for b in value):
                    raise TensorError(name, "two betas in [0, 1)", str(value))
            elif key != "dampening" and isinstance(value, int | float) and not value >= 0:
                raise TensorError(name, f"{key} >= 0", str(value))

    def _constants(self, group: Group) -> dict[str, float]:
        constants = {key: float(value) for key, value in group.items() if isinstance(value, int | float)}
        if "betas" in group:
            constants["beta1"], constants["beta2"] = group["betas"]
        return constants

    def _add(self, group: Group) -> None:
        self._check(group)
        self._engine.add_group(group["params"], self._constants(group))

    def _sync(self) -> None:
        for i, group in enumerate(self.param_groups):
            self._engine.set_group(i, self._constants(group))

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.state_bytes()


class SGD(_Dense):
    """Stochastic gradient descent with momentum.

    `v ← μ v + (1 - dampening) (g + λ p)`; `p ← p - lr v`, or with `nesterov` `p ← p - lr (g + λ p + μ v)`.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and constants of their own
    lr : float
    momentum, dampening : float
        μ, and the share of the gradient that does not enter v.
    weight_decay : float
        λ.
    nesterov : bool
    maximize : bool
        Ascend instead of descending.

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
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            got = f"{group['momentum']} and {group['dampening']}"
            raise TensorError("SGD", "momentum > 0 and no dampening for nesterov", got)


class Adam(_Dense):
    """Adam (Kingma, Ba 2015); weight decay joins the gradient.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and constants of their own
    lr : float
    betas : (float, float)
        Decays of the first and the second moment.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
    amsgrad : bool
        The largest second moment so far stands for the second moment (Reddi, Kale, Kumar 2018).
    maximize : bool
        Ascend instead of descending.

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
    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _constants(self, group: Group) -> dict[str, float]:
        return {**super()._constants(group), "decoupled": float(self.decoupled)}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov, Hutter 2019): `p ← p (1 - lr λ)` before Adam's step.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize
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

    decoupled = True

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
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class RMSprop(_Dense):
    """RMSprop (Hinton 2012).

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and constants of their own
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

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
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


class Adagrad(_Dense):
    """Adagrad (Duchi, Hazan, Singer 2011).

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and constants of their own
    lr, lr_decay : float
        The rate of step t is `lr / (1 + (t - 1) lr_decay)`.
    weight_decay : float
    initial_accumulator_value : float
        First value of the sum of squares.
    eps : float
        Added to the root of the sum of squares.
    maximize : bool
        Ascend instead of descending.

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

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class Lion(_Dense):
    """Lion (Chen et al. 2023): the sign of an interpolated momentum, with decoupled weight decay.

    Parameters
    ----------
    params : iterable of tensors, or of dicts with "params" and constants of their own
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
