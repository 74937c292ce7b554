"""The backend of rbe's engine."""

from . import _engine
from .systems import Complete

__all__ = ["CPUBackend"]


class CPUBackend(Complete):
    """rbe's engine on NumPy arrays, whose memory it uses without a copy.

    Results are the same to the bit for every number of threads (`rbe.set_num_threads`), except those of factorisations and
    triangular systems, which LAPACK computes. Arrays that are read-only, unaligned or byte-swapped are copied.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> backend = rbe.backend.CPUBackend()
    >>> backend.gemm(np.ones((2, 3)), np.ones((2, 3)), tB=True, alpha=2.0, beta=1.0, C=np.eye(2))
    array([[7., 6.],
           [6., 7.]])
    """

    def __init__(self) -> None:
        super().__init__("cpu", _engine)
