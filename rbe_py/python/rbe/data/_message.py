"""Messages between a loader and its workers, pickled at once, so that an object that cannot be pickled raises an error."""

import io
import pickle
import traceback
from collections.abc import Iterator, Mapping
from enum import IntEnum
from multiprocessing.reduction import ForkingPickler
from typing import Any

from .._tensor import RBETensor
from ..errors import DTypeError, GraphError, RBEError


class Kind(IntEnum):
    """Kind of a worker's answer, sent separately from the data, so that no data can be mistaken for the end marker."""

    BATCH = 0
    END = 1  # end of the worker's share of an iterable data set
    FAILURE = 2


class _Pickler(ForkingPickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, RBETensor) and value.requires_grad and not value.is_leaf:
            # The copy in another process would have no tape, so its gradients would silently be lost.
            raise GraphError("DataLoader", "batches of leaf tensors (use detach())", "a tensor computed on the tape")
        return NotImplemented


def pack(name: str, value: Any) -> bytes:
    """Return `value` pickled.

    Raises
    ------
    DTypeError
        If a part cannot be pickled; the error names the part.
    GraphError
        For a tensor that was computed on the tape.
    """
    try:
        return _pickled(value)
    except (RBEError, MemoryError):
        raise
    except Exception as e:
        got = f"{_culprit(name, value)}: {type(e).__name__}: {e}"
        raise DTypeError("DataLoader", f"a {name} that can be pickled, as it goes to another process", got) from e


def unpack(body: bytes) -> Any:
    """Return the batch that a worker packed.

    Raises
    ------
    DTypeError
        If this process cannot unpickle it.
    """
    try:
        return pickle.loads(body)
    except (RBEError, MemoryError):
        raise
    except Exception as e:
        raise DTypeError("DataLoader", "batches that can be unpickled here", f"{type(e).__name__}: {e}") from e


def _pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(value)
    return stream.getvalue()


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of an object with their names."""
    if isinstance(value, Mapping):
        yield from ((f"{name}[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{name}[{i}]", part) for i, part in enumerate(value))
    elif not isinstance(value, type):
        yield from ((f"{name}.{key}", part) for key, part in getattr(value, "__dict__", {}).items())


def _culprit(name: str, value: Any, depth: int = 8) -> str:
    """Return the name and type of the innermost part that cannot be pickled."""
    try:
        for part, held in _parts(name, value) if depth else ():
            try:
                _pickled(held)
            except Exception:
                return _culprit(part, held, depth - 1)
    except Exception:  # the parts cannot be listed: name the whole object
        pass
    return f"{name} of type {type(value).__name__}"


class WorkerError(RuntimeError):
    """The traceback of a worker: the cause of the worker's exception, or the exception itself if it cannot be reconstructed.

    If an exception's constructor does not accept its own `args`, a subclass of its type and of WorkerError is raised.

    Examples
    --------
    >>> import rbe
    >>> issubclass(rbe.data.WorkerError, RuntimeError)
    True
    """


class Failure:
    """An exception of a worker, with its traceback, ready to be sent."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.trace = f"in {where}\n{''.join(traceback.format_exception(error))}"
        self.whole = self.parts = b""
        # SystemExit would silently end the main process, and StopIteration its loop over the batches.
        if not isinstance(error, Exception) or isinstance(error, StopIteration | StopAsyncIteration):
            return
        try:
            self.whole = _pickled(error)
            again = pickle.loads(self.whole)
            # A constructor whose parameters differ from `args` fails, or produces a different text.
            if type(again) is not type(error) or str(again) != str(error):
                self.whole = b""
        except Exception:
            self.whole = b""
        if not self.whole:
            held = {}
            for key, value in vars(error).items():
                try:
                    held[key] = _pickled(value)
                except Exception:
                    continue
            try:
                self.parts = _pickled((type(error), held))
            except Exception:
                self.parts = b""

    def error(self) -> BaseException:
        """Return the exception to raise in the main process."""
        cause = WorkerError(self.trace)
        try:
            if self.whole:
                error: BaseException = pickle.loads(self.whole)
                error.__cause__ = cause
                return error
            if self.parts:
                return _both(self.trace, *pickle.loads(self.parts))
        except Exception:  # this process cannot import or construct the class
            pass
        return cause


def _both(trace: str, kind: type[Exception], held: dict[str, bytes]) -> BaseException:
    """Return an exception of types WorkerError and `kind` with the original's attributes, without calling its constructor."""
    both: Any = type(kind.__name__, (WorkerError, kind), {"__module__": kind.__module__, "__str__": WorkerError.__str__})
    error: BaseException = both.__new__(both, trace)
    error.args = (trace,)
    for key, value in held.items():
        setattr(error, key, pickle.loads(value))
    return error
