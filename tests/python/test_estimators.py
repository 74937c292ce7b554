"""The estimators keep scikit-learn's conventions and find the same on every backend."""

import subprocess
import sys

import numpy as np
import pytest
import rbe
from backends import PARAMETERS, backend_or_skip

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from rbe import cluster, linear_model, neighbors  # noqa: E402
from samples import SETS, agree, data  # noqa: E402
from sklearn import base  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

ALL = [
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(),
    linear_model.ElasticNet(),
    linear_model.LogisticRegression(),
    linear_model.LogisticRegression(solver="newton-cg"),
    cluster.KMeans(),
    neighbors.KNeighborsClassifier(),
    neighbors.KNeighborsRegressor(weights="distance"),
]
# Draws depend on the order of the samples; scikit-learn expects its own KMeans to fail the same check for this reason.
EXPECTED = {"KMeans": {"check_sample_weight_equivalence_on_dense_data": "seeding draws samples"}}


@pytest.mark.parametrize("name", ["cpu", "numpy", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("estimator", ALL, ids=lambda e: f"{type(e).__name__}-{getattr(e, 'solver', '')}")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_estimator_passes_the_checks_of_scikit_learn(estimator, name):
    backend_or_skip(name)
    estimator = base.clone(estimator).set_params(backend=name)
    check_estimator(estimator, expected_failed_checks=EXPECTED.get(type(estimator).__name__), on_skip=None)


# Backends


def fitted(estimator, X, y):
    return estimator.fit(X) if isinstance(estimator, cluster.KMeans) else estimator.fit(X, y)


CASES = [
    (linear_model.LinearRegression(), "diabetes", "coef_"),
    (linear_model.Ridge(), "diabetes", "coef_"),
    (linear_model.Lasso(0.5), "diabetes", "coef_"),
    (linear_model.ElasticNet(0.5), "diabetes", "coef_"),
    (linear_model.LogisticRegression(), "iris", "coef_"),
    (linear_model.LogisticRegression(solver="newton-cg"), "wine", "coef_"),
    (cluster.KMeans(3, init=data("iris")[0][:3]), "iris", "cluster_centers_"),
    (neighbors.KNeighborsRegressor(weights="distance"), "diabetes", None),
    (neighbors.KNeighborsClassifier(), "breast_cancer", None),
]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{type(c[0]).__name__}-{getattr(c[0], 'solver', '')}")
def test_every_backend_finds_the_same(case, name, dtype):
    backend = backend_or_skip(name)
    estimator, of, attribute = case
    X, y = data(of)
    want = fitted(base.clone(estimator).set_params(backend="cpu"), X, y)
    X = X.astype(dtype)
    found = fitted(base.clone(estimator).set_params(backend=name), X, y)
    tolerance = 1e-9 if dtype == "float64" else 3e-3
    if attribute:
        assert getattr(found, attribute).dtype == dtype
        agree(getattr(found, attribute), getattr(want, attribute), tolerance)
    agree(found.predict(X), want.predict(X.astype(np.float64)), tolerance)
    resident = fitted(base.clone(estimator).set_params(backend=name), backend.to_device(X), y)
    prediction = resident.predict(backend.to_device(X))
    if backend.owns(prediction):
        prediction = backend.to_host(prediction)
    agree(prediction, found.predict(X), tolerance)
    if attribute:
        assert backend.owns(getattr(resident, attribute))


def test_resident_samples_are_checked():
    strict = backend_or_skip("array-api-strict")
    model = linear_model.Ridge(backend="array-api-strict")
    X = strict.to_device(np.ones((4, 2)))
    for error, samples, targets in (
        (rbe.ShapeError, strict.to_device(np.ones(4)), np.ones(4)),
        (rbe.ShapeError, X, np.ones(3)),
        (rbe.NonFiniteError, strict.to_device(np.full((4, 2), np.nan)), np.ones(4)),
    ):
        with pytest.raises(error):
            model.fit(samples, targets)
    assert not hasattr(model, "coef_")


# Errors and conventions


def test_sparse_and_complex_samples_are_refused_and_change_nothing():
    sparse = pytest.importorskip("scipy.sparse")
    for estimator in ALL:
        model = base.clone(estimator)
        for wrong in (sparse.eye_array(4).tocsr(), np.eye(4) * 1j):
            with pytest.raises(rbe.DTypeError):
                model.fit(wrong, np.array([0, 1, 0, 1]))
        assert not [name for name in vars(model) if name.endswith("_")]


def test_parameters_outside_their_ranges_are_refused():
    X, y = data("iris")
    for model in (
        linear_model.LinearRegression(solver="svd"),
        linear_model.Ridge(-1.0),
        linear_model.Lasso(0.0),
        linear_model.ElasticNet(l1_ratio=1.5),
        linear_model.LogisticRegression(C=0.0),
        linear_model.LogisticRegression(solver="sag"),
        linear_model.LogisticRegression(max_iter=0),
        cluster.KMeans(0),
        cluster.KMeans(init="furthest"),
        cluster.KMeans(n_init="many"),
        cluster.KMeans(3, init=np.ones((2, 4))),
        neighbors.KNeighborsClassifier(0),
        neighbors.KNeighborsRegressor(weights="near"),
        linear_model.Ridge(backend="nympy"),
    ):
        with pytest.raises((rbe.TensorError, rbe.ConfigError)):
            fitted(model, X, y)
    with pytest.raises(rbe.TensorError, match="n_neighbors"):
        neighbors.KNeighborsClassifier(200).fit(X, y).predict(X)


def test_estimators_work_in_pipelines_and_are_attributes_of_the_package():
    X, y = SETS["wine"](return_X_y=True)
    model = make_pipeline(StandardScaler(), rbe.linear_model.LogisticRegression()).fit(X, y)
    assert model.score(X, y) > 0.98
    with pytest.raises(AttributeError):
        rbe.linear_models  # noqa: B018


def test_the_package_imports_without_scikit_learn_and_the_estimators_say_what_is_missing():
    program = """
import sys
sys.modules["sklearn"] = None
import rbe
for name in ("cluster", "linear_model", "neighbors"):
    try:
        getattr(rbe, name)
    except ImportError as e:
        print("sklearn" in str(e), isinstance(e, rbe.DependencyError))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 6
