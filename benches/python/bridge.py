"""Measure what a packed layer in torch costs beyond the kernels of the engine.

A chain of layers runs forward and backward in torch. Beside it run the kernels that those passes call, on tensors of the same
sizes: quantisation and forward product, dx with the gradient of the bias, and the gradient of the weight as factors. The
difference, by the number of layers, is the cost of a layer; the chain of torch's own dense layers is printed for comparison.
Both run alternately on one thread; medians of the rounds.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rbe
import torch
from machine import cpu
from rbe.torch import RBELinear, _kernels

LAYERS = 32


def passes(model: torch.nn.Module, x: torch.Tensor, dy: torch.Tensor) -> Callable[[], Any]:
    def run() -> None:
        model.zero_grad()
        model(x).backward(dy)

    return run


def only_kernels(model: torch.nn.Sequential, x: torch.Tensor, dy: torch.Tensor) -> Callable[[], Any]:
    weights = [(layer.held, layer.bias.detach()) for layer in model]

    def run() -> None:
        for weight, bias in weights:
            _, kept = _kernels.product(x, weight, bias, True, True)
            _kernels.product_gradients(dy, weight, True, True, True)
            _kernels.weight_gradient(dy, kept, True, weight)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--smoke", action="store_true", help="run once, without measuring")
    args = parser.parse_args()
    rbe.set_num_threads(1)
    torch.set_num_threads(1)
    rounds = 1 if args.smoke else args.rounds
    print(f"{cpu()}, {rbe.isa()}, 1 thread, torch {torch.__version__}; microseconds a layer, forward and backward, medians")
    print(f"{'width':>6} {'batch':>6} {'kernels':>9} {'packed':>9} {'beyond':>9} {'dense':>9}")
    for width, batch in ((64, 1), (64, 16), (256, 16)):
        packed = torch.nn.Sequential(*(RBELinear(width, width) for _ in range(LAYERS)))
        dense = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(LAYERS)))
        x, dy = torch.randn(batch, width, requires_grad=True), torch.randn(batch, width)
        runs = [only_kernels(packed, x.detach(), dy), passes(packed, x, dy), passes(dense, x, dy)]
        times: list[list[float]] = [[] for _ in runs]
        for _ in range(rounds):
            for run, found in zip(runs, times, strict=True):
                start = time.perf_counter()
                run()
                found.append(1e6 * (time.perf_counter() - start) / LAYERS)
        own, bridge, other = (float(np.median(found)) for found in times)
        print(f"{width:>6} {batch:>6} {own:>9.1f} {bridge:>9.1f} {bridge - own:>9.1f} {other:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
