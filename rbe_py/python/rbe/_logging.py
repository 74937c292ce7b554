"""The logger `rbe` of the package. `RBE_LOG=debug|info|warning|error` shows its messages on stderr.

`RBE_LOG_LEVEL` is another name of `RBE_LOG`, which has precedence.
"""

import logging
import os

from . import _rbe
from .errors import ConfigError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

logger = logging.getLogger("rbe")
logger.addHandler(logging.NullHandler())


def start() -> None:
    """Show messages from the level that `RBE_LOG` or `RBE_LOG_LEVEL` names, if one is set.

    Raises
    ------
    ConfigError
        For an unknown level.
    """
    variable = "RBE_LOG" if "RBE_LOG" in os.environ else "RBE_LOG_LEVEL"
    name = os.environ.get(variable)
    if name is not None:
        if name not in LEVELS:
            raise ConfigError(variable, ", ".join(LEVELS), repr(name))
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s %(levelname)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(LEVELS[name])
    logger.info("version %s, %s kernels, %d threads", _rbe.__version__, _rbe.isa(), _rbe.get_num_threads())
