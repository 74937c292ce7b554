"""Base class of the optimisers of dense models, which have torch's names, signatures and formulas."""

from typing import Any

from .. import _rbe
from .._arguments import flag, pair, real
from ..errors import TensorError
from .base import Group, Optimizer

FLAGS = ("nesterov", "amsgrad", "centered", "maximize", "decoupled_weight_decay")


class Dense(Optimizer):
    """An optimiser whose groups hold all its options; every step reads them.

    A gradient that is not finite, or whose square overflows its dtype, makes moments and parameters infinite or NaN, as in
    torch. `HybridOptimizer` refuses or skips the former and limits the effect of the latter.
    """

    kind: str
    _engine: _rbe._Dense

    def _new_engine(self) -> _rbe._Dense:
        return _rbe._Dense(self.kind)

    def _constants(self, group: Group) -> dict[str, float | bool | tuple[float, float]]:
        """Return the options of a group as Python numbers."""
        op = type(self).__name__
        constants: dict[str, float | bool | tuple[float, float]] = {}
        for key in self.defaults:
            convert: Any = pair if key == "betas" else flag if key in FLAGS else real
            constants[key] = convert(op, key, group[key])
        return constants

    def _check(self, group: Group) -> None:
        for key, value in self._constants(group).items():
            if isinstance(value, tuple):
                if not all(0 <= beta < 1 for beta in value):
                    raise TensorError(type(self).__name__, f"two {key} in [0, 1)", str(value))
            elif key != "dampening" and not value >= 0:
                raise TensorError(type(self).__name__, f"{key} >= 0", str(value))

    def _numbers(self, group: Group) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for key, value in self._constants(group).items():
            if isinstance(value, tuple):
                numbers["beta1"], numbers["beta2"] = value
            else:
                numbers[key] = float(value)
        return numbers

    def _plain(self, group: Group) -> Group:
        return {**group, **self._constants(group)}

    def _add(self, group: Group) -> None:
        self._engine.add_group(group["params"], self._numbers(group))

    def _sync(self) -> None:
        numbers = [self._numbers(group) for group in self.param_groups]
        for i, group in enumerate(numbers):
            self._engine.set_group(i, group)

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.state_bytes()
