"""Results of several tensors with names."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ._rbe import RBETensor


class Extremes(NamedTuple):
    """Largest or smallest elements along an axis, and their places."""

    values: "RBETensor"
    indices: "RBETensor"


class Ranked(NamedTuple):
    """Elements in order along an axis, and where they were."""

    values: "RBETensor"
    indices: "RBETensor"


class Range(NamedTuple):
    """The smallest and the largest elements."""

    min: "RBETensor"
    max: "RBETensor"
