"""Modules that pass on their input, as it is or in another shape."""

from typing import Any

from .._rbe import RBETensor
from .module import Module


class Identity(Module):
    """Return the input; takes and ignores any arguments, to stand in for another layer.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Identity()(rbe.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input."""
        return input


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one: (N, …) to (N, features) by default.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.Flatten()(rbe.zeros(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: RBETensor) -> RBETensor:
        """Return the input with the axes joined."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
