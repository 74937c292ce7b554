"""Operations as functions of NumPy arrays or tensors; forward and backward can be called separately.

C-contiguous arrays (of float32, float64, int64, bool) are used without a copy. Arrays as operands give arrays as results,
tensors give tensors, which are recorded on the tape as usual. Operands are dense; packed tensors have methods and layers.
"""

from .blas import axpy, batched_gemm, dot, gemm, gemv, matrix_add, matrix_multiply, scal
from .gradient import backward, calculate_gradient
from .network import conv2d, cross_entropy, pool2d, rnn_layer, softmax

__all__ = [
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
    "rnn_layer",
    "scal",
    "softmax",
]
