"""The logger `rbe` of the package. `RBE_LOG=debug|info|warning|error` shows its messages on stderr."""

import logging
import os

from . import _rbe
from .errors import ConfigError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

logger = logging.getLogger("rbe")
logger.addHandler(logging.NullHandler())


def start() -> None:
    """Show messages from the level that `RBE_LOG` names, if it is set.

    Raises
    ------
    ConfigError
        For an unknown level.
    """
    name = os.environ.get("RBE_LOG")
    if name is not None:
        if name not in LEVELS:
            raise ConfigError("RBE_LOG", ", ".join(LEVELS), repr(name))
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s %(levelname)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(LEVELS[name])
    logger.info("version %s, %s kernels, %d threads", _rbe.__version__, _rbe.isa(), _rbe.get_num_threads())
