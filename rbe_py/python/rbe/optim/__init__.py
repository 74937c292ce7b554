"""Optimisers and learning-rate schedules."""

from . import lr_scheduler
from .base import Optimizer
from .dense import SGD, Adagrad, Adam, AdamW, Lion, RMSprop
from .hybrid import HybridOptimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "HybridOptimizer", "Lion", "Optimizer", "RMSprop", "lr_scheduler"]
