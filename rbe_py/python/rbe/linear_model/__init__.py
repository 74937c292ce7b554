"""Linear models with scikit-learn's conventions, computed by a backend (`rbe.backend`).

Needs scikit-learn: `pip install rbe[sklearn]`.
"""

from .. import _estimators  # noqa: F401  (raises an ImportError that names scikit-learn where it is missing)
from .elastic_net import ElasticNet, Lasso
from .least_squares import LinearRegression, Ridge
from .logistic import LogisticRegression

__all__ = ["ElasticNet", "Lasso", "LinearRegression", "LogisticRegression", "Ridge"]
