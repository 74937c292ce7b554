"""Compare the functions of `rbe.ops` on NumPy arrays with expressions of NumPy; prints a table in Markdown.

Both run alternately, with the same number of threads: NumPy's OpenBLAS is given it before it is loaded, so every number of
threads is a process of its own. Times are medians over the blocks, in µs; above a ratio of 1 rbe is faster.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Pair = tuple[str, Callable[[], Any], Callable[[], Any]]
REST = 0.05  # seconds for which OpenBLAS's idle threads poll, and take the processor from rbe's, and some more
SIDES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)


def seconds_of(run: Callable[[], Any], at_least: float) -> float:
    """Return the time of one call, from as many as take `at_least` seconds."""
    count = 1
    while True:
        began = time.perf_counter()
        for _ in range(count):
            run()
        taken = time.perf_counter() - began
        if taken >= at_least:
            return taken / count
        count *= 2


def products(sides: tuple[int, ...], dtype: Any) -> list[Pair]:
    """Return products of square matrices."""
    import numpy as np
    import rbe

    found: list[Pair] = []
    for n in sides:
        a, b = (np.random.default_rng(seed).standard_normal((n, n)).astype(dtype) for seed in (0, 1))
        found.append((f"matrix_multiply {n}", lambda a=a, b=b: rbe.ops.matrix_multiply(a, b), lambda a=a, b=b: a @ b))
    return found


def fused(dtype: Any) -> list[Pair]:
    """Return operations that NumPy needs several passes for."""
    import numpy as np
    import rbe

    rng = np.random.default_rng(0)

    def make(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    x, w, bias = make(64, 32), make(32, 64), make(64)
    logits, classes = make(256, 100), rng.integers(0, 100, 256)
    steps, wi, r, b = make(50, 8, 16), make(32, 16), make(32, 32), make(32)
    u, v = make(10_000), make(10_000)

    def cross_entropy() -> Any:
        z = logits - logits.max(1, keepdims=True)
        return (np.log(np.exp(z).sum(1)) - z[np.arange(len(classes)), classes]).mean()

    def rnn() -> Any:
        driven, h, out = steps @ wi.T + b, np.zeros((8, 32), dtype), np.empty((50, 8, 32), dtype)
        rt = r.T
        for t in range(50):
            h = np.tanh(driven[t] + h @ rt)
            out[t] = h
        return out

    @rbe.jit.script
    def chain(a: Any, b: Any) -> Any:
        return (a * b + 0.5 * a).tanh() * b

    tu, tv = rbe.tensor(u), rbe.tensor(v)
    return [
        ("gemm + bias + relu", lambda: rbe.ops.gemm(x, w, bias, "relu"), lambda: np.maximum(x @ w + bias, 0)),
        ("gemm + bias + tanh", lambda: rbe.ops.gemm(x, w, bias, "tanh"), lambda: np.tanh(x @ w + bias)),
        ("axpy 10000", lambda: rbe.ops.axpy(0.3, u, v), lambda: 0.3 * u + v),
        ("softmax 256 × 100", lambda: rbe.ops.softmax(logits), lambda: softmax(np, logits)),
        ("cross_entropy 256 × 100", lambda: rbe.ops.cross_entropy(logits, classes), cross_entropy),
        ("rnn_layer 50 × 8 × 32", lambda: rbe.ops.rnn_layer(steps, wi, r, b), rnn),
        ("tanh(a b + a / 2) b, scripted, 10000", lambda: chain(tu, tv).numpy(), lambda: np.tanh(u * v + 0.5 * u) * v),
    ]


def softmax(np: Any, x: Any) -> Any:
    """Return `e^x / Σ e^x` of rows."""
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def measure(threads: int, sides: tuple[int, ...], seconds: float, blocks: int) -> None:
    """Print the rows of one number of threads."""
    import numpy as np
    import rbe

    rbe.set_num_threads(threads)
    for dtype in (np.float32, np.float64):
        for name, ours, theirs in products(sides, dtype) + fused(dtype):
            times: list[list[float]] = [[], []]
            for _ in range(blocks):
                for of, run in zip(times, (ours, theirs), strict=True):
                    time.sleep(REST if threads > 1 and seconds else 0)
                    of.append(seconds_of(run, seconds / blocks))
            mine, other = (1e6 * statistics.median(of) for of in times)
            print(
                f"| {threads} | {np.dtype(dtype).name} | {name} | {mine:.2f} | {other:.2f} | {other / mine:.2f} |", flush=True
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--sides", default=",".join(map(str, SIDES)), help="sides of square matrices; empty for none")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each measurement")
    parser.add_argument("--smoke", action="store_true", help="run every function once, without measuring")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.smoke:
        args.threads, args.sides, args.seconds = "1", "8", 0.0
    if args.child:
        measure(int(args.threads), tuple(map(int, filter(None, args.sides.split(",")))), args.seconds, 1 if args.smoke else 5)
        return
    print("| threads | dtype | operation | rbe | NumPy | NumPy / rbe |\n|---|---|---|---|---|---|", flush=True)
    for threads in args.threads.split(","):
        # OpenBLAS is to choose its kernels for the processor by itself.
        kept = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        given = [__file__, "--child", "--threads", threads, "--sides", args.sides, "--seconds", str(args.seconds)]
        given += ["--smoke"] if args.smoke else []
        subprocess.run([sys.executable, *given], env=kept | {"OPENBLAS_NUM_THREADS": threads}, check=True)


if __name__ == "__main__":
    main()
