"""Functions of a whole model's gradients and parameters, and sequences of different lengths, with torch's names."""

from . import rnn
from .clip import clip_grad_norm_, clip_grad_value_
from .vector import parameters_to_vector, vector_to_parameters
from .weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "remove_weight_norm",
    "rnn",
    "vector_to_parameters",
    "weight_norm",
]
