"""New tensors of the type of another."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _rbe
from .._arguments import number
from .._sizes import Shape, sizes
from ..device import check_device
from ..dtypes import DTypeLike, as_dtype

if TYPE_CHECKING:
    from .._rbe import RBETensor


def _filled(
    op: str, like: _rbe.TensorBase, size: tuple[Any, ...], value: Any, options: tuple[DTypeLike, bool, object]
) -> "RBETensor":
    dtype, requires_grad, device = options
    check_device(op, device)
    chosen = like.dtype if dtype is None else as_dtype(dtype)
    made = _rbe.full(sizes(op, size, chosen), number(op, value), chosen, op)
    if requires_grad:
        made.requires_grad = True
    return made


class Creating(_rbe.TensorBase):
    """New tensors."""

    __slots__ = ()

    def new_zeros(self, *size: Any, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False) -> "RBETensor":
        """Return zeros of a shape, given as numbers or as a sequence, in the type of the tensor unless another is given."""
        return _filled("new_zeros", self, size, 0, (dtype, requires_grad, device))

    def new_ones(self, *size: Any, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False) -> "RBETensor":
        """Return ones of a shape, given as numbers or as a sequence, in the type of the tensor unless another is given."""
        return _filled("new_ones", self, size, 1, (dtype, requires_grad, device))

    def new_empty(self, *size: Any, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False) -> "RBETensor":
        """Return a tensor to be filled, whose elements are zero, in the type of the tensor unless another is given."""
        return _filled("new_empty", self, size, 0, (dtype, requires_grad, device))

    def new_full(
        self, size: Shape, fill_value: Any, *, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False
    ) -> "RBETensor":
        """Return a tensor of a shape whose every element is `fill_value`, in the type of the tensor unless another is given."""
        return _filled("new_full", self, (size,), fill_value, (dtype, requires_grad, device))

    def new_tensor(
        self, data: Any, *, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False
    ) -> "RBETensor":
        """Return a tensor of a copy of numbers, lists, an array or a tensor, in this type unless another is given."""
        check_device("new_tensor", device)
        chosen = self.dtype if dtype is None else as_dtype(dtype)
        if isinstance(data, _rbe.TensorBase):
            made = data.detach()._cast(chosen)._copy()
        elif isinstance(data, np.ndarray | np.generic):
            made = _rbe._as_tensor(np.array(data))._cast(chosen)._copy()
        else:
            made = _rbe.tensor_from_list(data, chosen)
        if requires_grad:
            made.requires_grad = True
        return made

    def is_complex(self) -> bool:
        """Return False: elements are real.

        Examples
        --------
        >>> import rbe
        >>> rbe.is_complex(rbe.ones(2))
        False
        """
        return False

    def conj(self) -> "RBETensor":
        """Return the tensor itself, as elements are real.

        Examples
        --------
        >>> import rbe
        >>> rbe.conj(rbe.ones(1))
        tensor([1.])
        """
        return _rbe._as_tensor(self)

    @property
    def real(self) -> _rbe.TensorBase:
        """The tensor itself, as elements are real."""
        return _rbe._as_tensor(self)
