"""Random zeros in training."""

from .._tensor import RBETensor
from ..errors import TensorError
from . import functional as F
from .module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


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
            raise TensorError(type(self).__name__, "a probability in [0, 1]", str(p))
        self.p, self.inplace = p, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input, in training with elements dropped."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the probability, and whether it writes over its input."""
        return f"p={self.p}" + (", inplace=True" if self.inplace else "")


class Dropout1d(Dropout):
    """`Dropout` of whole channels of (N, C, L) or (C, L).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Dropout1d(0.5)(rbe.ones(2, 4, 3)).std(-1).tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input, in training with channels dropped."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Dropout):
    """`Dropout` of whole channels of (N, C, H, W); (N, C, L) is taken, too.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Dropout2d(0.5).eval()(rbe.ones(2, 4, 3, 3)).shape
    (2, 4, 3, 3)
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input, in training with channels dropped."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(Dropout):
    """`Dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Dropout3d(0.5).eval()(rbe.ones(2, 4, 3, 3, 3)).shape
    (2, 4, 3, 3, 3)
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input, in training with channels dropped."""
        return F.dropout3d(input, self.p, self.training, self.inplace)
