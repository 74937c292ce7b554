"""Smooth functions of single elements and gates as modules, with torch's names."""

from .._tensor import RBETensor
from ..errors import ShapeError
from . import functional as F
from .activation import _InPlace
from .module import Module

__all__ = ["GLU", "LogSigmoid", "Mish", "Softmax2d", "Softmin", "Softsign", "Tanhshrink"]


class LogSigmoid(Module):
    """`ln(1 / (1 + e^-x))`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.LogSigmoid()(rbe.tensor([0.0]))
    tensor([-0.6931])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.logsigmoid(input)


class Mish(_InPlace):
    """`x · tanh(ln(1 + e^x))`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Mish()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.944 ])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.mish(input, self.inplace)


class Softsign(Module):
    """`x / (1 + |x|)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softsign()(rbe.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.softsign(input)


class Tanhshrink(Module):
    """`x - tanh(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Tanhshrink()(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.2384])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.tanhshrink(input)


class GLU(Module):
    """The first half of x along an axis times the sigmoid of the second.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.GLU()(rbe.tensor([3.0, 0.0]))
    tensor([1.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: RBETensor) -> RBETensor:
        """Return a tensor of half the length along the axis."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class Softmin(Module):
    """The softmax of -x along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softmin(dim=0)(rbe.zeros(2))
    tensor([0.5, 0.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: RBETensor) -> RBETensor:
        """Normalise along the axis."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class Softmax2d(Module):
    """The softmax over the channels of (N, C, H, W) or (C, H, W).

    Raises
    ------
    ShapeError
        For another number of axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softmax2d()(rbe.zeros(2, 1, 1)).tolist()
    [[[0.5]], [[0.5]]]
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Normalise along the channels."""
        if input.ndim not in (3, 4):
            raise ShapeError("Softmax2d", "x (N, C, H, W) or (C, H, W)", str(tuple(input.shape)))
        return input.softmax(-3)
