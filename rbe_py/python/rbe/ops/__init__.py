"""Operations as functions of NumPy arrays or tensors; forward and backward can be called separately.

C-contiguous arrays (of float32, float64, int64, bool) are used without a copy. Arrays as operands give arrays as results,
tensors give tensors, which are recorded on the tape as usual. Lists of floats are computed as arrays of float64. Operands are
dense; packed tensors have methods and layers.

Every operation also has the attributes `forward`, the function itself, `backward(upstream, *operands)`, its gradients, and
`forward_ex(*operands, out)`, which writes the result into the last argument.
"""

from ._operation import Operation
from .attributes import Conv2DAttrs, Pool2DAttrs
from .blas import axpy, batched_gemm, dot, gemm, gemv, matrix_add, matrix_multiply, scal
from .gradient import backward
from .named import calculate_gradient, require
from .network import conv2d, cross_entropy, pool2d, rnn_layer, softmax
from .recurrence import Recurrence, StepNodes

__all__ = [
    "Conv2DAttrs",
    "Operation",
    "Pool2DAttrs",
    "Recurrence",
    "StepNodes",
    "axpy",
    "backward",
    "batched_gemm",
    "calculate_gradient",
    "conv2d",
    "cross_entropy",
    "dot",
    "gemm",
    "gemv",
    "matrix_add",
    "matrix_multiply",
    "pool2d",
    "require",
    "rnn_layer",
    "scal",
    "softmax",
]
