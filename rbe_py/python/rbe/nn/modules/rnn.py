"""Recurrent layers, under the name of torch's module."""

from ..recurrent import GRU, LSTM, RNN
from ..recurrent_cell import GRUCell, LSTMCell, RNNCell

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]
