"""Plots and summaries of models and their training. All plots but those of graphs require matplotlib."""

from .disk import plot_disk
from .graph import graph
from .history import plot_history, plot_training_history
from .model_graph import plot_model_graph
from .recorder import Recorder, plot_flips
from .summary import LayerSummary, Summary, summary
from .tensor import visualize_tensor
from .weights import plot_weights

__all__ = [
    "LayerSummary",
    "Recorder",
    "Summary",
    "graph",
    "plot_disk",
    "plot_flips",
    "plot_history",
    "plot_model_graph",
    "plot_training_history",
    "plot_weights",
    "summary",
    "visualize_tensor",
]
