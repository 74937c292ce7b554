"""The backends that tests run on, each with the reason where it cannot."""

import pytest
import rbe

NAMES = ("cpu", "numpy", "torch", "array-api-strict", "cuda")
PARAMETERS = [pytest.param(name, marks=pytest.mark.torch) if name == "torch" else name for name in NAMES]


def backend_or_skip(name):
    if name == "cuda" and not rbe.backend.CUDABackend.is_available():
        pytest.skip("CUDABackend is not tested, for this machine has no CUDA device that CuPy or torch reaches")
    try:
        return rbe.backend.get(name)
    except rbe.DependencyError as e:
        pytest.skip(str(e))
