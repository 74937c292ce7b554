"""Optimisers and learning-rate schedules."""

from . import lr_scheduler
from .adam import Adam, AdamW, Lion
from .adaptive import Adagrad, RMSprop
from .base import Optimizer
from .hybrid import HybridOptimizer
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "HybridOptimizer", "Lion", "Optimizer", "RMSprop", "lr_scheduler"]
