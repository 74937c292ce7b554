"""Every failure of this package: what operation refused, what it expected, what came."""


class RBEError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    op, expected, got : str
        The operation, what it takes and what it was given.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.zeros(2).reshape(3)
    ... except rbe.RBEError as e:
    ...     print(e.op)
    reshape
    """

    def __init__(self, op: str, expected: str = "", got: str = "") -> None:
        super().__init__(f"{op}: expected {expected}, got {got}" if expected else op)
        self.op = op
        self.expected = expected
        self.got = got

    def __reduce__(self) -> tuple[type["RBEError"], tuple[str, str, str]]:
        return type(self), (self.op, self.expected, self.got)


class TensorError(RBEError, ValueError):
    """A tensor or argument outside its domain.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.TensorError, ValueError)
    True
    """


class ShapeError(TensorError):
    """Shapes that do not fit the operation or each other.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.zeros(2) + rbe.zeros(3)
    ... except rbe.ShapeError as e:
    ...     print(type(e).__name__)
    ShapeError
    """


class DTypeError(TensorError, TypeError):
    """An element type or kind of tensor that the operation does not take.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.DTypeError, TypeError)
    True
    """


class LinAlgError(TensorError, RuntimeError):
    """A matrix that an operation of linear algebra cannot take: singular, not positive definite, not finite.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.linalg.inv(rbe.stack([rbe.eye(2), rbe.ones(2, 2)]))
    ... except rbe.LinAlgError as e:
    ...     print(e)
    inv: expected invertible matrices, got one at 1 of the batch that is singular
    """


class NonFiniteError(TensorError):
    """NaN or infinity where only finite numbers make sense.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.RBETensor.encode([[float("nan")] * 64])
    ... except rbe.NonFiniteError as e:
    ...     print(e)
    encode: expected finite weights, got NaN
    """


class OutOfRangeError(TensorError, IndexError):
    """An index outside the axis it indexes.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.OutOfRangeError, IndexError)
    True
    """


class UnknownNameError(OutOfRangeError, KeyError):
    """A name that a mapping does not hold.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.nn.ModuleDict({"a": rbe.nn.ReLU()})["b"]
    ... except KeyError as e:
    ...     print(e)
    ModuleDict: expected one of a, got str 'b'
    """

    __str__ = Exception.__str__  # KeyError's puts the message in quotes


class MissingMethodError(RBEError, NotImplementedError):
    """A method that subclasses have to define, called on one that does not.

    Examples
    --------
    >>> import rbe
    >>> class Empty(rbe.nn.Module):
    ...     pass
    >>> try:
    ...     Empty()(rbe.ones(1))
    ... except NotImplementedError as e:
    ...     print(e)
    Module.forward: expected a subclass that defines it, got Empty
    """


class GraphError(RBEError, RuntimeError):
    """A tape used in a way that has no meaning: freed, changed in place, without gradient.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.ones(1).backward()
    ... except rbe.GraphError as e:
    ...     print(e.op)
    backward
    """


class DeviceError(RBEError, RuntimeError):
    """A device other than the CPU.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.ones(1, device="cuda")
    ... except rbe.DeviceError as e:
    ...     print(e)
    ones: expected cpu, got cuda
    """


class FormatError(RBEError, OSError):
    """A file that is truncated, altered, foreign or cannot be read or written.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.load("no such file")
    ... except rbe.FormatError as e:
    ...     print(e.op)
    load
    """


class OutOfMemoryError(RBEError, MemoryError):
    """Memory that the system does not give: nothing has changed, and the process goes on.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.zeros(10**9, 10**9)
    ... except MemoryError as e:
    ...     print(type(e).__name__, e.op)
    OutOfMemoryError zeros
    """


class ConfigError(RBEError, ValueError):
    """A setting of the process: thread count, instruction set, environment variable.

    Examples
    --------
    >>> import rbe
    >>> try:
    ...     rbe.set_num_threads(0)
    ... except rbe.ConfigError as e:
    ...     print(e.op)
    set_num_threads
    """


class DependencyError(RBEError, ImportError):
    """A package that is not among the requirements of this one, and that something needs.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.DependencyError, ImportError)
    True
    """
