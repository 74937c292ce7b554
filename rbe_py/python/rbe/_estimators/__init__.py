"""What the estimators share: their base class, their data on a backend, matrices in parts.

The estimators follow scikit-learn, whose base classes they derive from: `pip install rbe[sklearn]`.
"""

from .._compat import require

require("estimators", "sklearn.base")
