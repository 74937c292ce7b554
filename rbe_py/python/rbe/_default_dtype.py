"""The element type of floats that no type is given for."""

from . import _rbe, dtypes
from .dtypes import DTypeLike, as_dtype

_default_dtype = dtypes.float32


def get_default_dtype() -> dtypes.dtype:
    """Return the element type of tensors made from floats when none is given.

    Examples
    --------
    >>> import rbe
    >>> rbe.get_default_dtype()
    rbe.float32
    """
    return _default_dtype


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the element type of tensors made from floats when none is given: float32 or float64.

    Integers become it, too, where a function has only float results.

    Raises
    ------
    DTypeError
        For another type.

    Examples
    --------
    >>> import rbe
    >>> rbe.set_default_dtype("float64")
    >>> rbe.zeros(1).dtype
    rbe.float64
    >>> rbe.set_default_dtype("float32")
    """
    global _default_dtype
    chosen = as_dtype(dtype)
    _rbe._set_default_dtype(chosen)
    _default_dtype = chosen


def default_float(dtype: DTypeLike) -> dtypes.dtype:
    """Return `dtype`, or the default one."""
    return _default_dtype if dtype is None else as_dtype(dtype)
