"""Neural networks trained in 2 bits a weight, on a CPU.

Weights live in 128-bit blocks from the first step to the shipped file; there is no full-precision copy.
"""

import sys as _sys
from importlib import import_module as _import_module
from math import e, inf, nan, pi
from types import ModuleType as _ModuleType

from . import (
    _environment,
    _functions,
    _guard,
    accelerator,
    amp,
    autograd,
    backend,
    callbacks,
    config,
    cuda,
    data,
    distributions,
    errors,
    io,
    jit,
    layers,
    linalg,
    memory,
    metal,
    nn,
    operations,
    ops,
    optim,
    profiler,
    testing,
    trainer,
    training,
    utils,
    visualization,
)
from . import tensor as _tensor_module  # before the function of its name
from ._debug import is_debug_mode, set_debug_mode
from ._default_dtype import get_default_dtype, set_default_dtype
from ._functions import *  # noqa: F403 (the functions of operations, listed there)
from ._gradient import RBEGradient
from ._interchange import from_dlpack, from_numpy
from ._logging import start as _start
from ._memory_format import contiguous_format, preserve_format
from ._random import normal, rand, rand_like, randint, randn, randn_like, randperm
from ._rbe import (
    __version__,
    get_num_threads,
    get_packed_matmul_precision,
    get_rng_state,
    isa,
    manual_seed,
    set_num_threads,
    set_packed_matmul_precision,
    set_rng_state,
)
from ._sizes import Size
from ._tensor import RBETensor
from .amp import autocast
from .autograd import backward, enable_grad, inference_mode, is_grad_enabled, no_grad, register_operation, set_grad_enabled
from .config import set_simd_enabled
from .contraction import einsum, tensordot
from .creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from .data import Generator
from .device import device
from .differences import cdist, cumulative_trapezoid, gradient, trapezoid
from .dtypes import (
    bfloat16,
    bool,
    can_cast,
    double,
    dtype,
    float,
    float16,
    float32,
    float64,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    short,
    uint8,
)  # fmt: skip
from .errors import (
    ConfigError,
    DependencyError,
    DeviceError,
    DTypeError,
    FormatError,
    GraphError,
    LinAlgError,
    MissingMethodError,
    NonFiniteError,
    OutOfMemoryError,
    OutOfRangeError,
    RBEError,
    ShapeError,
    TensorError,
    UnknownNameError,
)  # fmt: skip
from .functional_ops import cat, concat, stack, where
from .graph import ComputationGraph
from .interop import from_torch, load_torch_state_dict, to_torch
from .io import load, save
from .joining import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    broadcast_shapes,
    broadcast_tensors,
    cartesian_prod,
    column_stack,
    combinations,
    concatenate,
    dstack,
    hstack,
    meshgrid,
    row_stack,
    vstack,
)  # fmt: skip
from .limits import finfo, iinfo, promote_types, result_type
from .nn import RBEActivation, RBEConv1d, RBEConv2d, RBELinear
from .queries import equal, is_tensor, numel, real
from .trainer import Trainer
from .typed import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    Tensor,
)  # fmt: skip
from .variables import create_tensor, create_variable, tensor_add, tensor_matmul

_environment.warn_of_unknown()
_OPTIONAL = ("cluster", "linear_model", "neighbors", "torch")


def __getattr__(name: str) -> _ModuleType:
    """Import what needs scikit-learn or torch when it is used."""
    if name in _OPTIONAL:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_start()
_guard.install(_sys.modules[__name__])
_tensor_module.lend_names(tensor)

__all__ = [
    "ComputationGraph", "ConfigError", "DTypeError", "DependencyError", "DeviceError", "FormatError", "Generator",
    "GraphError", "MissingMethodError", "NonFiniteError", "OutOfMemoryError", "OutOfRangeError", "RBEActivation",
    "RBEConv1d", "RBEConv2d", "RBEError", "RBEGradient", "RBELinear", "RBETensor", "ShapeError", "TensorError", "Trainer",
    "UnknownNameError", "__version__", "arange", "as_tensor", "autograd", "backend", "bool", "broadcast_shapes",
    "broadcast_tensors", "cat", "concat", "config", "contiguous_format", "cuda", "data", "device", "distributions",
    "double", "dtype", "einsum", "empty", "empty_like", "enable_grad", "equal", "errors", "eye", "float", "float32",
    "float64", "from_dlpack", "from_numpy", "from_torch", "full", "full_like", "get_default_dtype", "get_num_threads",
    "get_packed_matmul_precision", "get_rng_state", "hstack", "inference_mode", "int64", "io", "is_debug_mode",
    "is_grad_enabled", "is_tensor", "isa", "jit", "linspace", "load", "load_torch_state_dict", "long", "manual_seed",
    "memory", "meshgrid", "nn", "no_grad", "numel", "ones", "ones_like", "ops", "optim", "preserve_format", "profiler",
    "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "real", "register_operation", "save",
    "set_debug_mode", "set_default_dtype", "set_grad_enabled", "set_num_threads", "set_packed_matmul_precision",
    "set_rng_state", "stack", "tensor", "testing", "to_torch", "trainer", "uint8", "utils", "visualization", "vstack",
    "where", "zeros", "zeros_like",
]  # fmt: skip
__all__ += ["LinAlgError", "accelerator", "amp", "autocast", "linalg"]
__all__ += [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "Tensor",
    "bfloat16",
    "can_cast",
    "finfo",
    "float16",
    "half",
    "iinfo",
    "int",
    "int8",
    "int16",
    "int32",
    "promote_types",
    "result_type",
    "short",
]  # fmt: skip
__all__ += [
    "backward", "callbacks", "create_tensor", "create_variable", "layers", "metal", "operations", "set_simd_enabled",
    "tensor_add", "tensor_matmul", "training",
]  # fmt: skip
__all__ += [
    "Size", "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "cdist", "column_stack", "combinations",
    "concatenate", "cumulative_trapezoid", "dstack", "e", "gradient", "inf", "nan", "normal", "pi", "row_stack", "tensordot",
    "trapezoid",
]  # fmt: skip
__all__ += _functions.__all__
