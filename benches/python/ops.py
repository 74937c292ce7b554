"""Time dense operations of rbe and torch side by side, forward alone and forward with backward; a table on standard output.

Both sides run in turns, in blocks of a few calls, with the same number of threads. A ratio above 1 means that rbe is faster; in
brackets the quartiles over the blocks.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import rbe
from layers import Timed, compare, stopwatch, torch

SIZES = {"64KB": 1 << 14, "1MB": 1 << 18, "16MB": 1 << 22, "64MB": 1 << 24}  # float32 elements
PRODUCTS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
WIDTH = 512  # of rows: softmax, layer_norm, broadcasting
CLASSES = 1024


def rows(n: int, width: int = WIDTH) -> tuple[int, int]:
    return n // width, width


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def indices(count: int, below: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, below, count)


class Case:
    """An operation: its float inputs, integer inputs, and the function of both, given the library and its `functional`."""

    def __init__(self, name: str, inputs: list[np.ndarray], f: Callable[..., Any], *whole: np.ndarray) -> None:
        self.name, self.inputs, self.f, self.whole = name, inputs, f, whole

    def timed(self, library: Any) -> dict[str, Timed]:
        """Timers of the forward pass, and of forward with backward, in `library`."""
        make = rbe.tensor if library is rbe else torch.from_numpy
        leaves = [make(a).requires_grad_() for a in self.inputs]
        whole = [make(a) for a in self.whole]
        functional = library.nn.functional

        def run() -> Any:
            return self.f(functional, *leaves, *whole)

        y = run()
        dy = make(numbers(*y.shape, seed=2)) if y.shape else None
        differentiable = y.requires_grad

        def forward() -> float:
            with library.no_grad():
                return stopwatch(run)

        def both() -> float:
            for leaf in leaves:
                leaf.grad = None
            return stopwatch(lambda: run().backward(dy))

        return {"forward": forward} | ({"both": both} if differentiable else {})


def positive(n: int) -> np.ndarray:
    return np.abs(numbers(n)) + np.float32(0.1)


def elementwise(n: int) -> list[Case]:
    x, y = numbers(n), numbers(n, seed=3)
    grid = numbers(*rows(n))
    return [
        Case("exp", [x], lambda _, x: x.exp()),
        Case("log", [positive(n)], lambda _, x: x.log()),
        Case("sqrt", [positive(n)], lambda _, x: x.sqrt()),
        Case("tanh", [x], lambda _, x: x.tanh()),
        Case("sigmoid", [x], lambda _, x: x.sigmoid()),
        Case("relu", [x], lambda _, x: x.relu()),
        Case("silu", [x], lambda f, x: f.silu(x)),
        Case("gelu", [x], lambda f, x: f.gelu(x)),
        Case("gelu tanh", [x], lambda f, x: f.gelu(x, approximate="tanh")),
        Case("add", [x, y], lambda _, x, y: x + y),
        Case("mul", [x, y], lambda _, x, y: x * y),
        Case("div", [x, positive(n)], lambda _, x, y: x / y),
        Case("mul scalar", [x], lambda _, x: x * 1.5),
        Case("add row", [grid, numbers(WIDTH)], lambda _, x, b: x + b),
        Case("mul column", [grid, numbers(n // WIDTH, 1)], lambda _, x, c: x * c),
        Case("transposed copy", [grid], lambda _, x: x.transpose(0, 1).contiguous()),
    ]


def reductions(n: int) -> list[Case]:
    x, grid = numbers(n), numbers(*rows(n))
    table, tokens = numbers(1000, WIDTH), indices(n // WIDTH, 1000)
    logits, classes = numbers(*rows(n, CLASSES)), indices(n // CLASSES, CLASSES)
    weight, bias = numbers(WIDTH), numbers(WIDTH, seed=4)
    return [
        Case("sum", [x], lambda _, x: x.sum()),
        Case("mean", [x], lambda _, x: x.mean()),
        Case("max", [x], lambda _, x: x.max()),
        Case("sum rows", [grid], lambda _, x: x.sum(1)),
        Case("sum columns", [grid], lambda _, x: x.sum(0)),
        Case("softmax", [grid], lambda f, x: f.softmax(x, -1)),
        Case("log_softmax", [grid], lambda f, x: f.log_softmax(x, -1)),
        Case("layer_norm", [grid, weight, bias], lambda f, x, w, b: f.layer_norm(x, (WIDTH,), w, b)),
        Case("rms_norm", [grid, weight], lambda f, x, w: f.rms_norm(x, (WIDTH,), w)),
        Case("embedding", [table], lambda f, w, i: f.embedding(i, w), tokens),
        Case("cross_entropy", [logits], lambda f, x, t: f.cross_entropy(x, t), classes),
    ]


def products(n: int) -> list[Case]:
    return [Case("matmul", [numbers(n, n), numbers(n, n, seed=3)], lambda _, a, b: a @ b)]


def report(threads: int, size: str, cases: list[Case], seconds: float, wanted: set[str] | None) -> None:
    for case in cases:
        if wanted is not None and case.name not in wanted:
            continue
        others = {} if torch is None else case.timed(torch)
        for what, run in case.timed(rbe).items():
            found = compare(run, others.get(what), seconds)
            line = f"{threads:>7} {size:>6} {case.name:<16} {what:<8} {found['rbe_us']:>10.1f}"
            if "ratio" in found:
                line += f" {found['torch_us']:>10.1f}"
                line += f" {found['ratio']:6.2f} ({found['ratio_low']:.2f}–{found['ratio_high']:.2f})"
            print(line, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="two sizes, one thread")
    mode.add_argument("--smoke", action="store_true", help="every operation once, to see that it runs")
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--sizes", default=",".join(SIZES), help="of the tensors")
    parser.add_argument("--products", default=",".join(map(str, PRODUCTS)), help="sides of square matrices; empty for none")
    parser.add_argument("--ops", help="names, comma between (all)")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each figure")
    args = parser.parse_args()
    threads, sizes, sides, seconds = args.threads, args.sizes, args.products, args.seconds
    if args.quick:
        threads, sizes, sides, seconds = "1", "1MB,16MB", "256,768", 0.15
    if args.smoke:
        threads, sizes, sides, seconds = "1", "64KB", "64", 0.0
    wanted = set(args.ops.split(",")) if args.ops else None
    print(f"{rbe.isa()}; torch {'missing' if torch is None else torch.__version__}; times in µs")
    print(f"{'threads':>7} {'size':>6} {'operation':<16} {'pass':<8} {'rbe':>10} {'torch':>10} {'torch / rbe':>19}")
    for n in map(int, threads.split(",")):
        rbe.set_num_threads(n)
        if torch is not None:
            torch.set_num_threads(n)
        for size in filter(None, sizes.split(",")):
            report(n, size, elementwise(SIZES[size]) + reductions(SIZES[size]), seconds, wanted)
        for side in filter(None, sides.split(",")):
            report(n, side, products(int(side)), seconds, wanted)


if __name__ == "__main__":
    main()
