"""Compare `rbe.linear_model`, `rbe.cluster` and `rbe.neighbors` with scikit-learn; prints a table in Markdown.

Both fit the same samples alternately, with the same number of threads. Times are medians over the blocks, in ms; above a
ratio of 1 rbe is faster. Of KMeans both run as many iterations from the same centres;
neighbours are found for a thousand queries.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

Pair = tuple[str, Callable[[], Any], Callable[[], Any]]
ROWS = (1_000, 10_000, 100_000, 1_000_000)
FEATURES = 20
WIDE = (2_000, 500)
QUERIES = 1_000


def estimators(n: int, d: int) -> Iterator[Pair]:
    """Return fits, and searches of neighbours, of n samples of d features."""
    import numpy as np
    from rbe import cluster as rbe_cluster
    from rbe import linear_model as rbe_linear
    from rbe import neighbors as rbe_neighbors
    from sklearn import cluster, linear_model, neighbors

    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) @ (np.eye(d) + 0.3 * rng.standard_normal((d, d)))
    coefficients = rng.standard_normal(d) * (rng.random(d) < 0.5)
    y = X @ coefficients + rng.standard_normal(n)
    two = (y > 0).astype(np.int64)
    three = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    alpha = 0.05 * float(np.abs(X.T @ (y - y.mean())).max()) / n
    centres = X[:8].copy()
    queries = X[:QUERIES] + 0.1

    def fit(ours: Any, theirs: Any, target: Any, **options: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        return lambda: ours(**options).fit(X, target), lambda: theirs(**options).fit(X, target)

    for name, target, options in (
        ("LinearRegression", y, {}),
        ("Ridge", y, {"alpha": 1.0}),
        ("Lasso", y, {"alpha": alpha}),
        ("ElasticNet", y, {"alpha": alpha}),
        ("LogisticRegression", two, {}),
    ):
        yield name, *fit(getattr(rbe_linear, name), getattr(linear_model, name), target, **options)
    multinomial = fit(rbe_linear.LogisticRegression, linear_model.LogisticRegression, three)
    yield "LogisticRegression, 3 classes", *multinomial
    lloyd = {"n_clusters": 8, "init": centres, "n_init": 1, "max_iter": 20, "tol": 0.0}
    yield "KMeans, 8 clusters", *fit(rbe_cluster.KMeans, cluster.KMeans, None, **lloyd)
    seeded = {"n_clusters": 8, "max_iter": 1, "random_state": 0}
    yield "KMeans, k-means++ and 1 iteration", *fit(rbe_cluster.KMeans, cluster.KMeans, None, **seeded)
    ours, theirs = rbe_neighbors.KNeighborsClassifier(5).fit(X, two), neighbors.KNeighborsClassifier(5).fit(X, two)
    yield "KNeighborsClassifier.predict", lambda: ours.predict(queries), lambda: theirs.predict(queries)


def measure(threads: int, sizes: list[tuple[int, int]], seconds: float, blocks: int, only: str) -> None:
    """Print the rows of one number of threads."""
    import rbe

    rbe.set_num_threads(threads)
    warnings.simplefilter("ignore")  # KMeans is stopped before it converges
    for n, d in sizes:
        for name, ours, theirs in estimators(n, d):
            if only not in name:
                continue
            times: list[list[float]] = [[], []]
            began = time.perf_counter()
            for block in range(blocks):
                for of, run in zip(times, (ours, theirs), strict=True):
                    start = time.perf_counter()
                    run()
                    of.append(time.perf_counter() - start)
                if block and time.perf_counter() - began > seconds:
                    break
            # The first of several is slower on both sides, for pages and threads are new.
            mine, other = (1e3 * statistics.median(of[1:] or of) for of in times)
            print(f"| {threads} | {n:,} × {d} | {name} | {mine:.2f} | {other:.2f} | {other / mine:.2f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--rows", default=",".join(map(str, ROWS)), help=f"numbers of samples of {FEATURES} features")
    parser.add_argument("--only", default="", help="part of the names to measure")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement, at least two runs")
    parser.add_argument("--smoke", action="store_true", help="run everything once on few samples, without measuring")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.smoke:
        args.threads, args.rows, args.seconds = "1", "200", 0.0
    if args.child:
        sizes = [(int(n), FEATURES) for n in args.rows.split(",") if n]
        sizes += [] if args.smoke else [WIDE]
        measure(int(args.threads), sizes, args.seconds, 1 if args.smoke else 21, args.only)
        return
    print("| threads | samples | estimator | rbe | scikit-learn | scikit-learn / rbe |\n|---|---|---|---|---|---|", flush=True)
    for threads in args.threads.split(","):
        kept = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        given = [
            __file__,
            "--child",
            "--threads",
            threads,
            "--rows",
            args.rows,
            "--seconds",
            str(args.seconds),
            "--only",
            args.only,
        ]
        given += ["--smoke"] if args.smoke else []
        env = kept | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        subprocess.run([sys.executable, *given], env=env, check=True)


if __name__ == "__main__":
    main()
