"""Numerical backends: one list of operations on arrays, computed by the engine or by any array library.

Algorithms that call only these operations run wherever a backend runs. `CPUBackend` is rbe's engine on NumPy arrays;
`ArrayBackend` computes with a namespace of the Python array API standard (NumPy, torch, CuPy, JAX); `CUDABackend` is its form
for arrays in the memory of a GPU. `get` chooses one by name.
"""

from .array import ArrayBackend
from .cpu import CPUBackend
from .cuda import CUDABackend
from .protocol import Backend, CGResult
from .select import get

__all__ = ["ArrayBackend", "Backend", "CGResult", "CPUBackend", "CUDABackend", "get"]
