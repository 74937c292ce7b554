"""Base class of the optimisers of dense models, which have torch's names, signatures and formulas."""

from dataclasses import asdict

from .. import _rbe
from ..errors import TensorError
from ._rates import DenseRates
from .base import Optimizer


class Dense(Optimizer):
    """An optimiser whose groups hold all its options; every step reads them.

    A gradient that is not finite, or whose square overflows its dtype, makes moments and parameters infinite or NaN, as in
    torch. `HybridOptimizer` refuses or skips the former and limits the effect of the latter.
    """

    kind: str
    _engine: _rbe._Dense
    _rates_type: type[DenseRates]

    def _new_engine(self) -> _rbe._Dense:
        return _rbe._Dense(self.kind)

    def _check(self, rates: DenseRates) -> None:
        for name, value in asdict(rates).items():
            if isinstance(value, tuple):
                if not all(0 <= beta < 1 for beta in value):
                    raise TensorError(type(self).__name__, f"two {name} in [0, 1)", str(value))
            elif name != "dampening" and not value >= 0:
                raise TensorError(type(self).__name__, f"{name} >= 0", str(value))

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of all parameters."""
        return self._engine.state_bytes
