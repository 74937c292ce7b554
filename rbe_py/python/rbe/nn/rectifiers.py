"""Piecewise functions of single elements as modules, with torch's names. `inplace` writes the result over the input."""

from .. import creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import functional as F
from .activation import _InPlace
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "PReLU",
    "ReLU6",
    "Softshrink",
    "Threshold",
]


class Hardtanh(Module):
    """X held within two bounds.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Hardtanh()(rbe.tensor([-3.0, 0.5]))
    tensor([-1. ,  0.5])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not min_val < max_val:
            raise TensorError(type(self).__name__, "min_val < max_val", f"{min_val} and {max_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Return the bounds."""
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """X held within 0 and 6.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.ReLU6()(rbe.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Return whether it writes over its input."""
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(_InPlace):
    """`(x + 3) / 6` held within 0 and 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Hardsigmoid()(rbe.tensor([-4.0, 0.0, 4.0]))
    tensor([0. , 0.5, 1. ])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.hardsigmoid(input, self.inplace)


class Hardswish(_InPlace):
    """`x · hardsigmoid(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Hardswish()(rbe.tensor([1.5, 4.0]))
    tensor([1.125, 4.   ])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.hardswish(input, self.inplace)


class SELU(_InPlace):
    """`1.0507 · elu(x, 1.6733)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.SELU()(rbe.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.selu(input, self.inplace)


class CELU(Module):
    """X above 0 and `alpha (e^(x / alpha) - 1)` below.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.CELU()(rbe.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return alpha, and whether it writes over its input."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class Threshold(Module):
    """X where it is above a threshold, and `value` elsewhere.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Threshold(1.0, -3.0)(rbe.tensor([0.5, 2.0]))
    tensor([-3.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Return threshold and value."""
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class Hardshrink(Module):
    """X where its magnitude is above `lambd`, and 0 elsewhere.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Hardshrink()(rbe.tensor([-2.0, 0.25]))
    tensor([-2.,  0.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the bound."""
        return str(self.lambd)


class Softshrink(Hardshrink):
    """X brought nearer to 0 by `lambd`, and 0 where its magnitude is smaller.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Softshrink()(rbe.tensor([-2.0, 0.25]))
    tensor([-1.5,  0. ])
    """

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to every element."""
        return F.softshrink(input, self.lambd)


class PReLU(Module):
    """X above 0 and `weight · x` below.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels.
    init : float
        First value of the slopes.
    dtype : dtype, optional

    Attributes
    ----------
    weight : Parameter (num_parameters)

    Raises
    ------
    ShapeError
        For less than one slope.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.PReLU()(rbe.tensor([-2.0, 2.0])).detach()
    tensor([-0.5,  2. ])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: object = None, dtype: DTypeLike = None) -> None:
        super().__init__()
        creation.check_device("PReLU", device)
        if num_parameters < 1:
            raise ShapeError("PReLU", "at least 1 slope", str(num_parameters))
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(creation.full((num_parameters,), float(init), dtype=dtype))

    def forward(self, input: RBETensor) -> RBETensor:
        """Apply the function to x (N, num_parameters, …), or of any shape for one slope."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"
