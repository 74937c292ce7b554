"""Every failure of this package: what operation refused, what it expected, what came."""


class RBEError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    op, expected, got : str
        The operation, what it takes and what it was given.
    """

    def __init__(self, op: str, expected: str = "", got: str = "") -> None:
        super().__init__(f"{op}: expected {expected}, got {got}" if expected else op)
        self.op = op
        self.expected = expected
        self.got = got

    def __reduce__(self) -> tuple[type["RBEError"], tuple[str, str, str]]:
        return type(self), (self.op, self.expected, self.got)


class TensorError(RBEError, ValueError):
    """A tensor or argument outside its domain."""


class ShapeError(TensorError):
    """Shapes that do not fit the operation or each other."""


class DTypeError(TensorError, TypeError):
    """An element type or kind of tensor that the operation does not take."""


class NonFiniteError(TensorError):
    """NaN or infinity where only finite numbers make sense."""


class OutOfRangeError(TensorError, IndexError):
    """An index outside the axis it indexes."""


class GraphError(RBEError, RuntimeError):
    """A tape used in a way that has no meaning: freed, changed in place, without gradient."""


class DeviceError(RBEError, RuntimeError):
    """A device other than the CPU."""


class FormatError(RBEError, OSError):
    """A file that is truncated, altered, foreign or cannot be read or written."""


class ConfigError(RBEError, ValueError):
    """A setting of the process: thread count, instruction set, environment variable."""


class DependencyError(RBEError, ImportError):
    """A package that is not among the requirements of this one, and that something needs."""
