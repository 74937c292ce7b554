"""Layers, losses and their functional forms."""

from . import functional, init, utils
from .containers import ModuleDict, ModuleList, Sequential
from .layers import (
    GELU,
    BatchNorm1d,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    LayerNorm,
    Linear,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from .losses import CrossEntropyLoss, MSELoss
from .module import Module
from .packed import RBEActivation, RBELinear
from .parameter import Parameter

__all__ = [
    "GELU", "BatchNorm1d", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "Identity", "LayerNorm", "Linear", "MSELoss",
    "Module", "ModuleDict", "ModuleList", "Parameter", "RBEActivation", "RBELinear", "ReLU", "Sequential", "SiLU", "Sigmoid",
    "Tanh", "functional", "init", "utils",
]  # fmt: skip
