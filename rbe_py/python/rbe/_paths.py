"""Paths given by users, and regular files opened by descriptor."""

import os
import stat
from typing import BinaryIO

from .errors import DTypeError, FormatError

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def path_of(op: str, path: object) -> str:
    """Return a path as a string.

    Raises
    ------
    DTypeError
        For what is no path.
    FormatError
        For one that no file can have: with NUL, or characters outside the encoding of the file system.
    """
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]
    except TypeError:
        raise DTypeError(op, "the path of a file", type(path).__name__) from None
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError as e:
        raise FormatError(op, "the path of a file", f"{name!r}: {e}") from None
    if b"\0" in encoded:
        raise FormatError(op, "the path of a file", f"one with NUL: {name!r}")
    return name


def open_regular(op: str, name: str, what: str) -> BinaryIO:
    """Open a regular file to read; a pipe or device is refused without waiting for it.

    Parameters
    ----------
    op : str
        For the error.
    name : str
        Path.
    what : str
        What the file should be, for the error.

    Raises
    ------
    FormatError
        For a file that is missing, no regular one, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            raise FormatError(op, f"{what} at {name!r}", "no regular file")
        descriptor = os.open(name, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FormatError(op, f"{what} at {name!r}", "no regular file")
    except OSError as e:
        if isinstance(e, FormatError):
            raise
        raise FormatError(op, f"{what} at {name!r}", str(e)) from e
    return os.fdopen(descriptor, "rb")
