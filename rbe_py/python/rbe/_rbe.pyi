"""Types of the compiled module."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

import numpy as np
from typing_extensions import Self, disjoint_base

from ._tensor import RBETensor as RBETensor
from .dtypes import DTypeLike, dtype
from .optim._rates import DenseRates, HybridRates

__all__ = [
    "_OPERATIONS",
    "GradientBase",
    "Hook",
    "Node",
    "TensorBase",
    "_ArrayHolder",
    "_Dense",
    "_Hybrid",
    "__version__",
    "_accumulate",
    "_arange_floats",
    "_arange_integers",
    "_as_tensor",
    "_backward",
    "_bridge_cotangent",
    "_bridge_dx",
    "_bridge_gradient",
    "_bridge_product",
    "_checkpoint",
    "_class_of_results",
    "_encode",
    "_exchange_kind",
    "_execute",
    "_eye",
    "_from_array",
    "_from_memory",
    "_fuse",
    "_fused_operations",
    "_grad",
    "_gradcheck",
    "_linspace",
    "_load",
    "_packed",
    "_packed_over",
    "_plain_axpy",
    "_plain_batched_gemm",
    "_plain_cross_entropy",
    "_plain_dot",
    "_plain_gemm",
    "_plain_gemv",
    "_plain_matrix_add",
    "_plain_softmax",
    "_plain_states",
    "_profile_start",
    "_profile_stop",
    "_promote_types",
    "_raise_error",
    "_random_cycles",
    "_random_packed",
    "_randperm",
    "_record",
    "_save",
    "_says_read_only",
    "_set_debug_mode",
    "_set_default_dtype",
    "_set_grad_enabled",
    "abs",
    "acos",
    "acosh",
    "adaptive_avg_pool",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "attention",
    "avg_pool",
    "batch_norm",
    "cached_self_attention",
    "ceil",
    "clip_grad_norm",
    "clip_grad_value",
    "concat",
    "conv",
    "conv_transpose",
    "copysign",
    "cos",
    "cosh",
    "cross_entropy",
    "cycle_linear",
    "cycle_linear_of",
    "digamma",
    "eq",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmod",
    "full",
    "ge",
    "get_num_threads",
    "get_packed_matmul_precision",
    "get_rng_state",
    "gt",
    "hypot",
    "is_grad_enabled",
    "is_recomputing",
    "isa",
    "isfinite",
    "isinf",
    "isnan",
    "layer_norm",
    "le",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "manual_seed",
    "matmul",
    "max_pool",
    "max_pool_with_indices",
    "maximum",
    "minimum",
    "mse_loss",
    "mul",
    "ne",
    "neg",
    "pool_clear",
    "pool_reset",
    "pool_stats",
    "rand",
    "randint",
    "randn",
    "rbe_activation",
    "reciprocal",
    "recurrent",
    "relu",
    "remainder",
    "replace_precision_of_thread",
    "rms_norm",
    "scale_grad",
    "self_attention",
    "set_isa",
    "set_num_threads",
    "set_packed_matmul_precision",
    "set_rng_state",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "squared_relu",
    "stack",
    "tan",
    "tanh",
    "tensor_from_list",
    "trunc",
    "two_level_linear",
    "unfold",
    "where",
    "xlogy",
]
__version__: str

_Class = TypeVar("_Class", bound=type)
_OPERATIONS: list[tuple[str, int, bool, str, list[tuple[str, float]]]]

_bool = bool
_float = float
_Pad = tuple[int, int]
_Axis = int | Sequence[int] | None

@final
class Node:
    def name(self) -> str: ...
    @property
    def next_functions(self) -> list[Node | None]: ...
    @property
    def _id(self) -> int: ...
    @property
    def _shapes(self) -> list[list[int]]: ...
    @property
    def _leaves(self) -> list[int]: ...

@final
class Hook:
    def remove(self) -> None: ...

@final
class _ArrayHolder:
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

@disjoint_base
class GradientBase:
    @property
    def nbytes(self) -> int: ...
    def _hi(self) -> RBETensor: ...
    def _lo(self) -> RBETensor: ...
    def _levels(self) -> RBETensor: ...
    def _interaction(self) -> RBETensor: ...

@disjoint_base
class TensorBase:
    requires_grad: _bool
    @property
    def grad(self) -> Any:
        """The gradient of a leaf after backward: a tensor of the same shape, an RBEGradient for a packed tensor, or None."""
    @grad.setter
    def grad(self, value: TensorBase | GradientBase | None) -> None: ...
    def __new__(cls, data: Any, requires_grad: _bool = False) -> Self: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes: a tuple."""
    @property
    def dtype(self) -> dtype:
        """Type of the elements."""
    @property
    def ndim(self) -> int:
        """Number of axes."""
    @property
    def nbytes(self) -> int:
        """Bytes of the values: 16 for every 64 weights of a packed tensor."""
    @property
    def is_packed(self) -> _bool:
        """Whether the values are packed, 64 weights in 16 bytes."""
    @property
    def is_leaf(self) -> _bool:
        """Whether the tensor is no result of a recorded operation."""
    @property
    def grad_fn(self) -> Node | None:
        """The recorded operation that made the tensor; None for a leaf."""
    @property
    def scale(self) -> _float:
        """The scale of a packed tensor: its levels are `scale * log_0(z)`.

        Raises
        ------
        DTypeError
            For a dense tensor.
        """
    @property
    def _hi(self) -> RBETensor: ...
    @property
    def _lo(self) -> RBETensor: ...
    @property
    def _version(self) -> int: ...
    def numel(self) -> int:
        """Return the number of elements."""
    def item(self) -> Any:
        """Return the only element as a number of Python.

        Raises
        ------
        ShapeError
            For more or fewer than one.
        """
    def retain_grad(self) -> None:
        """Make backward keep the gradient of a result, which it otherwise keeps of leaves only.

        Raises
        ------
        GraphError
            For a tensor that requires no grad.
        """
    def _own(self) -> None: ...
    def detach(self) -> RBETensor:
        """Return the same memory as a leaf that requires no grad."""
    def backward(
        self, gradient: Any = None, retain_graph: _bool | None = None, create_graph: _bool = False, inputs: Any = None
    ) -> None:
        """Compute the gradients of all leaves that the tensor was made from, and add them to their `grad`.

        Parameters
        ----------
        gradient : tensor, optional
            Gradient of the tensor, of its shape; 1 for a tensor of one element.
        retain_graph : bool
            Keep what backward reads, for another backward.
        create_graph : bool
            Must be False: gradients are not recorded.
        inputs : tensors, optional
            The leaves to compute gradients of, instead of all.

        Raises
        ------
        GraphError
            For a tensor that requires no grad, or whose graph was freed.
        ShapeError
            For a gradient of another shape, or none where the tensor has several elements.
        """
    def register_hook(self, hook: Callable[[Any], Any]) -> Hook:
        """Call `hook(grad)` whenever the gradient of the tensor is computed; what it returns replaces the gradient, unless None.

        Returns
        -------
        Hook
            Its `remove()` takes the hook away.

        Raises
        ------
        GraphError, DTypeError
            For a tensor that requires no grad, or a hook that is no function.
        """
    def stride(self) -> tuple[int, ...]:
        """Return the steps along every axis, in elements: a tuple."""
    def is_contiguous(self) -> _bool:
        """Return whether the elements lie in row-major order."""
    def _copy(self) -> RBETensor: ...
    def _memory(self) -> _ArrayHolder: ...
    def _array(self) -> np.ndarray[Any, Any]: ...
    def to_dense(self, dtype: DTypeLike = None) -> RBETensor:
        """Return the weights of a packed tensor as a dense one, float32 unless `dtype` says otherwise.

        Raises
        ------
        DTypeError
            For a dense tensor, or a dtype that is not a float.
        """
    def _copy_packed(self, other: RBETensor) -> None: ...
    def __hash__(self) -> int: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> _bool: ...
    def __float__(self) -> _float: ...
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def round(self, *, decimals: int = 0) -> RBETensor:
        """Return the nearest number of `decimals` decimal places, the even one of two; of integers only with 0.

        Raises
        ------
        DTypeError
            For integers and other than 0 decimals.

        Examples
        --------
        >>> import rbe
        >>> rbe.round(rbe.tensor([0.5, 1.5, 2.4]))
        tensor([0., 2., 2.])
        """
    def add(self, other: Any, *, alpha: Any = None) -> RBETensor:
        """Return `self + alpha * other`, `alpha` being 1 unless given; integers and bools keep their kind.

        Examples
        --------
        >>> import rbe
        >>> rbe.add(rbe.tensor([1.0, 2.0]), 3)
        tensor([4., 5.])
        """
    def sub(self, other: Any, *, alpha: Any = None) -> RBETensor:
        """Return `self - alpha * other`, `alpha` being 1 unless given.

        Examples
        --------
        >>> import rbe
        >>> rbe.sub(rbe.tensor([1.0, 2.0]), 3)
        tensor([-2., -1.])
        """
    def div(self, other: Any, *, rounding_mode: str | None = None) -> RBETensor:
        """Return `self / other`, rounded down with `rounding_mode="floor"`, towards 0 with `"trunc"`.

        Integers become floats, unless the quotient is rounded.

        Raises
        ------
        TensorError
            For another rounding mode, or an integer divisor of 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.div(rbe.tensor([1.0, 2.0]), 4)
        tensor([0.25, 0.5 ])
        """
    def sum(
        self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False, dtype: DTypeLike = None
    ) -> RBETensor:
        """Return the sum over an axis, several or all: integers and bools add up to int64.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        dtype : dtype, optional
            Converted to before.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([4., 6.])
        """
    def mean(
        self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False, dtype: DTypeLike = None
    ) -> RBETensor:
        """Return the mean over an axis, several or all; integers become floats.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        dtype : dtype, optional
            Converted to before.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.
        DTypeError
            For a dtype that is not float32 or float64.

        Examples
        --------
        >>> import rbe
        >>> rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([2., 3.])
        """
    def prod(
        self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False, dtype: DTypeLike = None
    ) -> RBETensor:
        """Return the product over an axis, several or all.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        dtype : dtype, optional
            Converted to before.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor(24.)
        """
    def logsumexp(
        self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False, dtype: DTypeLike = None
    ) -> RBETensor:
        """Return `ln Σ e^x` over an axis, several or all, without overflow.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        dtype : dtype, optional
            Converted to before.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.logsumexp(rbe.zeros(2, 4), dim=1)
        tensor([1.3863, 1.3863])
        """
    def amax(self, dim: _Axis = None, keepdim: _bool = False, *, axis: _Axis = None, keepdims: _bool = False) -> RBETensor:
        """Return the largest elements over an axis, several or all; equal ones share the gradient.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
        tensor([2., 4.])
        """
    def amin(self, dim: _Axis = None, keepdim: _bool = False, *, axis: _Axis = None, keepdims: _bool = False) -> RBETensor:
        """Return the smallest elements over an axis, several or all; equal ones share the gradient.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
        tensor([1., 3.])
        """
    def any(self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False) -> RBETensor:
        """Return whether any element is other than 0, over an axis, several or all: bool.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.any(rbe.tensor([False, True]))
        tensor(True)
        """
    def all(self, axis: _Axis = None, keepdims: _bool = False, *, dim: _Axis = None, keepdim: _bool = False) -> RBETensor:
        """Return whether all elements are other than 0, over an axis, several or all: bool.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.

        Raises
        ------
        OutOfRangeError, ShapeError
            For an axis that is not there, or named twice.

        Examples
        --------
        >>> import rbe
        >>> rbe.all(rbe.tensor([False, True]))
        tensor(False)
        """
    def __add__(self, other: Any, /) -> RBETensor: ...
    def __radd__(self, other: Any, /) -> RBETensor: ...
    def __sub__(self, other: Any, /) -> RBETensor: ...
    def __rsub__(self, other: Any, /) -> RBETensor: ...
    def __mul__(self, other: Any, /) -> RBETensor: ...
    def __rmul__(self, other: Any, /) -> RBETensor: ...
    def __truediv__(self, other: Any, /) -> RBETensor: ...
    def __rtruediv__(self, other: Any, /) -> RBETensor: ...
    def __floordiv__(self, other: Any, /) -> RBETensor: ...
    def __rfloordiv__(self, other: Any, /) -> RBETensor: ...
    def __mod__(self, other: Any, /) -> RBETensor: ...
    def __rmod__(self, other: Any, /) -> RBETensor: ...
    def __matmul__(self, other: Any, /) -> RBETensor: ...
    def __rmatmul__(self, other: Any, /) -> RBETensor: ...
    def __and__(self, other: Any, /) -> RBETensor: ...
    def __rand__(self, other: Any, /) -> RBETensor: ...
    def __or__(self, other: Any, /) -> RBETensor: ...
    def __ror__(self, other: Any, /) -> RBETensor: ...
    def __xor__(self, other: Any, /) -> RBETensor: ...
    def __rxor__(self, other: Any, /) -> RBETensor: ...
    def __lt__(self, other: Any, /) -> RBETensor: ...
    def __le__(self, other: Any, /) -> RBETensor: ...
    def __gt__(self, other: Any, /) -> RBETensor: ...
    def __ge__(self, other: Any, /) -> RBETensor: ...
    def __eq__(self, other: Any, /) -> RBETensor: ...  # type: ignore[override]
    def __ne__(self, other: Any, /) -> RBETensor: ...  # type: ignore[override]
    def __pow__(self, other: Any, modulo: Any = None, /) -> RBETensor: ...
    def __rpow__(self, other: Any, modulo: Any = None, /) -> RBETensor: ...
    def __neg__(self) -> RBETensor: ...
    def __pos__(self) -> RBETensor: ...
    def __abs__(self) -> RBETensor: ...
    def __invert__(self) -> RBETensor: ...
    def __getitem__(self, index: Any, /) -> RBETensor: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def pow(self, exponent: Any) -> RBETensor:
        """Return `self ** exponent`; integers stay integers. Quicker for a number than for a tensor.

        Examples
        --------
        >>> import rbe
        >>> rbe.pow(rbe.tensor([2.0, 3.0]), 2)
        tensor([4., 9.])
        """
    def gelu(self, approximate: str = "none") -> RBETensor:
        """Return `x · Φ(x)` with the normal distribution function Φ, or its tanh approximation with `approximate="tanh"`.

        Raises
        ------
        TensorError
            For another approximation.
        """
    def clamp(self, min: Any = None, max: Any = None) -> RBETensor:
        """Return the elements held between `min` and `max`, numbers or tensors, either of which may be left out.

        Integers bounded by integers stay integers; where the lower bound is above the upper, the upper one counts.

        Raises
        ------
        TensorError
            Without a bound.

        Examples
        --------
        >>> import rbe
        >>> rbe.clamp(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)
        tensor([-1.,  0.])
        """
    def var(
        self,
        axis: _Axis | _bool = None,
        correction: _float | None = None,
        keepdims: _bool = False,
        *,
        unbiased: _bool | None = None,
        dim: _Axis = None,
        keepdim: _bool = False,
    ) -> RBETensor:
        """Return the variance over an axis, several or all.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        correction : float, optional
            Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
        unbiased : bool, optional
            Another way to say a correction of 1 or 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([2., 2.])
        """
    def std(
        self,
        axis: _Axis | _bool = None,
        correction: _float | None = None,
        keepdims: _bool = False,
        *,
        unbiased: _bool | None = None,
        dim: _Axis = None,
        keepdim: _bool = False,
    ) -> RBETensor:
        """Return the standard deviation over an axis, several or all.

        Parameters
        ----------
        axis, dim : int or sequence of int, optional
            Axes to reduce, by either name; all without them.
        keepdims, keepdim : bool
            Leave reduced axes in the result with length 1.
        correction : float, optional
            Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
        unbiased : bool, optional
            Another way to say a correction of 1 or 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([1.4142, 1.4142])
        """
    def argmax(
        self, axis: int | None = None, keepdims: _bool = False, *, dim: int | None = None, keepdim: _bool = False
    ) -> RBETensor:
        """Return where the largest element along an axis is, the first of equals: int64.

        Parameters
        ----------
        axis, dim : int, optional
            The axis, by either name; without it the place among all elements in row-major order.
        keepdims, keepdim : bool
            Leave the axis in the result with length 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.argmax(rbe.tensor([1, 5, 3]))
        tensor(1)
        """
    def argmin(
        self, axis: int | None = None, keepdims: _bool = False, *, dim: int | None = None, keepdim: _bool = False
    ) -> RBETensor:
        """Return where the smallest element along an axis is, the first of equals: int64.

        Parameters
        ----------
        axis, dim : int, optional
            The axis, by either name; without it the place among all elements in row-major order.
        keepdims, keepdim : bool
            Leave the axis in the result with length 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.argmin(rbe.tensor([1, 5, 3]))
        tensor(0)
        """
    def softmax(self, axis: int | None = None, dtype: DTypeLike = None, *, dim: int | None = None) -> RBETensor:
        """Return `e^x / Σ e^x` along an axis.

        Parameters
        ----------
        axis, dim : int
            The axis, by either name; the last unless given.
        dtype : dtype, optional
            Converted to before.

        Examples
        --------
        >>> import rbe
        >>> rbe.softmax(rbe.tensor([0.0, 0.0, 0.0, 0.0]))
        tensor([0.25, 0.25, 0.25, 0.25])
        """
    def log_softmax(self, axis: int | None = None, dtype: DTypeLike = None, *, dim: int | None = None) -> RBETensor:
        """Return `x - ln Σ e^x` along an axis.

        Parameters
        ----------
        axis, dim : int
            The axis, by either name; the last unless given.
        dtype : dtype, optional
            Converted to before.

        Examples
        --------
        >>> import rbe
        >>> rbe.log_softmax(rbe.tensor([0.0, 0.0]))
        tensor([-0.6931, -0.6931])
        """
    def dropout(self, p: _float = 0.5, training: _bool = True) -> RBETensor:
        """Return the elements, each with probability `p` replaced by 0 and else divided by `1 - p`; unchanged unless `training`.

        Raises
        ------
        TensorError
            For a probability outside [0, 1].
        """
    def reshape(self, *shape: Any) -> RBETensor:
        """Return the elements in another shape, given as numbers or a sequence: a view where the layout allows.

        -1 stands for what is left.

        Raises
        ------
        ShapeError
            For a shape of another number of elements.

        Examples
        --------
        >>> import rbe
        >>> rbe.reshape(rbe.arange(4), 2, 2)
        tensor([[0, 1],
                [2, 3]])
        """
    def permute(self, *axes: Any, dims: Sequence[int] | None = None) -> RBETensor:
        """Return the axes in another order, given as numbers or a sequence: a view.

        Raises
        ------
        ShapeError, OutOfRangeError
            If not every axis is named once.

        Examples
        --------
        >>> import rbe
        >>> rbe.permute(rbe.arange(6).reshape(2, 3), 1, 0).shape
        (3, 2)
        """
    def transpose(self, dim0: int, dim1: int) -> RBETensor:
        """Return the tensor with two axes exchanged: a view.

        Raises
        ------
        OutOfRangeError
            For an axis that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.transpose(rbe.arange(6).reshape(2, 3), 0, 1).shape
        (3, 2)
        """
    def broadcast_to(self, *shape: Any, size: Sequence[int] | None = None) -> RBETensor:
        """Return a view repeated along axes of length 1 and new leading axes; -1 keeps an axis.

        Raises
        ------
        ShapeError
            For a shape that the tensor does not broadcast to.

        Examples
        --------
        >>> import rbe
        >>> rbe.broadcast_to(rbe.tensor([1, 2]), (2, 2)).tolist()
        [[1, 2], [1, 2]]
        """
    def unsqueeze(self, dim: int) -> RBETensor:
        """Return the tensor with a new axis of length 1 before `dim`: a view.

        Raises
        ------
        OutOfRangeError
            For a place that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.unsqueeze(rbe.zeros(3), 0).shape
        (1, 3)
        """
    def squeeze(self, dim: _Axis = None) -> RBETensor:
        """Return the tensor without its axes of length 1, or without those named if they have length 1: a view.

        Raises
        ------
        OutOfRangeError
            For an axis that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.squeeze(rbe.zeros(1, 3)).shape
        (3,)
        """
    def narrow(self, dim: int, start: int, length: int) -> RBETensor:
        """Return `length` positions of an axis from `start`, which counts from the end if negative: a view.

        Raises
        ------
        OutOfRangeError
            For positions outside the axis.

        Examples
        --------
        >>> import rbe
        >>> rbe.narrow(rbe.arange(5), 0, 1, 3)
        tensor([1, 2, 3])
        """
    def _split(self, lengths: Sequence[int], axis: int) -> list[RBETensor]: ...
    def _cast(self, dtype: DTypeLike) -> RBETensor: ...
    def _reinterpret(self, dtype: DTypeLike) -> RBETensor: ...
    def argsort(self, dim: int = -1, descending: _bool = False, stable: _bool = False) -> RBETensor:
        """Return where the elements in order along an axis are, equal ones in their order: int64.

        Examples
        --------
        >>> import rbe
        >>> rbe.argsort(rbe.tensor([3, 1, 2]))
        tensor([1, 2, 0])
        """
    def _sort(self, dim: int, descending: _bool) -> tuple[RBETensor, RBETensor]: ...
    def _topk(self, k: int, dim: int, largest: _bool) -> tuple[RBETensor, RBETensor]: ...
    def cumsum(self, dim: int, *, dtype: DTypeLike = None) -> RBETensor:
        """Return the sums up to and including each element along an axis.

        Raises
        ------
        OutOfRangeError
            For an axis that is not there.

        Examples
        --------
        >>> import rbe
        >>> rbe.cumsum(rbe.tensor([1, 2, 3]), 0)
        tensor([1, 3, 6])
        """
    def _norm(self, p: _float, dim: _Axis = None, keepdim: _bool = False) -> RBETensor: ...
    def flip(self, *axes: Any, dims: _Axis = None) -> RBETensor:
        """Return the elements in reverse along axes, given as numbers or a sequence.

        Examples
        --------
        >>> import rbe
        >>> rbe.flip(rbe.tensor([1, 2, 3]), 0)
        tensor([3, 2, 1])
        """
    def repeat(self, *sizes: Any, repeats: _Axis = None) -> RBETensor:
        """Return the tensor repeated so many times along each axis; more counts than axes make leading ones.

        Raises
        ------
        ShapeError
            For fewer counts than axes, or one below 0.
        """
    def tril(self, diagonal: int = 0) -> RBETensor:
        """Return the elements on and below a diagonal of the last two axes, 0 elsewhere.

        `diagonal` counts upwards from the main one.

        Examples
        --------
        >>> import rbe
        >>> rbe.tril(rbe.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
        """
    def triu(self, diagonal: int = 0) -> RBETensor:
        """Return the elements on and above a diagonal of the last two axes, 0 elsewhere.

        `diagonal` counts upwards from the main one.

        Examples
        --------
        >>> import rbe
        >>> rbe.triu(rbe.ones(2, 2))
        tensor([[1., 1.],
                [0., 1.]])
        """
    def _nonzero(self) -> RBETensor: ...
    def scatter_add(self, dim: int, index: RBETensor, src: RBETensor) -> RBETensor:
        """Return the tensor with the elements of `src` added at the places along an axis that an int64 index names.

        Raises
        ------
        ShapeError, OutOfRangeError, DTypeError
            For an index that does not fit, names a place that is not there, or is not int64.

        Examples
        --------
        >>> import rbe
        >>> rbe.scatter_add(rbe.zeros(3), 0, rbe.tensor([2, 2]), rbe.ones(2))
        tensor([0., 0., 2.])
        """
    def index_select(self, dim: int, index: RBETensor) -> RBETensor:
        """Return the slices along an axis that an int64 index (n,) names.

        Raises
        ------
        OutOfRangeError, DTypeError
            For a place that is not there, or an index that is not int64.

        Examples
        --------
        >>> import rbe
        >>> rbe.index_select(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([2, 0])).tolist()
        [[2, 0], [5, 3]]
        """
    def gather(self, dim: int, index: RBETensor) -> RBETensor:
        """Return the elements along an axis that an int64 index of as many axes names.

        Raises
        ------
        ShapeError, OutOfRangeError, DTypeError
            For an index that does not fit, names a place that is not there, or is not int64.

        Examples
        --------
        >>> import rbe
        >>> rbe.gather(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([[2], [0]])).tolist()
        [[2], [3]]
        """
    def embedding(self, index: RBETensor, padding_idx: int | None = None) -> RBETensor:
        """Return the rows (…, width) of a table (rows, width), dense or packed, that an int64 index (…) names.

        The row `padding_idx` gets no gradient.

        Raises
        ------
        OutOfRangeError, DTypeError
            For a row that is not there, or an index that is not int64.
        """
    def linear(self, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor:
        """Return `x Wᵀ + b` of x (…, in), a weight (out, in), dense or packed, and a bias (out): (…, out).

        Raises
        ------
        ShapeError, DTypeError
            For shapes or types that do not fit.
        """
    def packed_linear(self, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor:
        """Return `x Wᵀ + b` of x (…, in), a packed weight (out, in) and a bias (out): (…, out), float32.

        Raises
        ------
        ShapeError, DTypeError
            For shapes that do not fit, or a dense weight.
        """
    def packed_matmul(self, w: RBETensor) -> RBETensor:
        """Return `x Wᵀ` of x (…, in) and a packed weight (out, in): (…, out), float32. x may be packed, too; both receive gradients."""
    def packed_activation(self, w: RBETensor) -> RBETensor:
        """Return `d · g(ω x + θ)` of x (…, features), the function of every feature read from a packed tensor of cycle states."""
    def _before_change(self, op: str, kept: _bool) -> RBETensor: ...
    def _take_over(self, op: str, result: RBETensor) -> None: ...
    def _assign(self, value: Any) -> None: ...
    def tolist(self) -> Any:
        """Return the elements as nested lists."""
    def view(self, *shape: Any) -> RBETensor:
        """Return the same memory in another shape, given as numbers or a sequence. -1 stands for what is left.

        Raises
        ------
        ShapeError
            For a shape that needs a copy (use reshape), or of another number of elements.
        """
    def _extreme(self, dim: Any, keepdim: _bool, axis: Any, other: Any, largest: _bool) -> Any: ...
    def pow_(self, exponent: Any) -> RBETensor:
        """In-place form of `pow`: return the tensor, changed."""
    def __iadd__(self, other: Any, /) -> Self: ...
    def __isub__(self, other: Any, /) -> Self: ...
    def __imul__(self, other: Any, /) -> Self: ...
    def __itruediv__(self, other: Any, /) -> Self: ...
    def __ifloordiv__(self, other: Any, /) -> Self: ...
    def __imod__(self, other: Any, /) -> Self: ...
    def __ipow__(self, other: Any, /) -> Self: ...  # type: ignore[misc]
    def __iand__(self, other: Any, /) -> Self: ...
    def __ior__(self, other: Any, /) -> Self: ...
    def __ixor__(self, other: Any, /) -> Self: ...
    # Declared in the core: element-wise operations.
    def abs(self) -> RBETensor:
        """Return `|x|`; the gradient at 0 is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.abs(rbe.tensor([-1.5, 0.5]))
        tensor([1.5, 0.5])
        """
    def abs_(self) -> RBETensor:
        """In-place form of `abs`: return the tensor, changed."""
    def acos(self) -> RBETensor:
        """Return the angle in radians between 0 and π whose cosine is `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.acos(rbe.tensor([0.0, 1.0]))
        tensor([1.5708, 0.    ])
        """
    def acos_(self) -> RBETensor:
        """In-place form of `acos`: return the tensor, changed."""
    def acosh(self) -> RBETensor:
        """Return the number, at least 0, whose hyperbolic cosine is `x`; NaN below 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.acosh(rbe.tensor([1.0, 2.0]))
        tensor([0.   , 1.317])
        """
    def acosh_(self) -> RBETensor:
        """In-place form of `acosh`: return the tensor, changed."""
    def asin(self) -> RBETensor:
        """Return the angle in radians between -π/2 and π/2 whose sine is `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.asin(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 1.5708])
        """
    def asin_(self) -> RBETensor:
        """In-place form of `asin`: return the tensor, changed."""
    def asinh(self) -> RBETensor:
        """Return the number whose hyperbolic sine is `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.asinh(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.8814])
        """
    def asinh_(self) -> RBETensor:
        """In-place form of `asinh`: return the tensor, changed."""
    def atan(self) -> RBETensor:
        """Return the angle in radians between -π/2 and π/2 whose tangent is `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.atan(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.7854])
        """
    def atan_(self) -> RBETensor:
        """In-place form of `atan`: return the tensor, changed."""
    def atan2(self, other: Any) -> RBETensor:
        """Return the angle of the point (`b`, `a`) in radians, between -π and π; the gradient at (0, 0) is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.atan2(rbe.tensor([0.0, 1.0]), rbe.tensor([-1.0, 1.0]))
        tensor([3.1416, 0.7854])
        """
    def atan2_(self, other: Any) -> RBETensor:
        """In-place form of `atan2`: return the tensor, changed."""
    def atanh(self) -> RBETensor:
        """Return the number whose hyperbolic tangent is `x`; NaN beyond ±1.

        Examples
        --------
        >>> import rbe
        >>> rbe.atanh(rbe.tensor([0.0, 0.5]))
        tensor([0.    , 0.5493])
        """
    def atanh_(self) -> RBETensor:
        """In-place form of `atanh`: return the tensor, changed."""
    def ceil(self) -> RBETensor:
        """Return the smallest integer not below `x`; its gradient is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.ceil(rbe.tensor([-1.5, 0.5]))
        tensor([-1.,  1.])
        """
    def ceil_(self) -> RBETensor:
        """In-place form of `ceil`: return the tensor, changed."""
    def copysign(self, other: Any) -> RBETensor:
        """Return the magnitude of `a` with the sign of `b`, which has no gradient.

        Examples
        --------
        >>> import rbe
        >>> rbe.copysign(rbe.tensor([1.0, 2.0]), -0.0)
        tensor([-1., -2.])
        """
    def copysign_(self, other: Any) -> RBETensor:
        """In-place form of `copysign`: return the tensor, changed."""
    def cos(self) -> RBETensor:
        """Return the cosine of `x` radians.

        Examples
        --------
        >>> import rbe
        >>> rbe.cos(rbe.tensor([0.0, 1.0]))
        tensor([1.    , 0.5403])
        """
    def cos_(self) -> RBETensor:
        """In-place form of `cos`: return the tensor, changed."""
    def cosh(self) -> RBETensor:
        """Return the hyperbolic cosine.

        Examples
        --------
        >>> import rbe
        >>> rbe.cosh(rbe.tensor([0.0, 1.0]))
        tensor([1.    , 1.5431])
        """
    def cosh_(self) -> RBETensor:
        """In-place form of `cosh`: return the tensor, changed."""
    def digamma(self) -> RBETensor:
        """Return the derivative of `ln |Γ(x)|`.

        Examples
        --------
        >>> import rbe
        >>> rbe.digamma(rbe.tensor([1.0, 4.0]))
        tensor([-0.5772,  1.2561])
        """
    def digamma_(self) -> RBETensor:
        """In-place form of `digamma`: return the tensor, changed."""
    def elu(self, alpha: _float = 1.0) -> RBETensor:
        """Return `x` above 0, `alpha (e^x - 1)` below; the gradient at 0 is `alpha`, at NaN 1."""
    def eq(self, other: Any) -> RBETensor:
        """Return whether `a == b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.eq(rbe.tensor([1, 2, 3]), 2)
        tensor([False,  True, False])
        """
    def eq_(self, other: Any) -> RBETensor:
        """In-place form of `eq`: return the tensor, changed."""
    def erf(self) -> RBETensor:
        """Return the error function, `2/√π ∫ e^(-t²) dt` from 0 to `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.erf(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.8427])
        """
    def erf_(self) -> RBETensor:
        """In-place form of `erf`: return the tensor, changed."""
    def erfc(self) -> RBETensor:
        """Return `1 - erf(x)`, accurate for large `x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.erfc(rbe.tensor([0.0, 1.0]))
        tensor([1.    , 0.1573])
        """
    def erfc_(self) -> RBETensor:
        """In-place form of `erfc`: return the tensor, changed."""
    def erfinv(self) -> RBETensor:
        """Return the number whose error function is `x`; NaN beyond ±1.

        Examples
        --------
        >>> import rbe
        >>> rbe.erfinv(rbe.tensor([0.0, 0.5]))
        tensor([0.    , 0.4769])
        """
    def erfinv_(self) -> RBETensor:
        """In-place form of `erfinv`: return the tensor, changed."""
    def exp(self) -> RBETensor:
        """Return `e^x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.exp(rbe.tensor([0.0, 1.0]))
        tensor([1.    , 2.7183])
        """
    def exp_(self) -> RBETensor:
        """In-place form of `exp`: return the tensor, changed."""
    def exp2(self) -> RBETensor:
        """Return `2^x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.exp2(rbe.tensor([0.0, 3.0]))
        tensor([1., 8.])
        """
    def exp2_(self) -> RBETensor:
        """In-place form of `exp2`: return the tensor, changed."""
    def expm1(self) -> RBETensor:
        """Return `e^x - 1`, accurate near 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.expm1(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 1.7183])
        """
    def expm1_(self) -> RBETensor:
        """In-place form of `expm1`: return the tensor, changed."""
    def floor(self) -> RBETensor:
        """Return the largest integer not above `x`; its gradient is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.floor(rbe.tensor([-1.5, 0.5]))
        tensor([-2.,  0.])
        """
    def floor_(self) -> RBETensor:
        """In-place form of `floor`: return the tensor, changed."""
    def floor_divide(self, other: Any) -> RBETensor:
        """Return `floor(a / b)` of the true quotient, as Python's `//`; its gradient is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.floor_divide(rbe.tensor([7, -7]), 2)
        tensor([ 3, -4])
        """
    def floor_divide_(self, other: Any) -> RBETensor:
        """In-place form of `floor_divide`: return the tensor, changed."""
    def fmod(self, other: Any) -> RBETensor:
        """Return the exact remainder of `a / b`, of the sign of `a`, as C's `fmod`; gradients hold the quotient fixed.

        Examples
        --------
        >>> import rbe
        >>> rbe.fmod(rbe.tensor([7, -7]), 3)
        tensor([ 1, -1])
        """
    def fmod_(self, other: Any) -> RBETensor:
        """In-place form of `fmod`: return the tensor, changed."""
    def ge(self, other: Any) -> RBETensor:
        """Return whether `a >= b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.ge(rbe.tensor([1, 2, 3]), 2)
        tensor([False,  True,  True])
        """
    def ge_(self, other: Any) -> RBETensor:
        """In-place form of `ge`: return the tensor, changed."""
    def gt(self, other: Any) -> RBETensor:
        """Return whether `a > b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.gt(rbe.tensor([1, 2, 3]), 2)
        tensor([False, False,  True])
        """
    def gt_(self, other: Any) -> RBETensor:
        """In-place form of `gt`: return the tensor, changed."""
    def hypot(self, other: Any) -> RBETensor:
        """Return `sqrt(a² + b²)`, without overflow.

        Examples
        --------
        >>> import rbe
        >>> rbe.hypot(rbe.tensor([3.0]), 4.0)
        tensor([5.])
        """
    def hypot_(self, other: Any) -> RBETensor:
        """In-place form of `hypot`: return the tensor, changed."""
    def isfinite(self) -> RBETensor:
        """Return whether each element is neither NaN nor infinite.

        Examples
        --------
        >>> import rbe
        >>> rbe.isfinite(rbe.tensor([1.0, float("nan")]))
        tensor([ True, False])
        """
    def isinf(self) -> RBETensor:
        """Return whether each element is infinite.

        Examples
        --------
        >>> import rbe
        >>> rbe.isinf(rbe.tensor([1.0, float("inf")]))
        tensor([False,  True])
        """
    def isnan(self) -> RBETensor:
        """Return whether each element is NaN.

        Examples
        --------
        >>> import rbe
        >>> rbe.isnan(rbe.tensor([1.0, float("nan")]))
        tensor([False,  True])
        """
    def le(self, other: Any) -> RBETensor:
        """Return whether `a <= b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.le(rbe.tensor([1, 2, 3]), 2)
        tensor([ True,  True, False])
        """
    def le_(self, other: Any) -> RBETensor:
        """In-place form of `le`: return the tensor, changed."""
    def leaky_relu(self, negative_slope: _float = 0.01) -> RBETensor:
        """Return `x` above 0, `negative_slope · x` below."""
    def lgamma(self) -> RBETensor:
        """Return `ln |Γ(x)|`.

        Examples
        --------
        >>> import rbe
        >>> rbe.lgamma(rbe.tensor([1.0, 4.0]))
        tensor([0.    , 1.7918])
        """
    def lgamma_(self) -> RBETensor:
        """In-place form of `lgamma`: return the tensor, changed."""
    def log(self) -> RBETensor:
        """Return the natural logarithm.

        Examples
        --------
        >>> import rbe
        >>> rbe.log(rbe.tensor([1.0, 10.0]))
        tensor([0.    , 2.3026])
        """
    def log_(self) -> RBETensor:
        """In-place form of `log`: return the tensor, changed."""
    def log10(self) -> RBETensor:
        """Return the logarithm to base 10, exact for powers of it.

        Examples
        --------
        >>> import rbe
        >>> rbe.log10(rbe.tensor([1.0, 1000.0]))
        tensor([0., 3.])
        """
    def log10_(self) -> RBETensor:
        """In-place form of `log10`: return the tensor, changed."""
    def log1p(self) -> RBETensor:
        """Return `ln(1 + x)`, accurate near 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.log1p(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.6931])
        """
    def log1p_(self) -> RBETensor:
        """In-place form of `log1p`: return the tensor, changed."""
    def log2(self) -> RBETensor:
        """Return the logarithm to base 2, exact for powers of it.

        Examples
        --------
        >>> import rbe
        >>> rbe.log2(rbe.tensor([1.0, 8.0]))
        tensor([0., 3.])
        """
    def log2_(self) -> RBETensor:
        """In-place form of `log2`: return the tensor, changed."""
    def logaddexp(self, other: Any) -> RBETensor:
        """Return `ln(e^a + e^b)`, without overflow.

        Examples
        --------
        >>> import rbe
        >>> rbe.logaddexp(rbe.tensor([0.0]), 0.0)
        tensor([0.6931])
        """
    def logaddexp2(self, other: Any) -> RBETensor:
        """Return `log2(2^a + 2^b)`, without overflow.

        Examples
        --------
        >>> import rbe
        >>> rbe.logaddexp2(rbe.tensor([0.0]), 0.0)
        tensor([1.])
        """
    def logical_and(self, other: Any) -> RBETensor:
        """Return whether both are true, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.logical_and(rbe.tensor([True, True]), rbe.tensor([True, False]))
        tensor([ True, False])
        """
    def logical_and_(self, other: Any) -> RBETensor:
        """In-place form of `logical_and`: return the tensor, changed."""
    def logical_not(self) -> RBETensor:
        """Return whether each element is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.logical_not(rbe.tensor([0, 3]))
        tensor([ True, False])
        """
    def logical_not_(self) -> RBETensor:
        """In-place form of `logical_not`: return the tensor, changed."""
    def logical_or(self, other: Any) -> RBETensor:
        """Return whether one or both are true, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.logical_or(rbe.tensor([True, True]), rbe.tensor([True, False]))
        tensor([ True,  True])
        """
    def logical_or_(self, other: Any) -> RBETensor:
        """In-place form of `logical_or`: return the tensor, changed."""
    def logical_xor(self, other: Any) -> RBETensor:
        """Return whether exactly one is true, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.logical_xor(rbe.tensor([True, True]), rbe.tensor([True, False]))
        tensor([False,  True])
        """
    def logical_xor_(self, other: Any) -> RBETensor:
        """In-place form of `logical_xor`: return the tensor, changed."""
    def lt(self, other: Any) -> RBETensor:
        """Return whether `a < b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.lt(rbe.tensor([1, 2, 3]), 2)
        tensor([ True, False, False])
        """
    def lt_(self, other: Any) -> RBETensor:
        """In-place form of `lt`: return the tensor, changed."""
    def matmul(self, other: Any) -> RBETensor:
        """Return the matrix product of `a` and `b`.

        Examples
        --------
        >>> import rbe
        >>> rbe.matmul(rbe.eye(2), rbe.tensor([3.0, 4.0]))
        tensor([3., 4.])
        """
    def maximum(self, other: Any) -> RBETensor:
        """Return the larger of `a` and `b`; equal operands share the gradient.

        Examples
        --------
        >>> import rbe
        >>> rbe.maximum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))
        tensor([3, 5])
        """
    def minimum(self, other: Any) -> RBETensor:
        """Return the smaller of `a` and `b`; equal operands share the gradient.

        Examples
        --------
        >>> import rbe
        >>> rbe.minimum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))
        tensor([1, 4])
        """
    def mul(self, other: Any) -> RBETensor:
        """Return `a * b`.

        Examples
        --------
        >>> import rbe
        >>> rbe.mul(rbe.tensor([1.0, 2.0]), 3)
        tensor([3., 6.])
        """
    def mul_(self, other: Any) -> RBETensor:
        """In-place form of `mul`: return the tensor, changed."""
    def ne(self, other: Any) -> RBETensor:
        """Return whether `a != b`, element by element.

        Examples
        --------
        >>> import rbe
        >>> rbe.ne(rbe.tensor([1, 2, 3]), 2)
        tensor([ True, False,  True])
        """
    def ne_(self, other: Any) -> RBETensor:
        """In-place form of `ne`: return the tensor, changed."""
    def neg(self) -> RBETensor:
        """Return `-x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.neg(rbe.tensor([-1.5, 0.5]))
        tensor([ 1.5, -0.5])
        """
    def neg_(self) -> RBETensor:
        """In-place form of `neg`: return the tensor, changed."""
    def reciprocal(self) -> RBETensor:
        """Return `1 / x`.

        Examples
        --------
        >>> import rbe
        >>> rbe.reciprocal(rbe.tensor([2.0, 4.0]))
        tensor([0.5 , 0.25])
        """
    def reciprocal_(self) -> RBETensor:
        """In-place form of `reciprocal`: return the tensor, changed."""
    def relu(self) -> RBETensor:
        """Return `max(x, 0)`; the gradient at 0 is 0, at NaN 1.

        Examples
        --------
        >>> import rbe
        >>> rbe.relu(rbe.tensor([-1.5, 0.5]))
        tensor([0. , 0.5])
        """
    def relu_(self) -> RBETensor:
        """In-place form of `relu`: return the tensor, changed."""
    def remainder(self, other: Any) -> RBETensor:
        """Return the exact remainder of `a / b`, of the sign of `b`, as Python's `%`; gradients hold the quotient fixed.

        Examples
        --------
        >>> import rbe
        >>> rbe.remainder(rbe.tensor([7, -7]), 3)
        tensor([1, 2])
        """
    def remainder_(self, other: Any) -> RBETensor:
        """In-place form of `remainder`: return the tensor, changed."""
    def sigmoid(self) -> RBETensor:
        """Return `1 / (1 + e^-x)`.

        Examples
        --------
        >>> import rbe
        >>> rbe.sigmoid(rbe.tensor([0.0, 1.0]))
        tensor([0.5   , 0.7311])
        """
    def sigmoid_(self) -> RBETensor:
        """In-place form of `sigmoid`: return the tensor, changed."""
    def sign(self) -> RBETensor:
        """Return -1, 0 or 1; its gradient is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.sign(rbe.tensor([-1.5, 0.5]))
        tensor([-1.,  1.])
        """
    def sign_(self) -> RBETensor:
        """In-place form of `sign`: return the tensor, changed."""
    def silu(self) -> RBETensor:
        """Return `x · sigmoid(x)`."""
    def sin(self) -> RBETensor:
        """Return the sine of `x` radians.

        Examples
        --------
        >>> import rbe
        >>> rbe.sin(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.8415])
        """
    def sin_(self) -> RBETensor:
        """In-place form of `sin`: return the tensor, changed."""
    def sinh(self) -> RBETensor:
        """Return the hyperbolic sine.

        Examples
        --------
        >>> import rbe
        >>> rbe.sinh(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 1.1752])
        """
    def sinh_(self) -> RBETensor:
        """In-place form of `sinh`: return the tensor, changed."""
    def softplus(self, beta: _float = 1.0) -> RBETensor:
        """Return `ln(1 + e^(βx)) / β`, linear where `βx > 20`."""
    def sqrt(self) -> RBETensor:
        """Return the square root.

        Examples
        --------
        >>> import rbe
        >>> rbe.sqrt(rbe.tensor([4.0, 9.0]))
        tensor([2., 3.])
        """
    def sqrt_(self) -> RBETensor:
        """In-place form of `sqrt`: return the tensor, changed."""
    def square(self) -> RBETensor:
        """Return `x²`.

        Examples
        --------
        >>> import rbe
        >>> rbe.square(rbe.tensor([-1.5, 0.5]))
        tensor([2.25, 0.25])
        """
    def square_(self) -> RBETensor:
        """In-place form of `square`: return the tensor, changed."""
    def squared_relu(self) -> RBETensor:
        """Return the square of `max(x, 0)`; the gradient at 0 is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.squared_relu(rbe.tensor([-1.5, 0.5]))
        tensor([0.  , 0.25])
        """
    def tan(self) -> RBETensor:
        """Return the tangent of `x` radians.

        Examples
        --------
        >>> import rbe
        >>> rbe.tan(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 1.5574])
        """
    def tan_(self) -> RBETensor:
        """In-place form of `tan`: return the tensor, changed."""
    def tanh(self) -> RBETensor:
        """Return the hyperbolic tangent.

        Examples
        --------
        >>> import rbe
        >>> rbe.tanh(rbe.tensor([0.0, 1.0]))
        tensor([0.    , 0.7616])
        """
    def tanh_(self) -> RBETensor:
        """In-place form of `tanh`: return the tensor, changed."""
    def trunc(self) -> RBETensor:
        """Return the integer part of `x`, rounded towards 0; its gradient is 0.

        Examples
        --------
        >>> import rbe
        >>> rbe.trunc(rbe.tensor([-1.5, 0.5]))
        tensor([-1.,  0.])
        """
    def trunc_(self) -> RBETensor:
        """In-place form of `trunc`: return the tensor, changed."""
    def xlogy(self, other: Any) -> RBETensor:
        """Return `a ln b`, 0 where `a` is 0 unless `b` is NaN.

        Examples
        --------
        >>> import rbe
        >>> rbe.xlogy(rbe.tensor([0.0, 2.0]), rbe.tensor([0.0, 1.0]))
        tensor([0., 0.])
        """
    def xlogy_(self, other: Any) -> RBETensor:
        """In-place form of `xlogy`: return the tensor, changed."""

@final
class _Hybrid:
    def __new__(cls, on_nonfinite: str, in_backward: bool, seed: int) -> _Hybrid: ...
    @staticmethod
    def check_rates(rates: HybridRates) -> None: ...
    def add_group(self, params: Sequence[RBETensor], rates: HybridRates) -> None: ...
    def set_rates(self, rates: Sequence[HybridRates]) -> None: ...
    def step(self) -> None: ...
    def zero_grad(self, set_to_none: bool) -> None: ...
    @property
    def steps(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def flips(self) -> int: ...
    @property
    def state_bytes(self) -> int: ...
    @property
    def seed(self) -> int: ...
    def set_counters(self, *, steps: int, skipped: int, flips: int) -> None: ...
    def set_seed(self, seed: int) -> None: ...
    def state_of(self, i: int) -> tuple[dict[str, RBETensor], int] | None: ...
    def set_state_of(self, i: int, arrays: dict[str, RBETensor], step: int) -> None: ...

@final
class _Dense:
    def __new__(cls, kind: str) -> _Dense: ...
    def add_group(self, params: Sequence[RBETensor], rates: DenseRates) -> None: ...
    def set_rates(self, rates: Sequence[DenseRates]) -> None: ...
    def step(self) -> None: ...
    def zero_grad(self, set_to_none: bool) -> None: ...
    @property
    def state_bytes(self) -> int: ...
    def state_of(self, i: int) -> tuple[dict[str, RBETensor], int] | None: ...
    def set_state_of(self, i: int, arrays: dict[str, RBETensor], step: int) -> None: ...

def is_grad_enabled() -> bool: ...
def _set_grad_enabled(enabled: bool) -> bool: ...
def is_recomputing() -> bool: ...
def _backward(
    roots: Sequence[RBETensor], gradients: Sequence[Any], retain_graph: bool, inputs: Sequence[RBETensor] | None
) -> None: ...
def _grad(
    roots: Sequence[RBETensor], targets: Sequence[RBETensor], gradients: Sequence[Any], retain_graph: bool
) -> list[Any]: ...
def _gradcheck(f: Callable[..., RBETensor], inputs: Sequence[RBETensor], eps: float, atol: float, rtol: float) -> None: ...
def _checkpoint(f: Callable[..., RBETensor], inputs: Sequence[RBETensor]) -> RBETensor: ...
def _execute(
    steps: Sequence[Callable[[RBETensor], RBETensor]], x: RBETensor, every: int | None, budget_bytes: int | None
) -> RBETensor: ...
def _record(
    name: str,
    inputs: Sequence[RBETensor],
    results: Sequence[RBETensor],
    backward: Callable[[list[RBETensor | None]], Sequence[Any]],
    always: bool = False,
) -> list[RBETensor]: ...
def _as_tensor(object: Any) -> RBETensor: ...
def _class_of_results(class_: _Class, /) -> _Class: ...
def _from_array(array: np.ndarray[Any, Any]) -> RBETensor: ...
def _from_memory(owner: Any, address: int, dtype: DTypeLike, shape: Sequence[int], strides: Sequence[int]) -> RBETensor: ...
def _packed_over(owner: Any, address: int, bytes: int, shape: Sequence[int], scale: float) -> RBETensor: ...
def _bridge_product(
    weight: TensorBase, rounded: bool, batch: int, operands: tuple[int, int, int], kept: tuple[int, int] | None
) -> None: ...
def _bridge_dx(weight: TensorBase, rounded: bool, batch: int, dy: int, dx: int, db: int) -> None: ...
def _bridge_gradient(
    weight: TensorBase, batch: int, x: tuple[Any, int], dy: tuple[Any, int], scales: tuple[Any, int] | None
) -> GradientBase: ...
def _bridge_cotangent(weight: TensorBase, g: TensorBase) -> GradientBase: ...
def _accumulate(weight: TensorBase, gradient: GradientBase) -> None: ...
def _plain_gemm(
    a: Any,
    b: Any,
    bias: Any = None,
    activation: str | None = None,
    transposed: tuple[bool, bool] = ...,
    out: Any = None,
) -> Any: ...
def _plain_gemv(a: Any, x: Any, transposed: bool) -> Any: ...
def _plain_dot(x: Any, y: Any) -> Any: ...
def _plain_axpy(alpha: float, x: Any, y: Any = None) -> Any: ...
def _plain_batched_gemm(a: Any, b: Any) -> Any: ...
def _plain_matrix_add(a: Any, b: Any) -> Any: ...
def _plain_softmax(x: Any, axis: int) -> Any: ...
def _plain_cross_entropy(logits: Any, target: Any, reduction: str) -> Any: ...
def _plain_states(driven: Any, weight: Any, activation: str) -> Any: ...
def _says_read_only(capsule: Any) -> bool: ...
def _exchange_kind(capsule: Any, before: int, after: int) -> bool: ...
def _promote_types(a: DTypeLike, b: DTypeLike) -> dtype: ...
def _save(path: str, state: Mapping[Any, Any], metadata: dict[str, str]) -> None: ...
def _load(path: str, metadata: bool) -> tuple[dict[Any, Any], dict[str, str] | None]: ...
def tensor_from_list(data: Any, dtype: DTypeLike = None) -> RBETensor: ...
def full(shape: Sequence[int], value: float, dtype: DTypeLike, op: str = "full") -> RBETensor: ...
def rand(shape: Sequence[int], dtype: DTypeLike, seed: int | None = None) -> RBETensor: ...
def randn(shape: Sequence[int], dtype: DTypeLike, seed: int | None = None) -> RBETensor: ...
def randint(low: int, high: int, shape: Sequence[int], seed: int | None = None) -> RBETensor: ...
def _arange_floats(start: float, end: float, step: float, dtype: DTypeLike) -> RBETensor: ...
def _arange_integers(start: int, end: int, step: int, dtype: DTypeLike) -> RBETensor: ...
def _eye(rows: int, cols: int, dtype: DTypeLike) -> RBETensor: ...
def _linspace(start: float, end: float, steps: int, dtype: DTypeLike) -> RBETensor: ...
def _randperm(n: int, seed: int | None = None) -> RBETensor: ...
def _set_default_dtype(dtype: DTypeLike) -> None: ...
def manual_seed(seed: int) -> None: ...
def get_rng_state() -> tuple[int, int]: ...
def set_rng_state(state: tuple[int, int]) -> None: ...
def _packed(
    hi: RBETensor, lo: RBETensor, shape: Sequence[int], scale: float | None = None, requires_grad: bool = False
) -> RBETensor: ...
def _random_cycles(rows: int, cols: int) -> RBETensor: ...
def _random_packed(shape: Sequence[int], scale: float | None = None) -> RBETensor: ...
def _encode(dense: RBETensor, scale: float | None = None) -> RBETensor: ...
def concat(tensors: Sequence[RBETensor], axis: int) -> RBETensor: ...
def stack(tensors: Sequence[RBETensor], axis: int) -> RBETensor: ...
def where(condition: Any, a: Any, b: Any) -> RBETensor: ...
def mse_loss(prediction: RBETensor, target: RBETensor) -> RBETensor: ...
def cross_entropy(
    logits: RBETensor,
    target: RBETensor,
    weight: Sequence[float] | None = None,
    ignore_index: int = ...,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> RBETensor: ...
def layer_norm(
    x: RBETensor,
    shape: Sequence[int],
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    eps: float = 1e-5,
) -> RBETensor: ...
def rms_norm(x: RBETensor, shape: Sequence[int], weight: RBETensor | None = None, eps: float = 1e-5) -> RBETensor: ...
def batch_norm(
    x: RBETensor,
    running_mean: RBETensor | None = None,
    running_var: RBETensor | None = None,
    weight: RBETensor | None = None,
    bias: RBETensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> RBETensor: ...
def unfold(
    x: RBETensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[_Pad], dilation: Sequence[int]
) -> RBETensor: ...
def conv(
    x: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None,
    stride: Sequence[int],
    padding: Sequence[_Pad],
    dilation: Sequence[int],
    groups: int,
) -> RBETensor: ...
def conv_transpose(
    x: RBETensor,
    weight: RBETensor,
    bias: RBETensor | None,
    stride: Sequence[int],
    padding: Sequence[_Pad],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> RBETensor: ...
def max_pool(
    x: RBETensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[_Pad],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> RBETensor: ...
def max_pool_with_indices(
    x: RBETensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[_Pad],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> tuple[RBETensor, RBETensor]: ...
def avg_pool(
    x: RBETensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[_Pad],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> RBETensor: ...
def adaptive_avg_pool(x: RBETensor, parts: Sequence[int | None]) -> RBETensor: ...
def two_level_linear(x: RBETensor, hi: RBETensor, z: RBETensor, scale: float, bias: RBETensor | None = None) -> RBETensor: ...
def cycle_linear(x: RBETensor, weight: RBETensor, bias: RBETensor | None = None) -> RBETensor: ...
def cycle_linear_of(x: RBETensor, hi: RBETensor, z: RBETensor, scale: float, bias: RBETensor | None = None) -> RBETensor: ...
def rbe_activation(x: RBETensor, hi: RBETensor, z: RBETensor) -> RBETensor: ...
def attention(
    query: RBETensor,
    key: RBETensor,
    value: RBETensor,
    mask: RBETensor | None = None,
    causal: _bool = False,
    scale: _float | None = None,
    dropout: _float = 0.0,
) -> RBETensor: ...
def self_attention(
    x: RBETensor,
    heads: int,
    mask: RBETensor | None = None,
    causal: _bool = False,
    scale: _float | None = None,
    dropout: _float = 0.0,
) -> RBETensor: ...
def cached_self_attention(
    x: RBETensor,
    heads: int,
    keys: RBETensor,
    values: RBETensor,
    length: int,
    causal: _bool,
) -> RBETensor: ...
def recurrent(
    x: RBETensor,
    cell: str,
    weight: RBETensor,
    bias: RBETensor | None,
    h: RBETensor,
    c: RBETensor | None = None,
    reverse: _bool = False,
) -> tuple[RBETensor, RBETensor, RBETensor | None]: ...
def clip_grad_norm(params: Sequence[RBETensor], max_norm: float, norm_type: float, error_if_nonfinite: bool) -> float: ...
def clip_grad_value(params: Sequence[RBETensor], bound: float) -> None: ...
def scale_grad(params: Sequence[RBETensor], scale: float) -> None: ...
def set_isa(name: str | None = None) -> None: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def get_packed_matmul_precision() -> str: ...
def set_packed_matmul_precision(precision: str) -> None: ...
def replace_precision_of_thread(precision: str | None) -> str | None: ...
def isa() -> str: ...
def pool_stats() -> dict[str, int]: ...
def pool_reset() -> None: ...
def pool_clear() -> None: ...
def _raise_error(name: str) -> None: ...
def _profile_start() -> _bool: ...
def _profile_stop() -> list[tuple[str, str, int, _float, _float, int]]: ...
def _set_debug_mode(origin: Callable[[], str] | None) -> None: ...
def _fuse(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
def _fused_operations(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]: ...

# Functions of the element-wise operations that the core declares.
def abs(input: Any) -> RBETensor:
    """Return `|x|`; the gradient at 0 is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.abs(rbe.tensor([-1.5, 0.5]))
    tensor([1.5, 0.5])
    """

def acos(input: Any) -> RBETensor:
    """Return the angle in radians between 0 and π whose cosine is `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.acos(rbe.tensor([0.0, 1.0]))
    tensor([1.5708, 0.    ])
    """

def acosh(input: Any) -> RBETensor:
    """Return the number, at least 0, whose hyperbolic cosine is `x`; NaN below 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.acosh(rbe.tensor([1.0, 2.0]))
    tensor([0.   , 1.317])
    """

def asin(input: Any) -> RBETensor:
    """Return the angle in radians between -π/2 and π/2 whose sine is `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.asin(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 1.5708])
    """

def asinh(input: Any) -> RBETensor:
    """Return the number whose hyperbolic sine is `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.asinh(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.8814])
    """

def atan(input: Any) -> RBETensor:
    """Return the angle in radians between -π/2 and π/2 whose tangent is `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.atan(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.7854])
    """

def atan2(input: Any, other: Any) -> RBETensor:
    """Return the angle of the point (`b`, `a`) in radians, between -π and π; the gradient at (0, 0) is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.atan2(rbe.tensor([0.0, 1.0]), rbe.tensor([-1.0, 1.0]))
    tensor([3.1416, 0.7854])
    """

def atanh(input: Any) -> RBETensor:
    """Return the number whose hyperbolic tangent is `x`; NaN beyond ±1.

    Examples
    --------
    >>> import rbe
    >>> rbe.atanh(rbe.tensor([0.0, 0.5]))
    tensor([0.    , 0.5493])
    """

def ceil(input: Any) -> RBETensor:
    """Return the smallest integer not below `x`; its gradient is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.ceil(rbe.tensor([-1.5, 0.5]))
    tensor([-1.,  1.])
    """

def copysign(input: Any, other: Any) -> RBETensor:
    """Return the magnitude of `a` with the sign of `b`, which has no gradient.

    Examples
    --------
    >>> import rbe
    >>> rbe.copysign(rbe.tensor([1.0, 2.0]), -0.0)
    tensor([-1., -2.])
    """

def cos(input: Any) -> RBETensor:
    """Return the cosine of `x` radians.

    Examples
    --------
    >>> import rbe
    >>> rbe.cos(rbe.tensor([0.0, 1.0]))
    tensor([1.    , 0.5403])
    """

def cosh(input: Any) -> RBETensor:
    """Return the hyperbolic cosine.

    Examples
    --------
    >>> import rbe
    >>> rbe.cosh(rbe.tensor([0.0, 1.0]))
    tensor([1.    , 1.5431])
    """

def digamma(input: Any) -> RBETensor:
    """Return the derivative of `ln |Γ(x)|`.

    Examples
    --------
    >>> import rbe
    >>> rbe.digamma(rbe.tensor([1.0, 4.0]))
    tensor([-0.5772,  1.2561])
    """

def eq(input: Any, other: Any) -> RBETensor:
    """Return whether `a == b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.eq(rbe.tensor([1, 2, 3]), 2)
    tensor([False,  True, False])
    """

def erf(input: Any) -> RBETensor:
    """Return the error function, `2/√π ∫ e^(-t²) dt` from 0 to `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.erf(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.8427])
    """

def erfc(input: Any) -> RBETensor:
    """Return `1 - erf(x)`, accurate for large `x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.erfc(rbe.tensor([0.0, 1.0]))
    tensor([1.    , 0.1573])
    """

def erfinv(input: Any) -> RBETensor:
    """Return the number whose error function is `x`; NaN beyond ±1.

    Examples
    --------
    >>> import rbe
    >>> rbe.erfinv(rbe.tensor([0.0, 0.5]))
    tensor([0.    , 0.4769])
    """

def exp(input: Any) -> RBETensor:
    """Return `e^x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.exp(rbe.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """

def exp2(input: Any) -> RBETensor:
    """Return `2^x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.exp2(rbe.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """

def expm1(input: Any) -> RBETensor:
    """Return `e^x - 1`, accurate near 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.expm1(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 1.7183])
    """

def floor(input: Any) -> RBETensor:
    """Return the largest integer not above `x`; its gradient is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.floor(rbe.tensor([-1.5, 0.5]))
    tensor([-2.,  0.])
    """

def floor_divide(input: Any, other: Any) -> RBETensor:
    """Return `floor(a / b)` of the true quotient, as Python's `//`; its gradient is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.floor_divide(rbe.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """

def fmod(input: Any, other: Any) -> RBETensor:
    """Return the exact remainder of `a / b`, of the sign of `a`, as C's `fmod`; gradients hold the quotient fixed.

    Examples
    --------
    >>> import rbe
    >>> rbe.fmod(rbe.tensor([7, -7]), 3)
    tensor([ 1, -1])
    """

def ge(input: Any, other: Any) -> RBETensor:
    """Return whether `a >= b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.ge(rbe.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """

def gt(input: Any, other: Any) -> RBETensor:
    """Return whether `a > b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.gt(rbe.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """

def hypot(input: Any, other: Any) -> RBETensor:
    """Return `sqrt(a² + b²)`, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.hypot(rbe.tensor([3.0]), 4.0)
    tensor([5.])
    """

def isfinite(input: Any) -> RBETensor:
    """Return whether each element is neither NaN nor infinite.

    Examples
    --------
    >>> import rbe
    >>> rbe.isfinite(rbe.tensor([1.0, float("nan")]))
    tensor([ True, False])
    """

def isinf(input: Any) -> RBETensor:
    """Return whether each element is infinite.

    Examples
    --------
    >>> import rbe
    >>> rbe.isinf(rbe.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """

def isnan(input: Any) -> RBETensor:
    """Return whether each element is NaN.

    Examples
    --------
    >>> import rbe
    >>> rbe.isnan(rbe.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """

def le(input: Any, other: Any) -> RBETensor:
    """Return whether `a <= b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.le(rbe.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """

def lgamma(input: Any) -> RBETensor:
    """Return `ln |Γ(x)|`.

    Examples
    --------
    >>> import rbe
    >>> rbe.lgamma(rbe.tensor([1.0, 4.0]))
    tensor([0.    , 1.7918])
    """

def log(input: Any) -> RBETensor:
    """Return the natural logarithm.

    Examples
    --------
    >>> import rbe
    >>> rbe.log(rbe.tensor([1.0, 10.0]))
    tensor([0.    , 2.3026])
    """

def log10(input: Any) -> RBETensor:
    """Return the logarithm to base 10, exact for powers of it.

    Examples
    --------
    >>> import rbe
    >>> rbe.log10(rbe.tensor([1.0, 1000.0]))
    tensor([0., 3.])
    """

def log1p(input: Any) -> RBETensor:
    """Return `ln(1 + x)`, accurate near 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.log1p(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.6931])
    """

def log2(input: Any) -> RBETensor:
    """Return the logarithm to base 2, exact for powers of it.

    Examples
    --------
    >>> import rbe
    >>> rbe.log2(rbe.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """

def logaddexp(input: Any, other: Any) -> RBETensor:
    """Return `ln(e^a + e^b)`, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.logaddexp(rbe.tensor([0.0]), 0.0)
    tensor([0.6931])
    """

def logaddexp2(input: Any, other: Any) -> RBETensor:
    """Return `log2(2^a + 2^b)`, without overflow.

    Examples
    --------
    >>> import rbe
    >>> rbe.logaddexp2(rbe.tensor([0.0]), 0.0)
    tensor([1.])
    """

def logical_and(input: Any, other: Any) -> RBETensor:
    """Return whether both are true, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.logical_and(rbe.tensor([True, True]), rbe.tensor([True, False]))
    tensor([ True, False])
    """

def logical_not(input: Any) -> RBETensor:
    """Return whether each element is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.logical_not(rbe.tensor([0, 3]))
    tensor([ True, False])
    """

def logical_or(input: Any, other: Any) -> RBETensor:
    """Return whether one or both are true, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.logical_or(rbe.tensor([True, True]), rbe.tensor([True, False]))
    tensor([ True,  True])
    """

def logical_xor(input: Any, other: Any) -> RBETensor:
    """Return whether exactly one is true, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.logical_xor(rbe.tensor([True, True]), rbe.tensor([True, False]))
    tensor([False,  True])
    """

def lt(input: Any, other: Any) -> RBETensor:
    """Return whether `a < b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.lt(rbe.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """

def matmul(input: Any, other: Any) -> RBETensor:
    """Return the matrix product of `a` and `b`.

    Examples
    --------
    >>> import rbe
    >>> rbe.matmul(rbe.eye(2), rbe.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """

def maximum(input: Any, other: Any) -> RBETensor:
    """Return the larger of `a` and `b`; equal operands share the gradient.

    Examples
    --------
    >>> import rbe
    >>> rbe.maximum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))
    tensor([3, 5])
    """

def minimum(input: Any, other: Any) -> RBETensor:
    """Return the smaller of `a` and `b`; equal operands share the gradient.

    Examples
    --------
    >>> import rbe
    >>> rbe.minimum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))
    tensor([1, 4])
    """

def mul(input: Any, other: Any) -> RBETensor:
    """Return `a * b`.

    Examples
    --------
    >>> import rbe
    >>> rbe.mul(rbe.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """

def ne(input: Any, other: Any) -> RBETensor:
    """Return whether `a != b`, element by element.

    Examples
    --------
    >>> import rbe
    >>> rbe.ne(rbe.tensor([1, 2, 3]), 2)
    tensor([ True, False,  True])
    """

def neg(input: Any) -> RBETensor:
    """Return `-x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.neg(rbe.tensor([-1.5, 0.5]))
    tensor([ 1.5, -0.5])
    """

def reciprocal(input: Any) -> RBETensor:
    """Return `1 / x`.

    Examples
    --------
    >>> import rbe
    >>> rbe.reciprocal(rbe.tensor([2.0, 4.0]))
    tensor([0.5 , 0.25])
    """

def relu(input: Any) -> RBETensor:
    """Return `max(x, 0)`; the gradient at 0 is 0, at NaN 1.

    Examples
    --------
    >>> import rbe
    >>> rbe.relu(rbe.tensor([-1.5, 0.5]))
    tensor([0. , 0.5])
    """

def remainder(input: Any, other: Any) -> RBETensor:
    """Return the exact remainder of `a / b`, of the sign of `b`, as Python's `%`; gradients hold the quotient fixed.

    Examples
    --------
    >>> import rbe
    >>> rbe.remainder(rbe.tensor([7, -7]), 3)
    tensor([1, 2])
    """

def sigmoid(input: Any) -> RBETensor:
    """Return `1 / (1 + e^-x)`.

    Examples
    --------
    >>> import rbe
    >>> rbe.sigmoid(rbe.tensor([0.0, 1.0]))
    tensor([0.5   , 0.7311])
    """

def sign(input: Any) -> RBETensor:
    """Return -1, 0 or 1; its gradient is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.sign(rbe.tensor([-1.5, 0.5]))
    tensor([-1.,  1.])
    """

def sin(input: Any) -> RBETensor:
    """Return the sine of `x` radians.

    Examples
    --------
    >>> import rbe
    >>> rbe.sin(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.8415])
    """

def sinh(input: Any) -> RBETensor:
    """Return the hyperbolic sine.

    Examples
    --------
    >>> import rbe
    >>> rbe.sinh(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 1.1752])
    """

def sqrt(input: Any) -> RBETensor:
    """Return the square root.

    Examples
    --------
    >>> import rbe
    >>> rbe.sqrt(rbe.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """

def square(input: Any) -> RBETensor:
    """Return `x²`.

    Examples
    --------
    >>> import rbe
    >>> rbe.square(rbe.tensor([-1.5, 0.5]))
    tensor([2.25, 0.25])
    """

def squared_relu(input: Any) -> RBETensor:
    """Return the square of `max(x, 0)`; the gradient at 0 is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.squared_relu(rbe.tensor([-1.5, 0.5]))
    tensor([0.  , 0.25])
    """

def tan(input: Any) -> RBETensor:
    """Return the tangent of `x` radians.

    Examples
    --------
    >>> import rbe
    >>> rbe.tan(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 1.5574])
    """

def tanh(input: Any) -> RBETensor:
    """Return the hyperbolic tangent.

    Examples
    --------
    >>> import rbe
    >>> rbe.tanh(rbe.tensor([0.0, 1.0]))
    tensor([0.    , 0.7616])
    """

def trunc(input: Any) -> RBETensor:
    """Return the integer part of `x`, rounded towards 0; its gradient is 0.

    Examples
    --------
    >>> import rbe
    >>> rbe.trunc(rbe.tensor([-1.5, 0.5]))
    tensor([-1.,  0.])
    """

def xlogy(input: Any, other: Any) -> RBETensor:
    """Return `a ln b`, 0 where `a` is 0 unless `b` is NaN.

    Examples
    --------
    >>> import rbe
    >>> rbe.xlogy(rbe.tensor([0.0, 2.0]), rbe.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
