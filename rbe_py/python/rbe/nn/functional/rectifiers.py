"""Piecewise functions of single elements, with torch's signatures. `inplace` writes the result over x."""

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .activation import _applied

__all__ = [
    "celu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "prelu",
    "relu6",
    "selu",
    "softshrink",
    "threshold",
]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _held(x: RBETensor, low: float, high: float) -> RBETensor:
    """Return x held within two bounds, with no gradient at and beyond them; NaN stays, with its gradient."""
    if not x.dtype.is_floating_point:
        return x.clamp(int(low), int(high))
    return _rbe.where(x.le(low), low, _rbe.where(x.ge(high), high, x))


def relu6(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return x held within 0 and 6.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.relu6(rbe.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return _applied("relu6", input, inplace, lambda x: _held(x, 0.0, 6.0))


def hardtanh(input: RBETensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> RBETensor:
    """Return x held within two bounds.

    Raises
    ------
    TensorError
        For a lower bound that is not below the upper one.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.hardtanh(rbe.tensor([-3.0, 0.5]))
    tensor([-1. ,  0.5])
    """
    if not min_val <= max_val:
        raise TensorError("hardtanh", "min_val <= max_val", f"{min_val} and {max_val}")
    return _applied("hardtanh", input, inplace, lambda x: _held(x, min_val, max_val))


def hardsigmoid(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `(x + 3) / 6` held within 0 and 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.hardsigmoid(rbe.tensor([-4.0, 0.0, 4.0]))
    tensor([0. , 0.5, 1. ])
    """
    return _applied("hardsigmoid", input, inplace, lambda x: (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0))


def hardswish(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `x · hardsigmoid(x)` (Howard et al. 2019).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.hardswish(rbe.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.   ,  1.125,  4.   ])
    """
    return _applied("hardswish", input, inplace, lambda x: x * (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0))


def threshold(input: RBETensor, threshold: float, value: float, inplace: bool = False) -> RBETensor:
    """Return x where it is above a threshold, and `value` elsewhere.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.threshold(rbe.tensor([0.5, 2.0]), 1.0, -3.0)
    tensor([-3.,  2.])
    """
    return _applied("threshold", input, inplace, lambda x: _rbe.where(x.le(threshold), value, x))


def hardshrink(input: RBETensor, lambd: float = 0.5) -> RBETensor:
    """Return x where its magnitude is above `lambd`, and 0 elsewhere.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.hardshrink(rbe.tensor([-2.0, 0.25]))
    tensor([-2.,  0.])
    """
    return _rbe.where(input.abs() <= lambd, 0.0, input)


def softshrink(input: RBETensor, lambd: float = 0.5) -> RBETensor:
    """Return x brought nearer to 0 by `lambd`, and 0 where its magnitude is smaller.

    Raises
    ------
    TensorError
        For a negative `lambd`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.softshrink(rbe.tensor([-2.0, 0.25]))
    tensor([-1.5,  0. ])
    """
    if not lambd >= 0:
        raise TensorError("softshrink", "lambd >= 0", str(lambd))
    return _rbe.where(input.abs() <= lambd, input * 0.0, input - input.sign().detach() * lambd)


def celu(input: RBETensor, alpha: float = 1.0, inplace: bool = False) -> RBETensor:
    """Return x above 0 and `alpha (e^(x / alpha) - 1)` below (Barron 2017).

    Raises
    ------
    TensorError
        For an alpha of 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.celu(rbe.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    if alpha == 0:
        raise TensorError("celu", "an alpha other than 0", str(alpha))
    return _applied("celu", input, inplace, lambda x: x.relu() + ((x * (1.0 / alpha)).clamp(max=0.0).expm1() * alpha))


def selu(input: RBETensor, inplace: bool = False) -> RBETensor:
    """Return `1.0507 · elu(x, 1.6733)`, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.selu(rbe.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return _applied("selu", input, inplace, lambda x: x.elu(SELU_ALPHA) * SELU_SCALE)


def prelu(input: RBETensor, weight: RBETensor) -> RBETensor:
    """Return x above 0 and `weight · x` below (He et al. 2015).

    Parameters
    ----------
    input : tensor (N, C, …) or any shape
    weight : tensor (1) or (C)
        One slope, or one for each channel, the second axis; for x of one axis only one.

    Raises
    ------
    ShapeError
        For another number of slopes.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.prelu(rbe.tensor([-2.0, 2.0]), rbe.tensor([0.25]))
    tensor([-0.5,  2. ])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ShapeError("prelu", f"weight (1) or ({channels})", str(tuple(weight.shape)))
    slope = weight.reshape(-1, *[1] * (input.ndim - 2)) if weight.numel() > 1 else weight.reshape(())
    return _rbe.where(input > 0, input, slope * input)
