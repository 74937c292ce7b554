"""Clustering with scikit-learn's conventions, computed by a backend (`rbe.backend`).

Needs scikit-learn: `pip install rbe[sklearn]`.
"""

from .. import _estimators  # noqa: F401  (raises an ImportError that names scikit-learn where it is missing)
from .kmeans import KMeans

__all__ = ["KMeans"]
