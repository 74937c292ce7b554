"""torch's constructors of tensors by the name of a type: `Tensor`, `FloatTensor`, `LongTensor` and their kin."""

from typing import Any

import numpy as np

from . import _rbe, dtypes
from ._default_dtype import get_default_dtype
from ._sizes import sizes
from ._tensor import RBETensor
from .device import check_device


class _OfType(type):
    """The class of these names: calls make tensors of the package's class, of which those of the type count as instances."""

    dtype: dtypes.dtype | None

    def __instancecheck__(cls, instance: object) -> bool:
        """Return whether an object is a tensor of the type."""
        return isinstance(instance, RBETensor) and (cls.dtype is None or instance.dtype is cls.dtype)

    def __subclasscheck__(cls, subclass: type) -> bool:
        """Return whether a class is one of tensors of all types."""
        return subclass is cls or (cls.dtype is None and issubclass(subclass, RBETensor))

    def __getattr__(cls, name: str) -> Any:
        """Return an attribute of the class of tensors, so that `Tensor.add` is the method."""
        return getattr(RBETensor, name)

    def __call__(cls, *data: Any, device: object = None) -> RBETensor:
        """Return a tensor of the type: zeros of the given lengths of axes, or the elements of a list, an array or a tensor."""
        check_device(cls.__name__, device)
        dtype = cls.dtype or get_default_dtype()
        if len(data) == 1 and not isinstance(data[0], int | np.integer):
            made: RBETensor
            if isinstance(data[0], RBETensor):
                made = data[0].detach().to(dtype)
            elif isinstance(data[0], np.ndarray):
                made = _rbe._from_array(np.array(data[0]))._cast(dtype)
            else:
                made = _rbe.tensor_from_list(data[0], dtype)
            return made
        shape = sizes(cls.__name__, data, dtype) if data else [0]
        return _rbe.full(shape, 0, dtype, cls.__name__)


class Tensor(metaclass=_OfType):
    """A tensor of the default dtype: zeros of the given lengths, or the elements of a list, an array or a tensor.

    All tensors count as instances. `rbe.tensor` keeps the type of its elements.

    Examples
    --------
    >>> import rbe
    >>> rbe.Tensor([1, 2]), rbe.Tensor(1, 3)
    (tensor([1., 2.]), tensor([[0., 0., 0.]]))
    >>> isinstance(rbe.tensor([1, 2]), rbe.Tensor)
    True
    """

    dtype = None


class FloatTensor(metaclass=_OfType):
    """A tensor of float32, made as by `Tensor`; tensors of float32 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.FloatTensor([1, 2])
    tensor([1., 2.])
    """

    dtype = dtypes.float32


class DoubleTensor(metaclass=_OfType):
    """A tensor of float64, made as by `Tensor`; tensors of float64 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.DoubleTensor([1, 2])
    tensor([1., 2.], dtype=rbe.float64)
    """

    dtype = dtypes.float64


class HalfTensor(metaclass=_OfType):
    """A tensor of float16, made as by `Tensor`; tensors of float16 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.HalfTensor([1, 2])
    tensor([1., 2.], dtype=rbe.float16)
    """

    dtype = dtypes.float16


class BFloat16Tensor(metaclass=_OfType):
    """A tensor of bfloat16, made as by `Tensor`; tensors of bfloat16 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.BFloat16Tensor([1, 2])
    tensor([1., 2.], dtype=rbe.bfloat16)
    """

    dtype = dtypes.bfloat16


class LongTensor(metaclass=_OfType):
    """A tensor of int64, made as by `Tensor`; tensors of int64 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.LongTensor([1, 2])
    tensor([1, 2])
    """

    dtype = dtypes.int64


class IntTensor(metaclass=_OfType):
    """A tensor of int32, made as by `Tensor`; tensors of int32 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.IntTensor([1, 2])
    tensor([1, 2], dtype=rbe.int32)
    """

    dtype = dtypes.int32


class ShortTensor(metaclass=_OfType):
    """A tensor of int16, made as by `Tensor`; tensors of int16 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.ShortTensor([1, 2])
    tensor([1, 2], dtype=rbe.int16)
    """

    dtype = dtypes.int16


class CharTensor(metaclass=_OfType):
    """A tensor of int8, made as by `Tensor`; tensors of int8 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.CharTensor([1, 2])
    tensor([1, 2], dtype=rbe.int8)
    """

    dtype = dtypes.int8


class ByteTensor(metaclass=_OfType):
    """A tensor of uint8, made as by `Tensor`; tensors of uint8 count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.ByteTensor([1, 2])
    tensor([1, 2], dtype=rbe.uint8)
    """

    dtype = dtypes.uint8


class BoolTensor(metaclass=_OfType):
    """A tensor of bools, made as by `Tensor`; tensors of bools count as instances.

    Examples
    --------
    >>> import rbe
    >>> rbe.BoolTensor([1, 0])
    tensor([ True, False])
    """

    dtype = dtypes.bool
