"""The names of `rbe.trainer`, for programs that import `training`."""

from . import trainer
from .trainer import *  # noqa: F403 (the names listed there)

__all__ = list(trainer.__all__)
