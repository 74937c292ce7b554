"""Optional dependencies."""

import importlib
from types import ModuleType

from .errors import DependencyError

__all__ = ["require"]


def require(op: str, *names: str) -> ModuleType:
    """Return the first of the modules `names` that is installed.

    Raises
    ------
    DependencyError
        If none is.

    Examples
    --------
    >>> from rbe._compat import require
    >>> require("example", "no_such_module", "json").__name__
    'json'
    """
    reasons = []
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as e:
            reasons.append(str(e))
    packages = " or ".join(name.partition(".")[0] for name in names)
    raise DependencyError(op, f"the package {packages}, which is not among the requirements of rbe", "; ".join(reasons))
