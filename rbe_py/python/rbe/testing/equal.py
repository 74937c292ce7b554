"""A tensor compared with the numbers that are expected."""

from typing import Any

from .compare import as_array, assert_close

__all__ = ["assert_tensor_equal"]


def assert_tensor_equal(actual: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None) -> None:
    """Raise AssertionError unless a tensor has the shape and the numbers of `expected`, in its own dtype.

    Parameters
    ----------
    actual : tensor or array
    expected : tensor, array, number or nested lists
        Converted to the dtype of `actual`.
    rtol, atol : float, optional
        As for `assert_close`: both or neither, by default exact for integers and a rounding error or two for floats.

    Raises
    ------
    AssertionError
        Reports the differences, as `assert_close`.

    Examples
    --------
    >>> import rbe
    >>> rbe.testing.assert_tensor_equal(rbe.tensor([1.0, 2.0]) + 4, [5, 6])
    """
    found = as_array(actual)
    assert_close(found, as_array(expected).astype(found.dtype), rtol=rtol, atol=atol)
