"""Nearest neighbours with scikit-learn's conventions, computed by a backend (`rbe.backend`).

Needs scikit-learn: `pip install rbe[sklearn]`.
"""

from .. import _estimators  # noqa: F401  (raises an ImportError that names scikit-learn where it is missing)
from .classifier import KNeighborsClassifier
from .regressor import KNeighborsRegressor

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor"]
