"""Plots and summaries of models and their training. All plots but `graph` require matplotlib."""

from .disk import plot_disk
from .graph import graph
from .history import plot_history
from .recorder import Recorder, plot_flips
from .summary import LayerSummary, Summary, summary
from .weights import plot_weights

__all__ = [
    "LayerSummary",
    "Recorder",
    "Summary",
    "graph",
    "plot_disk",
    "plot_flips",
    "plot_history",
    "plot_weights",
    "summary",
]
