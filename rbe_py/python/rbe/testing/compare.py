"""Comparison of numbers."""

from typing import Any

import numpy as np

from .._tensor import RBETensor

_TOLERANCES = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol, atol, as in torch.testing
_SHOWN = 5


def as_array(x: Any) -> "np.ndarray[Any, Any]":
    """Return a tensor, packed ones decoded, or whatever NumPy can convert as an array."""
    if isinstance(x, RBETensor):
        return np.asarray((x.to_dense() if x.is_packed else x).detach().numpy())
    return np.asarray(x.detach() if hasattr(x, "detach") else x)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    msg: str | None = None,
) -> None:
    """Raise AssertionError unless `|actual - expected| <= atol + rtol |expected|` everywhere.

    Parameters
    ----------
    actual, expected : tensor, array, number, or a sequence or mapping of them
        Packed tensors are compared by their decoded weights; whatever NumPy can convert is accepted, such as torch's tensors.
    rtol, atol : float, optional
        Both or neither; default: those of torch.testing for the less precise of the two dtypes, 0 for integers.
    equal_nan : bool
        Whether NaN equals NaN.
    check_dtype : bool
        Whether dtypes must be equal.
    msg : str, optional
        Prefix of the report of differences.

    Raises
    ------
    AssertionError
        Reports the number of elements that differ, and the largest differences with their positions.
    ValueError
        If only one of the tolerances is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.testing.assert_close(rbe.ones(3) * 0.1, rbe.full((3,), 0.1))
    >>> rbe.testing.assert_close(rbe.tensor([1.0, 2.0, 4.0]), rbe.tensor([1.0, 2.5, 3.0]))
    Traceback (most recent call last):
        ...
    AssertionError: tensors differ in 2 of 3 elements (66.7 %)
    largest absolute difference 1 at (2,), largest relative difference 0.3333 at (2,)
         index         actual       expected     difference
          (2,)              4              3              1
          (1,)              2            2.5           -0.5
    allowed: 1e-05 + 1.3e-06 * |expected|
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: expected both rtol and atol or neither, got one")
    lead = "" if msg is None else f"{msg}\n"
    if isinstance(expected, dict) or isinstance(actual, dict):
        if not isinstance(actual, dict) or not isinstance(expected, dict) or set(actual) != set(expected):
            raise AssertionError(f"{lead}keys differ: {_keys(actual)} and {_keys(expected)}")
        pairs = [(key, actual[key], expected[key]) for key in expected]
    elif isinstance(actual, list | tuple) and isinstance(expected, list | tuple):
        if len(actual) != len(expected):
            raise AssertionError(f"{lead}lengths differ: {len(actual)} and {len(expected)}")
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(actual, expected, strict=True))]
    else:
        _compare(as_array(actual), as_array(expected), rtol, atol, equal_nan, check_dtype, lead)
        return
    for key, a, b in pairs:
        assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, msg=f"{lead}in {key!r}:")


def _keys(x: Any) -> str:
    return str(sorted(map(str, x))) if isinstance(x, dict) else type(x).__name__


def _compare(a: Any, b: Any, rtol: float | None, atol: float | None, equal_nan: bool, check_dtype: bool, lead: str) -> None:
    if a.shape != b.shape:
        raise AssertionError(f"{lead}shapes differ: {a.shape} and {b.shape}")
    if check_dtype and a.dtype != b.dtype:
        raise AssertionError(f"{lead}dtypes differ: {a.dtype} and {b.dtype}")
    kinds = [_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (a, b)]
    r, t = (max(k[0] for k in kinds), max(k[1] for k in kinds)) if rtol is None or atol is None else (rtol, atol)
    if a.dtype.kind in "iub" and b.dtype.kind in "iub" and not (r or t):
        difference = np.where(a == b, 0.0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
        close = a == b
    else:
        x, y = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(invalid="ignore"):
            difference = np.where(x == y, 0.0, np.abs(x - y))
            close = (x == y) | (np.isfinite(y) & (difference <= t + r * np.abs(y)))
        if equal_nan:
            close |= np.isnan(x) & np.isnan(y)
    if not close.all():
        raise AssertionError(lead + _account(a, b, difference, close, r, t))


def _account(a: Any, b: Any, difference: Any, close: Any, r: float, t: float) -> str:
    """Report the differences, the largest first; NaN counts as the largest."""
    wrong = np.argwhere(~close)
    share = len(wrong) / close.size
    order = np.where(np.isnan(difference), np.inf, difference)[~close].argsort()[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(close, 0.0, difference / np.abs(b.astype(np.float64)))
    absolute = np.where(close, 0.0, difference)
    at = [
        tuple(int(i) for i in np.unravel_index(int(np.argmax(np.nan_to_num(d, nan=np.inf))), d.shape))
        for d in (absolute, relative)
    ]
    lines = [
        f"tensors differ in {len(wrong)} of {close.size} elements ({share:.1%})".replace("%", " %"),
        f"largest absolute difference {absolute[at[0]]:.4g} at {at[0]}, "
        f"largest relative difference {relative[at[1]]:.4g} at {at[1]}",
        f"{'index':>10} {'actual':>14} {'expected':>14} {'difference':>14}",
    ]
    for place in (tuple(int(i) for i in wrong[k]) for k in order[:_SHOWN]):
        signed = float(a[place]) - float(b[place])
        lines.append(f"{place!s:>10} {a[place]:>14.7g} {b[place]:>14.7g} {signed:>14.4g}")
    if len(wrong) > _SHOWN:
        lines.append(f"… and {len(wrong) - _SHOWN} more")
    return "\n".join([*lines, f"allowed: {t:g} + {r:g} * |expected|"])
