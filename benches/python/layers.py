"""Compare one layer, packed in rbe and dense in torch, in this process; prints a JSON line for every shape.

`compare.py` calls this for every instruction set and number of threads. All contenders run alternately, in blocks of a few
milliseconds; the first millisecond, with cold caches and sleeping threads, is not counted. The calling thread has a processor
of its own. torch runs in float32 and in the compressed forms it offers on a CPU: `autocast` (computing in bfloat16, with the
cost of the context), `bfloat16` (weights and inputs stored in it) and `int8` (dynamic quantisation); the last two only forward,
because they cannot be trained. rbe's training step computes flip scores from int8 operands, the default of `HybridOptimizer`,
and in the cases named `exact` from float32.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import rbe
from machine import pin_threads

try:
    import torch
except ImportError:  # measurements of rbe alone
    torch = None

WARM = 0.001  # seconds at the start of a block that are not counted
BLOCK = 4  # counted calls, and
SHORT, LONG = 0.002, 0.02  # at least the first and at most the second number of seconds
ROUNDS = 5  # minimum number of blocks
PAUSE = 0.015  # seconds until the other library's threads have stopped spinning; torch's spin for 9 ms


@dataclass
class Case:
    """A timed call, and its preparation before each call; `run` receives the result of `setup`."""

    run: Callable[[Any], object]
    setup: Callable[[], Any] = lambda: None

    def seconds(self) -> float:
        ready = self.setup()
        start = time.perf_counter()
        self.run(ready)
        return time.perf_counter() - start


def training(layer: Any, optimizer: Any, x: Any, dy: Any, call: Callable[[Any, Any], Any] | None = None) -> dict[str, Case]:
    """Return the cases of a layer that learns; `call` computes its output."""
    call = call or (lambda layer, x: layer(x))

    def fresh() -> None:
        layer.zero_grad()
        x.grad = None

    def forward() -> Any:
        fresh()
        return call(layer, x)

    def step(_: None) -> None:
        optimizer.zero_grad()
        call(layer, x).backward(dy)
        optimizer.step()

    return {
        "backward": Case(lambda y: y.backward(dy), forward),
        "forward + backward": Case(lambda _: call(layer, x).backward(dy), fresh),
        "training step": Case(step, fresh),
    }


def ours(inputs: int, outputs: int, batch: int) -> dict[str, dict[str, Case]]:
    """Return rbe's cases, by the name of torch's case with which they are compared."""
    rbe.manual_seed(0)
    layer = rbe.nn.RBELinear(inputs, outputs)
    x, dy = rbe.randn(batch, inputs, requires_grad=True), rbe.randn(batch, outputs)
    frozen, plain = rbe.nn.RBELinear(inputs, outputs).requires_grad_(False), rbe.randn(batch, inputs)
    cases = training(layer, rbe.optim.HybridOptimizer(layer.parameters()), x, dy)
    forward, backward = Case(lambda _: frozen(plain)), cases["backward"]

    def read(*names: str) -> Case:
        def run(y: Any) -> None:
            backward.run(y)
            for name in names:  # reading computes the gradient
                getattr(layer.weight.grad, name)

        return Case(run, backward.setup)

    def step(**options: Any) -> Case:
        own = rbe.nn.RBELinear(inputs, outputs)
        return training(own, rbe.optim.HybridOptimizer(own.parameters(), **options), x, dy)["training step"]

    steps = {"training step in backward": step(in_backward=True), "training step, exact": step(evidence="exact")}
    return {
        "forward": {"forward": forward},
        "backward": {
            "backward": backward,  # dx and bias; the gradients of bits and levels stay factors
            "backward, levels read": read("levels"),
            "backward, levels and hi read": read("hi", "levels"),
        },
        "forward + backward": {"forward + backward": cases["forward + backward"]},
        "training step": {"training step": cases["training step"]} | steps,
    }


def theirs(inputs: int, outputs: int, batch: int) -> dict[str, dict[str, Case]]:
    """Return torch's cases in float32 and of its compressed paths, by name."""
    if torch is None:
        return {}
    torch.manual_seed(0)

    def autocast(layer: Any, x: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return layer(x)

    def learning(dtype: Any, call: Callable[[Any, Any], Any] | None = None) -> dict[str, Case]:
        layer = torch.nn.Linear(inputs, outputs)
        x, dy = torch.randn(batch, inputs, requires_grad=True), torch.randn(batch, outputs, dtype=dtype)
        return training(layer, torch.optim.Adam(layer.parameters(), fused=True), x, dy, call)

    frozen, x = torch.nn.Linear(inputs, outputs).requires_grad_(False), torch.randn(batch, inputs)
    short, short_x = torch.nn.Linear(inputs, outputs).requires_grad_(False).bfloat16(), x.bfloat16()
    found = {
        "float32": {"forward": Case(lambda _: frozen(x))} | learning(torch.float32),
        "autocast": {"forward": Case(lambda _: autocast(frozen, x))} | learning(torch.bfloat16, autocast),
        "bfloat16": {"forward": Case(lambda _: short(short_x))},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation: the function moves to another package
        if hasattr(torch.ao, "quantization"):
            quantized = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(frozen), {torch.nn.Linear}, torch.qint8)
            found["int8"] = {"forward": Case(lambda _: quantized(x))}
    return found


def block(case: Case) -> list[float]:
    time.sleep(PAUSE)
    warm, total, found = 0.0, 0.0, list[float]()
    while warm < WARM:
        warm += case.seconds()
    while total < SHORT or (len(found) < BLOCK and total < LONG):
        found.append(case.seconds())
        total += found[-1]
    return found


def compare(own: dict[str, Case], others: dict[str, Case], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the medians of each case in microseconds, and the ratios of torch's block medians to rbe's with quartiles."""
    times: dict[str, list[list[float]]] = {name: [] for name in own | others}
    for contender in (own | others).values():
        contender.seconds()  # starts the threads it needs
    pin_threads()
    deadline = time.perf_counter() + seconds
    while min(map(len, times.values())) < ROUNDS or time.perf_counter() < deadline:
        for name, contender in (own | others).items():
            times[name].append(block(contender))
    us = {name: 1e6 * median(t for b in blocks for t in b) for name, blocks in times.items()}

    def beside(name: str, what: str) -> dict[str, float]:
        ratios = [median(theirs) / median(ours) for theirs, ours in zip(times[name], times[what], strict=True)]
        low, middle, high = (float(q) for q in np.quantile(ratios, [0.25, 0.5, 0.75]))
        return {"us": us[name], "ratio": middle, "low": low, "high": high}

    for what in own:
        found = {"what": what, "rbe_us": us[what], "blocks": len(times[what])}
        yield found | {"torch": {name: beside(name, what) for name in others}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", required=True, help="layers, such as 768x3072,3072x768")
    parser.add_argument("--batches", required=True, help="batch sizes, such as 1,32")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for each comparison")
    parser.add_argument("--paths", required=True, help="torch's paths, such as float32,int8")
    args = parser.parse_args()
    wanted = args.paths.split(",")
    rbe.set_num_threads(args.threads)
    if torch is not None:
        torch.set_num_threads(args.threads)
    for layer in args.layers.split(","):
        inputs, outputs = map(int, layer.split("x"))
        for batch in map(int, args.batches.split(",")):
            case = {"isa": rbe.isa(), "threads": args.threads, "layer": layer, "batch": batch}
            paths = {name: cases for name, cases in theirs(inputs, outputs, batch).items() if name in wanted}
            rows = []
            for what, own in ours(inputs, outputs, batch).items():
                others = {name: cases[what] for name, cases in paths.items() if what in cases}
                rows += [case | figures for figures in compare(own, others, args.seconds)]
            print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # `compare.py` reports it
        sys.exit(130)
