"""Random zeros in training."""

from .._tensor import RBETensor
from ..errors import TensorError
from . import functional as F
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training each element is 0 with probability p and scaled by 1 / (1 - p) else.

    Raises
    ------
    TensorError
        For p outside [0, 1].

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Dropout(0.5).eval()(rbe.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise TensorError("Dropout", "a probability in [0, 1]", str(p))
        self.p, self.inplace = p, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input, in training with elements dropped."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the probability, and whether it writes over its input."""
        return f"p={self.p}" + (", inplace=True" if self.inplace else "")
