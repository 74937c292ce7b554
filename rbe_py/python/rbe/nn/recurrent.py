"""Recurrent layers, dense and packed, with torch's names, signatures and initial values."""

import math
from collections.abc import Callable
from typing import Any

from .. import _rbe, _sizes, creation
from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError, TensorError
from . import init, parameter
from ._varying import over_spans
from .functional.linear import linear
from .module import Module
from .packed import Packed
from .utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RBEGRU", "RBELSTM", "RBERNN", "RNN"]

State = RBETensor | tuple[RBETensor, RBETensor]
_Run = tuple[RBETensor, RBETensor, RBETensor | None]
GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}


def nonlinearity_of(op: str, name: str) -> str:
    """Return the nonlinearity of a plain recurrent layer, which is also the name of its cell, after checking it."""
    if name not in ("tanh", "relu"):
        raise TensorError(op, "nonlinearity 'tanh' or 'relu'", repr(name))
    return name


class Recurrent(Module):
    """Base of layers and cells: parameters named by a suffix, and the time steps of one direction."""

    _weight_of = staticmethod(parameter.dense)
    _projects = False  # whether states may be projected
    proj_size = 0  # length of an LSTM's projected states; 0: they are not projected

    def __init__(self, cell: str, input_size: int, hidden_size: int, bias: bool, device: object) -> None:
        super().__init__()
        name = type(self).__name__
        creation.check_device(name, device)
        if input_size < 1 or hidden_size < 1:
            raise ShapeError(name, "sizes of at least 1", f"{input_size} and {hidden_size}")
        self.input_size, self.hidden_size, self.bias, self._cell = input_size, hidden_size, bias, cell

    def _fill(self, parameter: RBETensor) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        init.uniform_(parameter, -bound, bound)

    def _add_direction(self, suffix: str, inputs: int, dtype: DTypeLike) -> None:
        rows, fill = GATES[self._cell] * self.hidden_size, self._fill
        self.register_parameter(f"weight_ih{suffix}", self._weight_of((rows, inputs), fill, dtype))
        self.register_parameter(f"weight_hh{suffix}", self._weight_of((rows, self.proj_size or self.hidden_size), fill, dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name + suffix, parameter.dense((rows,), fill, dtype) if self.bias else None)
        if self.proj_size:
            self.register_parameter(f"weight_hr{suffix}", self._weight_of((self.proj_size, self.hidden_size), fill, dtype))

    def _run(self, suffix: str, x: RBETensor, h: RBETensor, c: RBETensor | None, reverse: bool) -> _Run:
        """Return states (T, N, H), last state and (LSTM) last cells (N, H) from x (T, N, inputs); not projected."""
        own: dict[str, Any] = self._parameters
        products, weight = linear(x, own[f"weight_ih{suffix}"], own[f"bias_ih{suffix}"]), own[f"weight_hh{suffix}"]
        if self.proj_size:
            # Projected states are W_hr h, so W_hh W_hr is the weight of h itself. The first state, which is given as
            # projected already, goes into the products of the first time step.
            start, steps = linear(h, weight).unsqueeze(0), x.shape[0]
            rest = products.narrow(0, 0 if reverse else 1, steps - 1)
            first = products.narrow(0, steps - 1 if reverse else 0, 1) + start
            products = _rbe.concat([rest, first] if reverse else [first, rest], 0)
            weight, h = weight @ own[f"weight_hr{suffix}"], creation.zeros(h.shape[0], self.hidden_size, dtype=h.dtype)
        return _rbe.recurrent(products, self._cell, weight, own[f"bias_hh{suffix}"], h, c, reverse)

    def _seen(self, suffix: str, x: RBETensor, h: RBETensor, c: RBETensor | None, reverse: bool) -> _Run:
        """Return what `_run` does, with states as the layer above and the caller see them: projected."""
        states, end, cells = self._run(suffix, x, h, c, reverse)
        if self.proj_size:
            projection: Any = self._parameters[f"weight_hr{suffix}"]
            states = linear(states, projection)
            end = states[0 if reverse else x.shape[0] - 1]
        return states, end, cells

    def _first(self, hx: State | None, shape: tuple[int, ...], dtype: Any) -> tuple[RBETensor, RBETensor | None]:
        """Return the first state and (for an LSTM) cells, zeros if none are given."""
        lstm, cells = self._cell == "lstm", (*shape[:-1], self.hidden_size)
        if hx is None:
            h = creation.zeros(*shape, dtype=dtype)
            hx = (h, creation.zeros(*cells, dtype=dtype)) if lstm else h
        h, c = hx if isinstance(hx, tuple) else (hx, None)
        if (c is not None) != lstm or tuple(h.shape) != shape or (c is not None and tuple(c.shape) != cells):
            wanted = f"a state {shape} and cells {cells}" if lstm else f"a state {shape}"
            got = [tuple(t.shape) for t in hx] if isinstance(hx, tuple) else tuple(hx.shape)
            raise ShapeError(type(self).__name__, wanted, str(got))
        return h, c


class _Layers(Recurrent):
    """Layers of both directions over whole sequences."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(cell, input_size, hidden_size, bias, device)
        if proj_size and not (self._projects and 0 < proj_size < hidden_size):
            wanted = f"a proj_size of 0, or of a dense LSTM one below hidden_size {hidden_size}"
            raise TensorError(type(self).__name__, wanted, str(proj_size))
        self.proj_size = proj_size
        if num_layers < 1:
            raise ShapeError(type(self).__name__, "at least one layer", str(num_layers))
        if not 0 <= dropout <= 1:
            raise TensorError(type(self).__name__, "a dropout in [0, 1]", str(dropout))
        self.num_layers, self.batch_first, self.dropout, self.bidirectional = num_layers, batch_first, dropout, bidirectional
        self._directions = ("", "_reverse") if bidirectional else ("",)
        _sizes.check_parts(type(self).__name__, num_layers, 2 * hidden_size * len(self._directions))
        for layer in range(num_layers):
            inputs = (proj_size or hidden_size) * len(self._directions) if layer else input_size
            for direction in self._directions:
                self._add_direction(f"_l{layer}{direction}", inputs, dtype)

    def forward(self, input: Any, hx: State | None = None) -> tuple[Any, State]:
        """Run over sequences.

        Parameters
        ----------
        input : tensor (T, N, input_size), (N, T, input_size) with `batch_first`, or (T, input_size); or a PackedSequence
        hx : tensor (num_layers · directions, N, hidden_size), or without N; for an LSTM a pair of them, states and cells
            Zeros by default.

        Returns
        -------
        output : tensor (T, N, directions · hidden_size), in the order of the input; or a PackedSequence
            States of the last layer.
        last : like hx
            Of a PackedSequence, those of the last time step of each sequence.

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            wanted = f"(T, N, {self.input_size}), (N, T, {self.input_size}) with batch_first, or (T, {self.input_size})"
            raise ShapeError(type(self).__name__, wanted, str(tuple(input.shape)))
        single = input.ndim == 2
        x = input.unsqueeze(1) if single else input.transpose(0, 1) if self.batch_first else input
        if x.shape[0] == 0:
            raise ShapeError(type(self).__name__, "at least one time step", str(tuple(input.shape)))
        size = self.proj_size or self.hidden_size
        h, c = self._first(hx, (self._count(), size) if single else (self._count(), x.shape[1], size), x.dtype)
        if single:
            h, c = h.unsqueeze(1), None if c is None else c.unsqueeze(1)
        out, *ends = self._through(x, h, c, self._seen)
        out = out.squeeze(1) if single else out.transpose(0, 1) if self.batch_first else out
        last: Any = [t if t is None or not single else t.squeeze(1) for t in ends]
        return out, last[0] if c is None else tuple(last)

    def _count(self) -> int:
        return self.num_layers * len(self._directions)

    def _through(self, x: RBETensor, h: RBETensor, c: RBETensor | None, run: Callable[..., _Run]) -> _Run:
        """Return states of the last layer, and last states and cells of all, given one direction's run."""
        last: list[RBETensor] = []
        cells: list[RBETensor] = []
        for layer in range(self.num_layers):
            if layer:
                x = x.dropout(self.dropout, self.training)
            outputs = []
            for direction in self._directions:
                at, suffix = len(last), f"_l{layer}{direction}"
                y, end, end_cells = run(suffix, x, h[at], None if c is None else c[at], direction == "_reverse")
                if end_cells is not None:
                    cells.append(end_cells)
                last.append(end)
                outputs.append(y)
            x = outputs[0] if len(outputs) == 1 else _rbe.concat(outputs, -1)
        return x, _rbe.stack(last, 0), _rbe.stack(cells, 0) if cells else None

    def _forward_packed(self, input: PackedSequence, hx: State | None) -> tuple[PackedSequence, State]:
        sizes = input.batch_sizes.tolist()
        if input.data.ndim != 2 or input.data.shape[1] != self.input_size or sum(sizes) != input.data.shape[0]:
            wanted = f"data ({sum(sizes)}, {self.input_size})"
            raise ShapeError(type(self).__name__, wanted, str(tuple(input.data.shape)))
        first = self._first(hx, (self._count(), sizes[0], self.proj_size or self.hidden_size), input.data.dtype)
        if hx is not None and input.sorted_indices is not None:
            first = tuple(None if t is None else t.index_select(1, input.sorted_indices) for t in first)  # type: ignore[assignment]

        def run(suffix: str, x: RBETensor, h: RBETensor, c: RBETensor | None, back: bool) -> _Run:
            def span(x: RBETensor, h: RBETensor, c: RBETensor | None) -> _Run:
                return self._seen(suffix, x, h, c, back)

            return over_spans(span, x, sizes, (h, c), back)

        out, *ends = self._through(input.data, *first, run)
        if input.unsorted_indices is not None:
            ends = [None if t is None else t.index_select(1, input.unsorted_indices) for t in ends]
        last: Any = ends[0] if ends[1] is None else tuple(ends)
        return input._replace(data=out), last

    def flatten_parameters(self) -> None:
        """Do nothing: torch moves the weights of GPUs into one piece of memory."""

    def extra_repr(self) -> str:
        """Return sizes and options."""
        options = f"num_layers={self.num_layers}, batch_first={self.batch_first}, bidirectional={self.bidirectional}"
        return f"{self.input_size}, {self.hidden_size}, {options}, dropout={self.dropout}"


class RNN(_Layers):
    """`h' = tanh(W_ih x + b_ih + W_hh h + b_hh)` over sequences, in layers (Elman 1990).

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
    nonlinearity : {"tanh", "relu"}
    bias : bool
    batch_first : bool
        Whether sequences are (N, T, …) rather than (T, N, …).
    dropout : float
        Of the states between layers, in training.
    bidirectional : bool
        Whether a second direction runs from the end to the beginning.

    Attributes
    ----------
    weight_ih_l0, … : Parameter (hidden_size, inputs), named `_reverse` at the end for the second direction
    weight_hh_l0, … : Parameter (hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0, … : Parameter (hidden_size) or None

    Raises
    ------
    ShapeError
        For a size below 1.
    TensorError
        For an unknown nonlinearity or a dropout outside [0, 1].

    Examples
    --------
    >>> import rbe
    >>> out, h = rbe.nn.RNN(8, 16, num_layers=2)(rbe.randn(5, 3, 8))
    >>> out.shape, h.shape
    ((5, 3, 16), (2, 3, 16))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", *args: Any, **kwargs: Any
    ) -> None:
        cell = nonlinearity_of(type(self).__name__, nonlinearity)
        super().__init__(cell, input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(_Layers):
    """Long short-term memory over sequences, in layers: `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')` with
    `(i, f, g, o) = W_ih x + b_ih + W_hh h + b_hh` (Hochreiter, Schmidhuber 1997; Gers et al. 2000).

    Parameters, attributes and errors are those of `RNN` without nonlinearity; weights have 4 · hidden_size rows, and first and
    last states are pairs (h, c). With `proj_size`, above 0 and below hidden_size, states are `W_hr h'` of that length (Sak et
    al. 2014), with the parameters `weight_hr_l0, … (proj_size, hidden_size)`; cells keep their length.

    Examples
    --------
    >>> import rbe
    >>> out, (h, c) = rbe.nn.LSTM(8, 16, bidirectional=True, batch_first=True)(rbe.randn(3, 5, 8))
    >>> out.shape, h.shape, c.shape
    ((3, 5, 32), (2, 3, 16), (2, 3, 16))
    """

    _projects = True

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__("lstm", input_size, hidden_size, *args, **kwargs)


class GRU(_Layers):
    """Gated recurrent units over sequences, in layers: `h' = (1 - σ(z)) n + σ(z) h`, `n = tanh(x_n + σ(r) a_n)` with
    `(x_r, x_z, x_n) = W_ih x + b_ih`, `a = W_hh h + b_hh`, `r = x_r + a_r`, `z = x_z + a_z` (Cho et al. 2014).

    Parameters, attributes and errors are those of `RNN` without nonlinearity; weights have 3 · hidden_size rows.

    Examples
    --------
    >>> import rbe
    >>> out, h = rbe.nn.GRU(8, 16)(rbe.randn(5, 3, 8))
    >>> out.shape, h.shape
    ((5, 3, 16), (1, 3, 16))
    """

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__("gru", input_size, hidden_size, *args, **kwargs)


class RBERNN(Packed, RNN):
    """`RNN` with packed weights: 2 bits each, trained in that form.

    Parameters, attributes and errors are those of `RNN`.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBERNN(64, 128)
    >>> layer(rbe.randn(5, 3, 64))[0].shape, layer.weight_hh_l0.nbytes
    ((5, 3, 128), 4096)
    """


class RBELSTM(Packed, LSTM):
    """`LSTM` with packed weights: 2 bits each, trained in that form.

    Parameters, attributes and errors are those of `LSTM`; states are not projected (`proj_size` is 0).

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBELSTM(64, 128)
    >>> layer(rbe.randn(5, 3, 64))[0].shape, layer.weight_hh_l0.nbytes
    ((5, 3, 128), 16384)
    """

    _projects = False  # W_hh W_hr, a product of two packed weights, has no packed form


class RBEGRU(Packed, GRU):
    """`GRU` with packed weights: 2 bits each, trained in that form.

    Parameters, attributes and errors are those of `GRU`.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBEGRU(64, 128)
    >>> layer(rbe.randn(5, 3, 64))[0].shape, layer.weight_hh_l0.nbytes
    ((5, 3, 128), 12288)
    """
