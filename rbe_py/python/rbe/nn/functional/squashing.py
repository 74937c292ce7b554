"""Smooth functions of single elements, gates, and random choices, with torch's signatures."""

from ... import _random, _rbe
from ..._in_place import changed as _changed
from ..._tensor import RBETensor
from ...dtypes import DTypeLike
from ...errors import ShapeError, TensorError

__all__ = ["glu", "gumbel_softmax", "logsigmoid", "mish", "softmin", "softsign", "tanhshrink"]


def logsigmoid(input: RBETensor) -> RBETensor:
    """Return `ln(1 / (1 + e^-x))`, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.logsigmoid(rbe.tensor([0.0, -200.0]))
    tensor([  -0.6931, -200.    ])
    """
    low = input.lt(0.0)
    below, above = _rbe.where(low, input, 0.0), _rbe.where(low, 0.0, input)
    return _rbe.where(low, below - below.exp().log1p(), -(-above).exp().log1p())


def mish(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `x · tanh(ln(1 + e^x))` (Misra 2019). With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.mish(rbe.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.944 ])
    """

    def compute(x: RBETensor) -> RBETensor:
        return x * x.softplus(1.0).tanh()

    return _changed(input, "mish_", compute) if inplace else compute(input)


def softsign(input: RBETensor) -> RBETensor:
    """Return `x / (1 + |x|)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.softsign(rbe.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """
    return input / (input.abs() + 1.0)


def tanhshrink(input: RBETensor) -> RBETensor:
    """Return `x - tanh(x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.tanhshrink(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.2384])
    """
    return input - input.tanh()


def softmin(input: RBETensor, dim: int = -1, *, dtype: DTypeLike | None = None) -> RBETensor:
    """Return the softmax of -x along an axis, of x converted to `dtype` if one is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.softmin(rbe.zeros(2))
    tensor([0.5, 0.5])
    """
    return (-input if dtype is None else -input.to(dtype)).softmax(dim)


def glu(input: RBETensor, dim: int = -1) -> RBETensor:
    """Return the first half of x along an axis times the sigmoid of the second (Dauphin et al. 2017).

    Raises
    ------
    ShapeError
        For an axis of odd length, or no axes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.glu(rbe.tensor([3.0, 0.0]))
    tensor([1.5])
    """
    if input.ndim == 0 or input.shape[dim] % 2:
        raise ShapeError("glu", "an axis of even length", str(tuple(input.shape)))
    half = input.shape[dim] // 2
    return input.narrow(dim, 0, half) * input.narrow(dim, half, half).sigmoid()


def gumbel_softmax(logits: RBETensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> RBETensor:
    """Return the softmax of logits plus Gumbel noise: a draw of a class that has a gradient (Jang, Gu, Poole 2017).

    Parameters
    ----------
    logits : tensor
        Logarithms of the classes' shares, up to a constant.
    tau : float
        Temperature: near 0 draws are nearly one-hot.
    hard : bool
        One-hot draws, with the gradient of the soft ones.
    eps : float
        Without effect, as in torch.
    dim : int
        Axis of the classes.

    Raises
    ------
    TensorError
        For a temperature that is not positive.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.gumbel_softmax(rbe.zeros(5, 3), hard=True).sum(-1)
    tensor([1., 1., 1., 1., 1.])
    """
    if not tau > 0:
        raise TensorError("gumbel_softmax", "a temperature above 0", str(tau))
    uniform = _random.rand_like(logits.detach()).clamp(min=1e-30)
    soft = ((logits - (-uniform.log()).clamp(min=1e-30).log()) / tau).softmax(dim)
    if not hard:
        return soft
    largest = soft.detach().argmax(dim, keepdim=True)
    picked = (soft.detach() * 0.0).scatter_add(dim, largest, (soft.detach() * 0.0 + 1.0).narrow(dim, 0, 1))
    return picked - soft.detach() + soft
