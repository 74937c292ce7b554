"""k-means and nearest neighbours agree with those of scikit-learn on the data sets that it ships."""

import numpy as np
import pytest
import rbe

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from rbe import cluster, neighbors  # noqa: E402
from samples import SETS, agree, data  # noqa: E402
from sklearn import cluster as their_cluster  # noqa: E402
from sklearn import neighbors as their_neighbors  # noqa: E402

# k-means


@pytest.mark.parametrize(("name", "k"), [("iris", 3), ("wine", 3), ("breast_cancer", 2), ("diabetes", 5), ("digits", 10)])
def test_k_means_from_given_centres_is_that_of_scikit_learn(name, k):
    X, _ = data(name)
    options = {"init": X[:k], "n_init": 1, "tol": 0.0}
    theirs = their_cluster.KMeans(k, **options).fit(X)
    ours = cluster.KMeans(k, **options).fit(X)
    agree(ours.cluster_centers_, theirs.cluster_centers_, 1e-10)
    assert (ours.labels_ == theirs.labels_).all()
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-10)
    assert abs(ours.n_iter_ - theirs.n_iter_) <= 1
    agree(ours.transform(X), theirs.transform(X), 1e-6)
    assert (ours.predict(X) == ours.labels_).all()
    assert ours.score(X) == pytest.approx(-ours.inertia_)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_best_of_ten_starts_is_as_good_as_scikit_learns(init):
    X, _ = data("digits")
    theirs = their_cluster.KMeans(10, init=init, n_init=10, random_state=0).fit(X)
    ours = cluster.KMeans(10, init=init, n_init=10, random_state=0).fit(X)
    assert ours.inertia_ <= 1.01 * theirs.inertia_
    again = cluster.KMeans(10, init=init, n_init=10, random_state=0).fit(X)
    assert np.array_equal(ours.cluster_centers_, again.cluster_centers_)


def test_an_empty_cluster_takes_the_farthest_sample():
    X = np.array([[0.0], [0.1], [0.2], [10.0]])
    model = cluster.KMeans(3, init=np.array([[0.1], [500.0], [900.0]]), n_init=1).fit(X)
    assert len(set(model.labels_.tolist())) == 3
    assert model.inertia_ == pytest.approx(their_cluster.KMeans(3, n_init=10, random_state=0).fit(X).inertia_)


def test_k_means_with_integer_weights_is_k_means_of_repeated_samples():
    X, _ = data("iris")
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    options = {"init": X[:3], "n_init": 1, "tol": 0.0}
    weighted = cluster.KMeans(3, **options).fit(X, sample_weight=weights)
    repeated = cluster.KMeans(3, **options).fit(np.repeat(X, weights, axis=0))
    agree(weighted.cluster_centers_, repeated.cluster_centers_, 1e-12)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_)


def test_samples_are_drawn_in_proportion_to_their_potentials():
    potential = np.array([0.0, 1.0, 0.0, 3.0, 6.0])
    drawn = cluster._seeding.draw(rbe.backend.get("cpu"), potential, 20_000, np.random.RandomState(0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 20_000, potential / 10, atol=0.015)


# Nearest neighbours


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_nearest_neighbours_are_those_of_scikit_learn(name, weights):
    X, y = data(name)
    options = {"weights": weights, "algorithm": "kd_tree"}
    theirs = their_neighbors.KNeighborsRegressor(1, **options).fit(X[::2], y[::2])
    ours = neighbors.KNeighborsRegressor(1, weights=weights).fit(X[::2], y[::2])
    agree(ours.kneighbors(X, 5)[0], theirs.kneighbors(X, 5)[0], 1e-12)
    if name == "diabetes":  # which has no two samples at one distance from a third
        assert (ours.kneighbors(X, 5)[1] == theirs.kneighbors(X, 5)[1]).all()
        for k in (1, 5):
            theirs = their_neighbors.KNeighborsRegressor(k, **options).fit(X[::2], y[::2])
            ours = neighbors.KNeighborsRegressor(k, weights=weights).fit(X[::2], y[::2])
            agree(ours.predict(X), theirs.predict(X), 1e-12)
    else:
        theirs = their_neighbors.KNeighborsClassifier(5, **options).fit(X[::2], y[::2])
        ours = neighbors.KNeighborsClassifier(5, weights=weights).fit(X[::2], y[::2])
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)
        assert (ours.predict(X) == theirs.predict(X)).all()


def test_neighbours_are_found_across_the_parts_of_many_points():
    rng = np.random.default_rng(0)
    points, queries = rng.standard_normal((30_000, 4)), rng.standard_normal((300, 4))
    theirs = their_neighbors.NearestNeighbors(n_neighbors=7).fit(points).kneighbors(queries)
    ours = neighbors.KNeighborsRegressor(7).fit(points, points[:, 0]).kneighbors(queries)
    agree(ours[0], theirs[0], 1e-12)
    assert (ours[1] == theirs[1]).all()
