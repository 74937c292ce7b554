"""What the optimisers of dense models share: torch's names, signatures and formulas."""

from .. import _rbe
from ..errors import TensorError
from .base import Group, Optimizer, Params


class Dense(Optimizer):
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
