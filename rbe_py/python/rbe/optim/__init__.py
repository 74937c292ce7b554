"""Optimisers and learning-rate schedules."""

from . import lr_scheduler
from .adam import Adam, AdamW, Lion
from .adam_variants import Adamax, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .base import Optimizer
from .hybrid import HybridOptimizer
from .lbfgs import LBFGS
from .sgd import SGD

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "HybridOptimizer", "Lion", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "lr_scheduler",
]  # fmt: skip
