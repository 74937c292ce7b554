"""Dropout of elements and of whole channels as functions, with torch's signatures."""

from ... import creation
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError
from .activation import _applied

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d"]


def dropout(input: RBETensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> RBETensor:
    """Return x with elements set to 0 with probability p and the others scaled by 1 / (1 - p), in training.

    With `inplace` in the memory of x.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.dropout(rbe.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    return _applied("dropout", input, inplace, lambda x: x.dropout(p, training))


def _channels(op: str, input: RBETensor, dims: tuple[int, ...], single: int, *, how: tuple[float, bool, bool]) -> RBETensor:
    """Return x with channels dropped; x of `single` axes has no axis of samples. `how` is p, training and inplace."""
    p, training, inplace = how
    if input.ndim not in dims:
        raise ShapeError(op, f"x with {' or '.join(map(str, dims))} axes", str(tuple(input.shape)))
    if not 0 <= p <= 1:
        raise TensorError(op, "a probability in [0, 1]", str(p))
    if not training:
        return input
    lead = 1 if input.ndim == single else 2
    kept = creation.ones(*input.shape[:lead], *[1] * (input.ndim - lead), dtype=input.dtype).dropout(p, True)
    return _applied("dropout", input, inplace, lambda x: x * kept)


def dropout1d(input: RBETensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> RBETensor:
    """Return x (N, C, L) or (C, L) with channels set to 0 with probability p and the others scaled by 1 / (1 - p), in training.

    Raises
    ------
    ShapeError
        For another number of axes.
    TensorError
        For p outside [0, 1].

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.dropout1d(rbe.ones(1, 2, 2), training=False).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    return _channels("dropout1d", input, (2, 3), 2, how=(p, training, inplace))


def dropout2d(input: RBETensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> RBETensor:
    """Return x (N, C, H, W), or (N, C, L), with channels set to 0 as by `dropout1d`.

    Raises
    ------
    ShapeError, TensorError
        As `dropout1d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.dropout2d(rbe.ones(1, 2, 2, 2), p=1.0).sum()
    tensor(0.)
    """
    return _channels("dropout2d", input, (3, 4), 0, how=(p, training, inplace))


def dropout3d(input: RBETensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> RBETensor:
    """Return x (N, C, D, H, W) or (C, D, H, W) with channels set to 0 as by `dropout1d`.

    Raises
    ------
    ShapeError, TensorError
        As `dropout1d`.

    Examples
    --------
    >>> import rbe
    >>> rbe.nn.functional.dropout3d(rbe.ones(1, 2, 2, 2, 2), p=1.0).sum()
    tensor(0.)
    """
    return _channels("dropout3d", input, (4, 5), 4, how=(p, training, inplace))
