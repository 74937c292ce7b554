"""Time one layer, packed in rbe and dense in torch, side by side in this process; JSON lines on standard output.

`compare.py` calls this for every instruction set and number of threads. Both sides run in turns, in blocks of a few calls; the
first call of a block, which finds cold caches and parked threads, does not count.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import rbe

try:
    import torch
except ImportError:  # figures of rbe alone
    torch = None

Timed = Callable[[], float]

BLOCK = 4
PAUSE = 0.01  # seconds until the other side's threads have stopped spinning


def stopwatch(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ours(inputs: int, outputs: int, batch: int) -> dict[str, Timed]:
    rbe.manual_seed(0)
    layer = rbe.nn.RBELinear(inputs, outputs)
    x = rbe.randn(batch, inputs, requires_grad=True)
    dy = rbe.randn(batch, outputs)

    def forward() -> float:
        with rbe.no_grad():
            return stopwatch(lambda: layer(x))

    def backward(read: bool) -> float:
        layer.zero_grad()
        x.grad = None
        y = layer(x)

        def run() -> None:
            y.backward(dy)
            if read:
                layer.weight.grad.hi  # noqa: B018 (reading computes)

        return stopwatch(run)

    def step(in_backward: bool) -> Timed:
        own = rbe.nn.RBELinear(inputs, outputs)
        optimizer = rbe.optim.HybridOptimizer(own.parameters(), in_backward=in_backward)

        def run() -> None:
            optimizer.zero_grad()
            own(x).backward(dy)
            optimizer.step()

        def timed() -> float:
            x.grad = None
            return stopwatch(run)

        return timed

    return {
        "forward": forward,
        "backward": lambda: backward(False),
        "backward, hi read": lambda: backward(True),
        "training step": step(False),
        "training step in backward": step(True),
    }


def theirs(inputs: int, outputs: int, batch: int) -> dict[str, Timed]:
    torch.manual_seed(0)
    layer = torch.nn.Linear(inputs, outputs)
    x = torch.randn(batch, inputs, requires_grad=True)
    dy = torch.randn(batch, outputs)
    own = torch.nn.Linear(inputs, outputs)
    optimizer = torch.optim.Adam(own.parameters(), fused=True)

    def forward() -> float:
        with torch.no_grad():
            return stopwatch(lambda: layer(x))

    def backward() -> float:
        layer.zero_grad()
        x.grad = None
        y = layer(x)
        return stopwatch(lambda: y.backward(dy))

    def run() -> None:
        optimizer.zero_grad()
        own(x).backward(dy)
        optimizer.step()

    def step() -> float:
        x.grad = None
        return stopwatch(run)

    return {
        "forward": forward,
        "backward": backward,
        "backward, hi read": backward,
        "training step": step,
        "training step in backward": step,
    }


def block(run: Timed) -> list[float]:
    time.sleep(PAUSE)
    return [run() for _ in range(BLOCK + 1)][1:]


def compare(run: Timed, other: Timed | None, seconds: float) -> dict[str, float]:
    """Medians in microseconds, and the ratio of the blocks' medians with its quartiles."""
    own: list[list[float]] = []
    dense: list[list[float]] = []
    deadline = time.perf_counter() + seconds
    while len(own) < 3 or time.perf_counter() < deadline:
        own.append(block(run))
        if other is not None:
            dense.append(block(other))
    found = {"rbe_us": 1e6 * median(t for b in own for t in b), "blocks": len(own)}
    if dense:
        ratios = [median(d) / median(o) for o, d in zip(own, dense, strict=True)]
        low, middle, high = (float(q) for q in np.quantile(ratios, [0.25, 0.5, 0.75]))
        found |= {"torch_us": 1e6 * median(t for b in dense for t in b), "ratio": middle, "ratio_low": low, "ratio_high": high}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", required=True, help="as 768x3072,3072x768")
    parser.add_argument("--batches", required=True, help="as 1,8,32")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for each figure")
    args = parser.parse_args()
    rbe.set_num_threads(args.threads)
    if torch is not None:
        torch.set_num_threads(args.threads)
    for layer in args.layers.split(","):
        inputs, outputs = map(int, layer.split("x"))
        for batch in map(int, args.batches.split(",")):
            others = {} if torch is None else theirs(inputs, outputs, batch)
            for what, run in ours(inputs, outputs, batch).items():
                figures = compare(run, others.get(what), args.seconds)
                case = {"isa": rbe.isa(), "threads": args.threads, "layer": layer, "batch": batch, "what": what}
                print(json.dumps(case | figures))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
