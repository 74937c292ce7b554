"""Share of the threads' time that training uses: JSON lines, one for each number of threads and batch size.

For each line a separate process trains an MLP with packed weights on MNIST (`RBE_DATA`, or random images of that size). `cpu`
is user and system time divided by wall time and threads, `steps` training steps a second. Spinning threads count as busy;
with `spin_us` 0 idle threads sleep at once, so that only work is counted.
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
    """Return pixels (N, 784) float32 and labels (N)."""
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
    """Return the processor time of all threads so far, in seconds."""
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

    training = steps()
    for _ in range(20):  # warm-up: code, memory and threads
        next(training)
    began, work, count, now = time.perf_counter(), used(), 0, 0.0
    while now < began + seconds:
        now = next(training)
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
