"""Tensors of random numbers."""

from collections.abc import Sequence
from typing import Any

from . import _rbe, dtypes
from ._arguments import integer
from ._default_dtype import default_float
from ._memory_format import check_memory_format
from ._sizes import Shape, sizes
from ._stream import seed_of
from ._tensor import RBETensor
from .creation import finish
from .device import check_device
from .dtypes import DTypeLike, as_dtype
from .errors import DTypeError, TensorError


def rand(
    *shape: Any,
    size: Shape | None = None,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return uniform numbers in [0, 1), from the stream of `rbe.manual_seed` or of a `rbe.Generator`.

    Examples
    --------
    >>> import rbe
    >>> x = rbe.rand(100)
    >>> bool((x >= 0).all() and (x < 1).all())
    True
    """
    check_device("rand", device)
    chosen = default_float(dtype)
    return finish(_rbe.rand(sizes("rand", shape, chosen, size), chosen, seed_of(generator)), requires_grad)


def randn(
    *shape: Any,
    size: Shape | None = None,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return standard normal numbers, from the stream of `rbe.manual_seed` or of a `rbe.Generator`.

    Examples
    --------
    >>> import rbe
    >>> rbe.randn(2, 3).shape
    (2, 3)
    """
    check_device("randn", device)
    chosen = default_float(dtype)
    return finish(_rbe.randn(sizes("randn", shape, chosen, size), chosen, seed_of(generator)), requires_grad)


def normal(
    mean: RBETensor | float,
    std: RBETensor | float = 1.0,
    size: Shape | None = None,
    *,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return normal numbers of given means and standard deviations, which do not receive gradients.

    Parameters
    ----------
    mean, std : tensors or floats
        Tensors broadcast, and give the result its shape and dtype.
    size : int or sequence of int, optional
        The shape, needed for two numbers.
    generator : Generator, optional
    dtype : dtype, optional
    requires_grad : bool
    device : optional

    Raises
    ------
    TensorError
        For a negative deviation, two numbers without a size, or a size for tensors.
    DTypeError, ShapeError

    Examples
    --------
    >>> import rbe
    >>> rbe.normal(0.0, 2.0, (2, 3)).shape, rbe.normal(rbe.zeros(4), 1.0).shape
    ((2, 3), (4,))
    """
    check_device("normal", device)
    given = [x.detach() for x in (mean, std) if isinstance(x, RBETensor)]
    if bool(given) == (size is not None):
        raise TensorError("normal", "a size for two numbers, and none for tensors", "tensors and a size" if given else "none")
    if any(not x.dtype.is_floating_point for x in given):
        raise DTypeError("normal", "tensors of floats", ", ".join(x.dtype.name for x in given))
    spread = std.detach() if isinstance(std, RBETensor) else std
    if bool((spread < 0).any()) if isinstance(spread, RBETensor) else not spread >= 0:
        raise TensorError("normal", "standard deviations of at least 0", "a negative one")
    middle = mean.detach() if isinstance(mean, RBETensor) else mean
    if given:
        like: Any = given[0] if len(given) == 1 else given[0] + given[1]
        lengths, chosen = list(like.shape), like.dtype if dtype is None else as_dtype(dtype)
    else:
        chosen = default_float(dtype)
        lengths = sizes("normal", (size,), chosen)
    drawn = _rbe.randn(lengths, chosen, seed_of(generator)) * spread + middle
    return finish(drawn, requires_grad)


def randint(
    low: int,
    high: int | Shape | None = None,
    size: Shape | None = None,
    *,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
) -> RBETensor:
    """Return integers: `randint(low, high, size)` in [low, high), `randint(high, size)` in [0, high); int64 by default.

    Raises
    ------
    DTypeError
        For bounds that are no integers.
    TensorError
        Unless `low` is below `high`.

    Examples
    --------
    >>> import rbe
    >>> bool((rbe.randint(0, 6, (100,)) < 6).all())
    True
    """
    check_device("randint", device)
    if size is None and isinstance(high, Sequence):
        high, size = None, high
    if high is None:
        low, high = 0, low
    first, last = integer("randint", "a bound", low), integer("randint", "a bound", high)
    lengths = sizes("randint", (() if size is None else size,), dtypes.int64)
    try:
        t = _rbe.randint(first, last, lengths, seed_of(generator))
    except OverflowError:
        raise TensorError("randint", "bounds that int64 holds", f"{first} and {last}") from None
    return finish(t if dtype is None else t.to(dtype), requires_grad)


def randperm(
    n: int, *, generator: Any = None, dtype: DTypeLike = None, requires_grad: bool = False, device: object = None
) -> RBETensor:
    """Return 0 … n - 1 in random order: int64 by default.

    Examples
    --------
    >>> import rbe
    >>> sorted(rbe.randperm(3).tolist())
    [0, 1, 2]
    """
    check_device("randperm", device)
    (count,) = sizes("randperm", (n,), dtypes.int64)
    t = _rbe._randperm(count, seed_of(generator))
    return finish(t if dtype is None else t.to(dtype), requires_grad)


def rand_like(
    input: RBETensor,
    *,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return uniform numbers in [0, 1) of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.rand_like(rbe.zeros(2, 3)).shape
    (2, 3)
    """
    check_device("rand_like", device)
    check_memory_format("rand_like", memory_format)
    chosen = input.dtype if dtype is None else as_dtype(dtype)
    return finish(_rbe.rand(list(input.shape), chosen, seed_of(generator)), requires_grad)


def randn_like(
    input: RBETensor,
    *,
    generator: Any = None,
    dtype: DTypeLike = None,
    requires_grad: bool = False,
    device: object = None,
    memory_format: Any = None,
) -> RBETensor:
    """Return standard normal numbers of the shape and (unless given) dtype of `input`.

    Examples
    --------
    >>> import rbe
    >>> rbe.randn_like(rbe.zeros(2, 3)).shape
    (2, 3)
    """
    check_device("randn_like", device)
    check_memory_format("randn_like", memory_format)
    chosen = input.dtype if dtype is None else as_dtype(dtype)
    return finish(_rbe.randn(list(input.shape), chosen, seed_of(generator)), requires_grad)
