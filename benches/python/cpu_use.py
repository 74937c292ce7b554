"""How busy training keeps the threads that it was given: JSON lines, one for each number of threads and batch size.

An MLP with packed weights learns MNIST (`RBE_DATA`, else random images of that size) in a process of its own for each line:
`cpu` is user and system time over wall time and threads, `steps` training steps a second. Threads that look for work are
busy, too, without doing any: with `spin_us` 0 they sleep at once, and what is counted is work.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from machine import run


def images() -> "tuple[np.ndarray, np.ndarray]":
    """Pixels (N, 784) float32 and labels (N)."""
    import rbe

    try:
        folder = os.environ["RBE_DATA"]
        x = rbe.data.read_idx(rbe.data.find_idx(folder, "train-images-idx3-ubyte"))
        y = rbe.data.read_idx(rbe.data.find_idx(folder, "train-labels-idx1-ubyte"))
    except (KeyError, rbe.FormatError):
        generator = np.random.default_rng(0)
        x, y = generator.integers(0, 256, (60000, 28, 28)), generator.integers(0, 10, 60000)
    return (x.reshape(len(x), -1) / 255.0).astype(np.float32), y.astype(np.int64)


def used() -> float:
    """Seconds of all threads so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def train(batch: int, hidden: int, seconds: float) -> None:
    import rbe

    rbe.manual_seed(0)
    layer = rbe.nn.RBELinear
    model = rbe.nn.Sequential(layer(784, hidden), rbe.nn.ReLU(), layer(hidden, hidden), rbe.nn.ReLU(), layer(hidden, 10))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    data = rbe.data.TensorDataset(*(rbe.tensor(a) for a in images()))
    loader = rbe.data.DataLoader(data, batch, shuffle=True, drop_last=True, seed=0)

    def steps() -> Iterator[float]:
        while True:
            for x, y in loader:
                optimizer.zero_grad()
                loss = rbe.nn.functional.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                yield time.perf_counter()

    walk = steps()
    for _ in range(20):  # code, memory and threads are in place then
        next(walk)
    began, work, count, now = time.perf_counter(), used(), 0, 0.0
    while now < began + seconds:
        now = next(walk)
        count += 1
    wall = now - began
    threads = rbe.get_num_threads()
    line = {
        "threads": threads,
        "batch": batch,
        "hidden": hidden,
        "spin_us": int(os.environ.get("RBE_SPIN_US", "100")),
        "cpu": round((used() - work) / wall / threads, 3),
        "steps": round(count / wall, 1),
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--spin", type=int, nargs="+", default=[100, 0], help="microseconds, RBE_SPIN_US")
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        return train(args.batch[0], args.hidden, args.seconds)
    for batch in args.batch:
        for threads in args.threads:
            for spin in args.spin if threads > 1 else args.spin[:1]:
                own = ["--here", "--batch", str(batch), "--hidden", str(args.hidden), "--seconds", str(args.seconds)]
                env = {**os.environ, "RBE_NUM_THREADS": str(threads), "RBE_SPIN_US": str(spin)}
                subprocess.run([sys.executable, __file__, *own], env=env, check=True)
    return None


if __name__ == "__main__":
    run(main)
