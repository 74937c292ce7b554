"""Single time steps of recurrent layers, with torch's names and signatures."""

from typing import Any

from .._tensor import RBETensor
from ..dtypes import DTypeLike
from ..errors import ShapeError
from .recurrent import Recurrent, State, nonlinearity_of

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Recurrent):
    """One time step."""

    def __init__(
        self, cell: str, input_size: int, hidden_size: int, bias: bool = True, device: object = None, dtype: DTypeLike = None
    ) -> None:
        super().__init__(cell, input_size, hidden_size, bias, device)
        self._add_direction("", input_size, dtype)

    def forward(self, input: RBETensor, hx: State | None = None) -> State:
        """Return the next state (N, hidden_size), for an LSTM a pair of state and cells, from input (N, input_size); without N
        for one sample. `hx` is the state so far, zeros by default.

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        """
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            wanted = f"(N, {self.input_size}) or ({self.input_size})"
            raise ShapeError(type(self).__name__, wanted, str(tuple(input.shape)))
        shape = (*input.shape[:-1], self.hidden_size)
        h, c = self._first(hx, shape, input.dtype)
        lifted = [None if t is None else t.reshape(-1, self.hidden_size) for t in (h, c)]
        _, end, cells = self._run("", input.reshape(1, -1, self.input_size), lifted[0], lifted[1], False)  # type: ignore[arg-type]
        return end.reshape(*shape) if cells is None else (end.reshape(*shape), cells.reshape(*shape))

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}"


class RNNCell(_Cell):
    """One time step of an `RNN`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.RNNCell(8, 16)(rbe.randn(3, 8)).shape
    (3, 16)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(nonlinearity_of("RNNCell", nonlinearity), input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity


class LSTMCell(_Cell):
    """One time step of an `LSTM`.

    Examples
    --------
    >>> import rbe
    >>> h, c = rbe.nn.LSTMCell(8, 16)(rbe.randn(3, 8))
    >>> h.shape, c.shape
    ((3, 16), (3, 16))
    """

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__("lstm", input_size, hidden_size, *args, **kwargs)


class GRUCell(_Cell):
    """One time step of a `GRU`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.GRUCell(8, 16)(rbe.randn(3, 8)).shape
    (3, 16)
    """

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__("gru", input_size, hidden_size, *args, **kwargs)
