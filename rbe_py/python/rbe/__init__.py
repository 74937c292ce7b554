"""Neural networks trained in 2 bits a weight, on a CPU.

Weights live in 128-bit blocks from the first step to the shipped file; there is no full-precision copy.
"""

from . import _methods as _methods
from . import autograd, data, errors, io, memory, nn, optim, utils
from ._rbe import (
    RBEGradient,
    RBETensor,
    __version__,
    get_num_threads,
    get_rng_state,
    isa,
    manual_seed,
    set_num_threads,
    set_rng_state,
)
from ._rbe import randperm as randperm
from .autograd import enable_grad, is_grad_enabled, no_grad, register_operation, set_grad_enabled
from .creation import (
    arange,
    as_tensor,
    empty,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    get_default_dtype,
    linspace,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    set_default_dtype,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from .data import Generator
from .dtypes import bool, dtype, float32, float64, int64
from .errors import (
    ConfigError,
    DeviceError,
    DTypeError,
    FormatError,
    GraphError,
    NonFiniteError,
    OutOfRangeError,
    RBEError,
    ShapeError,
    TensorError,
)  # fmt: skip
from .functional_ops import (
    abs,
    add,
    allclose,
    argmax,
    argmin,
    cat,
    clamp,
    concat,
    cos,
    div,
    equal,
    exp,
    isfinite,
    isnan,
    log,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    minimum,
    mul,
    relu,
    sigmoid,
    sin,
    softmax,
    sqrt,
    stack,
    sub,
    sum,
    tanh,
    var,
    where,
)  # fmt: skip
from .graph import ComputationGraph
from .io import load, save
from .nn import RBEActivation, RBELinear

__all__ = [
    "ComputationGraph", "ConfigError", "DTypeError", "DeviceError", "FormatError", "Generator", "GraphError", "NonFiniteError",
    "OutOfRangeError", "RBEActivation", "RBEError", "RBEGradient", "RBELinear", "RBETensor", "ShapeError", "TensorError",
    "__version__", "abs", "add", "allclose", "arange", "argmax", "argmin", "as_tensor", "autograd", "bool", "cat", "clamp",
    "concat", "cos", "data", "div", "dtype", "empty", "enable_grad", "equal", "errors", "exp", "eye", "float32", "float64",
    "from_dlpack", "from_numpy", "full", "full_like", "get_default_dtype", "get_num_threads", "get_rng_state", "int64", "io",
    "is_grad_enabled", "isa", "isfinite", "isnan", "linspace", "load", "log", "log_softmax", "logsumexp", "manual_seed",
    "matmul", "maximum", "mean", "memory", "minimum", "mul", "nn", "no_grad", "ones", "ones_like", "optim", "rand", "rand_like",
    "randint", "randn", "randn_like", "randperm", "register_operation", "relu", "save", "set_default_dtype",
    "set_grad_enabled", "set_num_threads", "set_rng_state", "sigmoid", "sin", "softmax", "sqrt", "stack", "sub", "sum", "tanh",
    "tensor", "utils", "var", "where", "zeros", "zeros_like",
]  # fmt: skip
