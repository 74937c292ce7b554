"""Peak memory of training 50 million weights at batch 4, packed in rbe or dense in torch with Adam: one JSON line.

`bytes` is the peak of the resident set minus its size after training a tiny model, which loads all code. `state` is the memory
in use of rbe's pool after the last step, in bytes for each weight: blocks, charges, moments.
"""

import argparse
import json
import resource

from machine import run


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def packed(width: int, depth: int) -> dict[str, float]:
    import rbe

    model = rbe.nn.Sequential(*(rbe.nn.RBELinear(width, width) for _ in range(depth)))
    optimizer = rbe.optim.HybridOptimizer(model.parameters(), in_backward=True)
    for _ in range(3):
        optimizer.step_with_autodiff((model(rbe.randn(4, width)) ** 2).mean())
    return {"state": round(rbe.memory.pool_stats()["in_use_bytes"] / (width**2 * depth), 3)}


def dense(width: int, depth: int) -> dict[str, float]:
    import torch

    model = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(depth)))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        (model(torch.randn(4, width)) ** 2).mean().backward()
        optimizer.step()
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["packed", "dense"])
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--depth", type=int, default=3)
    args = parser.parse_args()
    run = packed if args.kind == "packed" else dense
    run(64, 2)
    before = peak()
    extra = run(args.width, args.depth)
    weights, taken = args.width**2 * args.depth, peak() - before
    print(json.dumps({"kind": args.kind, "weights": weights, "bytes": taken, "a_weight": round(taken / weights, 3), **extra}))


if __name__ == "__main__":
    run(main)
