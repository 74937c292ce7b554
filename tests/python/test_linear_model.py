"""Linear models agree with those of scikit-learn on the data sets that it ships."""

import numpy as np
import pytest
import rbe

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from rbe import linear_model  # noqa: E402
from samples import SETS, agree, data  # noqa: E402
from sklearn import linear_model as their_linear  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402

# Linear regression


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_linear_regression_is_that_of_scikit_learn(name, fit_intercept):
    X, y = data(name, scaled=False)
    theirs = their_linear.LinearRegression(fit_intercept=fit_intercept)
    if "tol" in theirs.get_params():  # newer versions leave out directions whose singular values are below 1e-6 of the largest
        theirs.set_params(tol=1e-12)
    theirs.fit(X, y)
    ours = linear_model.LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    agree(ours.coef_, theirs.coef_, 1e-8)
    agree(ours.intercept_, theirs.intercept_, 1e-8)
    agree(ours.predict(X), theirs.predict(X), 1e-8)


@pytest.mark.parametrize("solver", ["cholesky", "qr", "cg"])
@pytest.mark.parametrize("targets", [1, 2])
def test_solvers_of_linear_regression_agree_with_weights_and_targets(solver, targets):
    X, y = data("diabetes")
    y = np.stack([y, y**2], axis=1)[:, :targets]
    weights = np.random.default_rng(0).random(len(y))
    theirs = their_linear.LinearRegression().fit(X, y, weights)
    ours = linear_model.LinearRegression(solver=solver).fit(X, y, weights)
    agree(ours.coef_, theirs.coef_, 1e-8)
    agree(ours.predict(X), theirs.predict(X), 1e-8)


def test_direct_solvers_refuse_columns_that_depend_on_each_other():
    X = np.random.default_rng(0).standard_normal((20, 3))
    X[:, 2] = X[:, 0] + X[:, 1]
    y = X[:, 0]
    for solver in ("cholesky", "qr"):
        with pytest.raises(rbe.TensorError):
            linear_model.LinearRegression(solver=solver).fit(X, y)
    agree(linear_model.LinearRegression().fit(X, y).coef_, their_linear.LinearRegression().fit(X, y).coef_, 1e-8)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("alpha", [0.01, 10.0])
def test_ridge_is_that_of_scikit_learn(name, alpha):
    X, y = data(name)
    theirs = their_linear.Ridge(alpha).fit(X, y)
    for solver in ("auto", "cg"):
        agree(linear_model.Ridge(alpha, solver=solver).fit(X, y).coef_, theirs.coef_, 1e-7)


def test_ridge_of_fewer_samples_than_features_is_that_of_scikit_learn():
    X, y = data("digits")
    X, y = X[:40], np.stack([y, -(y**2)], axis=1)[:40]
    weights = np.random.default_rng(0).random(40)
    theirs = their_linear.Ridge(0.5).fit(X, y, weights)
    agree(linear_model.Ridge(0.5).fit(X, y, weights).coef_, theirs.coef_, 1e-9)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("alpha", [0.01, 0.5])
def test_lasso_and_elastic_net_are_those_of_scikit_learn(name, alpha):
    X, y = data(name)
    options = {"tol": 1e-12, "max_iter": 100_000}
    theirs = their_linear.Lasso(alpha, **options).fit(X, y)
    ours = linear_model.Lasso(alpha, **options).fit(X, y)
    agree(ours.coef_, theirs.coef_, 1e-6)
    assert ours.dual_gap_ <= 1e-12 * ((y - y.mean()) ** 2).mean()
    theirs = their_linear.ElasticNet(alpha, l1_ratio=0.3, **options).fit(X, y)
    ours = linear_model.ElasticNet(alpha, l1_ratio=0.3, **options).fit(X, y)
    agree(ours.coef_, theirs.coef_, 1e-6)


def test_lasso_of_fewer_samples_than_features_is_that_of_scikit_learn():
    X, y = data("digits")
    X, weights = X[:40], np.random.default_rng(0).random(40)
    y = np.stack([y, np.sqrt(y)], axis=1)[:40]
    theirs = [their_linear.Lasso(0.1, tol=1e-12, max_iter=100_000).fit(X, y[:, t], weights) for t in (0, 1)]
    ours = linear_model.Lasso(0.1, tol=1e-12, max_iter=100_000).fit(X, y, weights)
    agree(ours.predict(X), np.stack([m.predict(X) for m in theirs], axis=1), 1e-6)
    agree(ours.coef_, np.stack([m.coef_ for m in theirs]), 1e-5)


def test_the_duality_gap_bounds_what_is_left_to_gain():
    X, y = data("diabetes")

    def objective(w, ratio):
        residual = y - y.mean() - X @ w
        return residual @ residual / (2 * len(y)) + 0.5 * ratio * np.abs(w).sum() + 0.25 * (1 - ratio) * w @ w

    for ratio in (1.0, 0.5, 0.0):
        best = linear_model.ElasticNet(0.5, l1_ratio=ratio, tol=1e-13, max_iter=100_000).fit(X, y)
        rough = linear_model.ElasticNet(0.5, l1_ratio=ratio, tol=1e-2).fit(X, y)
        excess = objective(rough.coef_, ratio) - objective(best.coef_, ratio)
        assert -1e-9 <= excess <= rough.dual_gap_ + 1e-9


def test_too_few_steps_are_a_warning_and_a_warm_start_continues():
    X, y = data("diabetes")
    model = linear_model.Lasso(0.01, tol=1e-8, max_iter=20, warm_start=True)
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        model.fit(X, y)
    model.set_params(max_iter=10_000).fit(X, y)
    assert model.n_iter_ > 1
    assert model.fit(X, y).n_iter_ == 1
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        linear_model.LogisticRegression(max_iter=2).fit(X, y > 100)


# Logistic regression


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_logistic_regression_is_that_of_scikit_learn(name, solver):
    X, y = data(name)
    theirs = their_linear.LogisticRegression(tol=1e-9, max_iter=10_000).fit(X, y)
    ours = linear_model.LogisticRegression(tol=1e-8, max_iter=10_000, solver=solver).fit(X, y)
    assert ours.coef_.shape == theirs.coef_.shape
    agree(ours.coef_, theirs.coef_, 1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), atol=1e-6)
    agree(ours.decision_function(X), theirs.decision_function(X), 1e-4)
    assert (ours.predict(X) == theirs.predict(X)).all()


def test_logistic_regression_takes_weights_of_classes_and_samples():
    X, y = data("wine")
    weights = np.random.default_rng(0).random(len(y))
    for options, w in (({"class_weight": "balanced"}, None), ({"class_weight": {0.0: 2.0}, "fit_intercept": False}, weights)):
        theirs = their_linear.LogisticRegression(tol=1e-9, max_iter=10_000, **options).fit(X, y, w)
        ours = linear_model.LogisticRegression(tol=1e-8, max_iter=10_000, **options).fit(X, y, w)
        agree(ours.coef_, theirs.coef_, 1e-4)


def test_balanced_classes_have_one_share_of_the_weights_of_samples():
    X, y = data("wine")
    weights = np.random.default_rng(0).random(len(y))
    by_class = {c: weights.sum() / (3 * weights[y == c].sum()) for c in np.unique(y)}
    theirs = their_linear.LogisticRegression(tol=1e-9, max_iter=10_000, class_weight=by_class).fit(X, y, weights)
    ours = linear_model.LogisticRegression(tol=1e-8, max_iter=10_000, class_weight="balanced").fit(X, y, weights)
    agree(ours.coef_, theirs.coef_, 1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_large_scores_do_not_overflow():
    X = np.array([[-1e6], [1e6], [2e6]])
    y = np.array([0, 1, 1])
    for C in (1.0, 1e6):
        model = linear_model.LogisticRegression(C=C).fit(X, y)
        assert np.isfinite(model.coef_).all()
        assert model.predict(X).tolist() == [0, 1, 1]
