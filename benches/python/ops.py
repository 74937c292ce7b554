"""Compare dense operations of rbe and torch, forward alone and forward with backward; prints a table.

Both libraries run alternately, in blocks of a few milliseconds, with the same number of threads. Above a ratio of 1 rbe is
faster; quartiles over the blocks are in brackets.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import rbe
from layers import Case, compare, torch

SIZES = {"64KB": 1 << 14, "1MB": 1 << 18, "16MB": 1 << 22, "64MB": 1 << 24}  # float32 elements
PRODUCTS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
WIDTH = 512  # width of rows: softmax, layer_norm, broadcasting
CLASSES = 1024


def rows(n: int, width: int = WIDTH) -> tuple[int, int]:
    return n // width, width


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def indices(count: int, below: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, below, count)


class Operation:
    """Its name, its float inputs, the function of `functional` and the inputs, and its integer inputs."""

    def __init__(self, name: str, inputs: list[np.ndarray], f: Callable[..., Any], *whole: np.ndarray) -> None:
        self.name, self.inputs, self.f, self.whole = name, inputs, f, whole

    def cases(self, library: Any) -> dict[str, Case]:
        """Return the timed cases of `library`: the forward pass of inputs without gradient, and forward with backward."""
        make = rbe.tensor if library is rbe else torch.from_numpy
        plain, leaves = [make(a) for a in self.inputs], [make(a).requires_grad_() for a in self.inputs]
        whole = [make(a) for a in self.whole]
        functional = library.nn.functional
        y = self.f(functional, *plain, *whole)
        dy = make(numbers(*y.shape, seed=2)) if y.shape else None

        def fresh() -> None:
            for leaf in leaves:
                leaf.grad = None

        forward = Case(lambda _: self.f(functional, *plain, *whole))
        return {"forward": forward, "both": Case(lambda _: self.f(functional, *leaves, *whole).backward(dy), fresh)}


def positive(n: int) -> np.ndarray:
    return np.abs(numbers(n)) + np.float32(0.1)


def elementwise(n: int) -> list[Operation]:
    x, y = numbers(n), numbers(n, seed=3)
    grid = numbers(*rows(n))
    return [
        Operation("exp", [x], lambda _, x: x.exp()),
        Operation("log", [positive(n)], lambda _, x: x.log()),
        Operation("expm1", [x], lambda _, x: x.expm1()),
        Operation("log1p", [positive(n)], lambda _, x: x.log1p()),
        Operation("sin", [x], lambda _, x: x.sin()),
        Operation("cos", [x], lambda _, x: x.cos()),
        Operation("pow", [positive(n)], lambda _, x: x**1.3),
        Operation("sqrt", [positive(n)], lambda _, x: x.sqrt()),
        Operation("tanh", [x], lambda _, x: x.tanh()),
        Operation("sigmoid", [x], lambda _, x: x.sigmoid()),
        Operation("relu", [x], lambda _, x: x.relu()),
        Operation("elu", [x], lambda f, x: f.elu(x)),
        Operation("softplus", [x], lambda f, x: f.softplus(x)),
        Operation("silu", [x], lambda f, x: f.silu(x)),
        Operation("gelu", [x], lambda f, x: f.gelu(x)),
        Operation("gelu tanh", [x], lambda f, x: f.gelu(x, approximate="tanh")),
        Operation("add", [x, y], lambda _, x, y: x + y),
        Operation("mul", [x, y], lambda _, x, y: x * y),
        Operation("div", [x, positive(n)], lambda _, x, y: x / y),
        Operation("mul scalar", [x], lambda _, x: x * 1.5),
        Operation("add row", [grid, numbers(WIDTH)], lambda _, x, b: x + b),
        Operation("mul column", [grid, numbers(n // WIDTH, 1)], lambda _, x, c: x * c),
        Operation("transposed copy", [grid], lambda _, x: x.transpose(0, 1).contiguous()),
    ]


def reductions(n: int) -> list[Operation]:
    x, grid = numbers(n), numbers(*rows(n))
    table, tokens = numbers(1000, WIDTH), indices(n // WIDTH, 1000)
    logits, classes = numbers(*rows(n, CLASSES)), indices(n // CLASSES, CLASSES)
    weight, bias = numbers(WIDTH), numbers(WIDTH, seed=4)
    return [
        Operation("sum", [x], lambda _, x: x.sum()),
        Operation("mean", [x], lambda _, x: x.mean()),
        Operation("max", [x], lambda _, x: x.max()),
        Operation("sum rows", [grid], lambda _, x: x.sum(1)),
        Operation("sum columns", [grid], lambda _, x: x.sum(0)),
        Operation("softmax", [grid], lambda f, x: f.softmax(x, -1)),
        Operation("log_softmax", [grid], lambda f, x: f.log_softmax(x, -1)),
        Operation("layer_norm", [grid, weight, bias], lambda f, x, w, b: f.layer_norm(x, (WIDTH,), w, b)),
        Operation("rms_norm", [grid, weight], lambda f, x, w: f.rms_norm(x, (WIDTH,), w)),
        Operation("embedding", [table], lambda f, w, i: f.embedding(i, w), tokens),
        Operation("cross_entropy", [logits], lambda f, x, t: f.cross_entropy(x, t), classes),
    ]


def products(n: int) -> list[Operation]:
    return [Operation("matmul", [numbers(n, n), numbers(n, n, seed=3)], lambda _, a, b: a @ b)]


def report(threads: int, size: str, operations: list[Operation], seconds: float, wanted: set[str] | None) -> None:
    for operation in operations:
        if wanted is not None and operation.name not in wanted:
            continue
        others = {} if torch is None else operation.cases(torch)
        for what, case in operation.cases(rbe).items():
            (found,) = compare({what: case}, {"torch": others[what]} if others else {}, seconds)
            line = f"{threads:>7} {size:>6} {operation.name:<16} {what:<8} {found['rbe_us']:>10.1f}"
            for beside in found["torch"].values():
                line += f" {beside['us']:>10.1f} {beside['ratio']:6.2f} ({beside['low']:.2f}–{beside['high']:.2f})"
            print(line, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="two sizes, one thread")
    mode.add_argument("--smoke", action="store_true", help="run every operation once, without measuring")
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--sizes", default=",".join(SIZES), help="sizes of the tensors")
    parser.add_argument("--products", default=",".join(map(str, PRODUCTS)), help="sides of square matrices; empty for none")
    parser.add_argument("--ops", help="names, separated by commas (default: all)")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
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
