"""Measure element-wise chains as written and under rbe.jit.script: medians, interleaved, in milliseconds."""

import argparse
import time
from statistics import median

import numpy as np
import rbe


def gelu(x):
    return 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x * x * x)).tanh())


def affine(x):
    return ((x * 1.5 + 0.25) * x - 0.5).relu() * 2.0 + x


def gate(x):
    return x.sigmoid() * (x * 0.5).tanh() + x


def forward(f, x):
    with rbe.no_grad():
        f(x)


def both(f, x):
    x.grad = None
    f(x).sum().backward()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    rbe.set_num_threads(args.threads)
    print(f"{rbe.isa()}, {args.threads} threads")
    print(f"{'chain':>8} {'elements':>10} {'pass':>9} {'written':>9} {'scripted':>9} {'ratio':>6}")
    for function in (affine, gelu, gate):
        for elements in (1 << 14, 1 << 20, 1 << 23):
            x = rbe.tensor(np.random.default_rng(0).standard_normal(elements).astype(np.float32), requires_grad=True)
            scripted = rbe.jit.script(function)
            assert rbe.equal(scripted(x), function(x))
            for run in (forward, both):
                times = {f: [] for f in (function, scripted)}
                for _ in range(args.rounds):
                    for f in times:
                        began = time.perf_counter()
                        run(f, x)
                        times[f].append(1e3 * (time.perf_counter() - began))
                plain, fused = (median(t) for t in times.values())
                print(
                    f"{function.__name__:>8} {elements:>10} {run.__name__:>9} {plain:>9.3f} {fused:>9.3f} {plain / fused:>6.2f}"
                )


if __name__ == "__main__":
    main()
