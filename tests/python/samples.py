"""The data sets that scikit-learn ships, for tests of estimators."""

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

SETS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
}


def data(name, scaled=True):
    X, y = SETS[name](return_X_y=True)
    return (StandardScaler().fit_transform(X) if scaled else X), y.astype(np.float64)


def agree(got, want, relative):
    """Whether arrays agree, relative to the largest magnitude that is wanted."""
    np.testing.assert_allclose(got, want, rtol=0, atol=relative * max(np.abs(want).max(), 1e-300))
