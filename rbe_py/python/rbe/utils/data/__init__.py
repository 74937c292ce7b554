"""`rbe.data` under torch's name."""

from ...data import *  # noqa: F403
from ...data import __all__ as __all__
from . import dataloader  # noqa: F401
