"""Element-wise functions and softmax as modules, with torch's names. `inplace` writes the result over the input."""

from .._tensor import RBETensor
from ..errors import DTypeError, TensorError
from . import functional as F
from .module import Module


class _InPlace(Module):
    """Base of the functions without constants that can write over their input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return whether it writes over its input."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """`max(x, 0)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReLU()(rbe.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.relu(input, self.inplace)


class LeakyReLU(Module):
    """X above 0 and `negative_slope · x` below.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.LeakyReLU(0.1)(rbe.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the slope, and whether it writes over its input."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """X above 0 and `alpha (e^x - 1)` below.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ELU()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return alpha, and whether it writes over its input."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """`x Φ(x)`, exactly or by the tanh approximation.

    Raises
    ------
    TensorError
        For an approximation other than "none" and "tanh".

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.GELU()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise TensorError("GELU", "approximate 'none' or 'tanh'", repr(approximate))
        self.approximate = approximate

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return input.gelu(self.approximate)

    def extra_repr(self) -> str:
        """Return the approximation."""
        return f"approximate={self.approximate!r}"


class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Tanh()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.7616,  0.964 ])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return input.tanh()


class Sigmoid(Module):
    """`1 / (1 + e^-x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Sigmoid()(rbe.tensor([-1.0, 2.0]))
    tensor([0.2689, 0.8808])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return input.sigmoid()


class SiLU(_InPlace):
    """`x · sigmoid(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.SiLU()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.silu(input, self.inplace)


class Softplus(Module):
    """`ln(1 + e^(βx)) / β`, and x itself where βx > threshold.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softplus()(rbe.tensor([-1.0, 2.0]))
    tensor([0.3133, 2.1269])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the constants."""
        return f"beta={self.beta}, threshold={self.threshold}"


class _AlongAxis(Module):
    """Base of the functions along an axis."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise DTypeError(type(self).__name__, "an integer as dim", f"{type(dim).__name__} {dim!r}")
        self.dim = dim

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """`e^x / Σ e^x` along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softmax(dim=1)(rbe.zeros(1, 4)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Return shares that sum to 1 along the axis."""
        return input.softmax(self.dim)


class LogSoftmax(_AlongAxis):
    """`x - ln Σ e^x` along an axis.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.LogSoftmax(dim=1)(rbe.zeros(1, 1)).tolist()
    [[0.0]]
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the logarithms of shares that sum to 1 along the axis."""
        return input.log_softmax(self.dim)
