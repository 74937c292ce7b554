"""The parameters of a whole model as one vector, with torch's names."""

from collections.abc import Iterable

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[RBETensor]) -> RBETensor:
    """Return all parameters, flattened, one after another: (n,). They are dense.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.utils.parameters_to_vector(rbe.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return _rbe.concat([p.reshape(-1) for p in parameters], 0)


def vector_to_parameters(vec: RBETensor, parameters: Iterable[RBETensor]) -> None:
    """Copy a vector (n,) into the parameters, the inverse of `parameters_to_vector`.

    Raises
    ------
    ShapeError
        For another length; nothing has changed then.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.Linear(1, 1)
    >>> rbe.nn.utils.vector_to_parameters(rbe.tensor([2.0, 1.0]), layer.parameters())
    >>> layer.bias.item()
    1.0
    """
    listed = list(parameters)
    total = sum(p.numel() for p in listed)
    if tuple(vec.shape) != (total,):
        raise ShapeError("vector_to_parameters", f"({total},)", str(tuple(vec.shape)))
    at = 0
    for p in listed:
        p.detach().copy_(vec.detach()[at : at + p.numel()].reshape(*p.shape))
        at += p.numel()
