"""The rates of a group of parameters, as the engine takes them: Python's numbers by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .._arguments import describe, flag, pair, real, whole
from ..errors import DTypeError


@dataclass(frozen=True, slots=True)
class HybridRates:
    """Rates of `HybridOptimizer`."""

    lr: float
    lr_lo: float
    lr_hi: float
    betas: tuple[float, float]
    weight_decay: float
    interaction: float
    evidence: str


@dataclass(frozen=True, slots=True)
class DenseRates:
    """Rates that all optimisers of dense tensors have."""

    lr: float
    weight_decay: float
    maximize: bool


@dataclass(frozen=True, slots=True)
class SGDRates(DenseRates):
    """Rates of `SGD`."""

    momentum: float
    dampening: float
    nesterov: bool


@dataclass(frozen=True, slots=True)
class AdamRates(DenseRates):
    """Rates of `Adam` and `AdamW`."""

    betas: tuple[float, float]
    eps: float
    amsgrad: bool
    decoupled_weight_decay: bool


@dataclass(frozen=True, slots=True)
class RMSpropRates(DenseRates):
    """Rates of `RMSprop`."""

    alpha: float
    eps: float
    momentum: float
    centered: bool


@dataclass(frozen=True, slots=True)
class AdagradRates(DenseRates):
    """Rates of `Adagrad`."""

    lr_decay: float
    eps: float
    initial_accumulator_value: float


@dataclass(frozen=True, slots=True)
class LionRates(DenseRates):
    """Rates of `Lion`."""

    betas: tuple[float, float]


@dataclass(frozen=True, slots=True)
class AdadeltaRates(DenseRates):
    """Rates of `Adadelta`."""

    rho: float
    eps: float


@dataclass(frozen=True, slots=True)
class AdamaxRates(DenseRates):
    """Rates of `Adamax`."""

    betas: tuple[float, float]
    eps: float


@dataclass(frozen=True, slots=True)
class RAdamRates(DenseRates):
    """Rates of `RAdam`."""

    betas: tuple[float, float]
    eps: float
    decoupled_weight_decay: bool


@dataclass(frozen=True, slots=True)
class NAdamRates(RAdamRates):
    """Rates of `NAdam`."""

    momentum_decay: float


@dataclass(frozen=True, slots=True)
class LBFGSRates:
    """Rates of `LBFGS`."""

    lr: float
    max_iter: int
    max_eval: int
    tolerance_grad: float
    tolerance_change: float
    history_size: int
    line_search_fn: str | None
    maximize: bool


Rates = HybridRates | DenseRates | LBFGSRates
R = TypeVar("R", bound=Rates)


def _text(op: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DTypeError(op, f"a string for {name}", describe(value))
    return value


def _count(op: str, name: str, value: Any) -> int:
    return whole(op, name, value, 0)


def _text_or_none(op: str, name: str, value: Any) -> str | None:
    return None if value is None else _text(op, name, value)


_READERS: dict[Any, Callable[[str, str, Any], Any]] = {
    float: real,
    int: _count,
    bool: flag,
    str: _text,
    str | None: _text_or_none,
    tuple[float, float]: pair,
}


def read(op: str, kind: type[R], group: Mapping[str, Any]) -> R:
    """Return the rates of a group as Python's numbers.

    Raises
    ------
    DTypeError
        For a value of another type than its field; NumPy's numbers, and arrays and tensors of one, count as numbers.
    NonFiniteError
        For NaN and infinity.
    """
    return kind(**{field.name: _READERS[field.type](op, field.name, group[field.name]) for field in fields(kind)})
