"""Learning-rate schedules, with torch's names, signatures and values.

What a schedule does to `lr` it does in proportion to `lr_lo` and `lr_hi` too: the three rates of a HybridOptimizer keep
the ratios they were given. A rate in a schedule's own arguments (`eta_min`, `max_lr`, `min_lr`) is one of `lr`.
"""

from .base import LRScheduler
from .cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts, OneCycleLR
from .plateau import ReduceLROnPlateau
from .powers import ConstantLR, ExponentialLR, LambdaLR, LinearLR, MultiStepLR, StepLR
from .sequential import SequentialLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
