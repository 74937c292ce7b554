"""Peak memory of training 50 million weights at batch 4, packed in rbe or dense in torch with Adam: one JSON line.

What the process held after training a tiny model, which loads all code, is taken off.
"""

import argparse
import json
import resource


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def packed(width: int, depth: int) -> None:
    import rbe

    model = rbe.nn.Sequential(*(rbe.nn.RBELinear(width, width) for _ in range(depth)))
    optimizer = rbe.optim.HybridOptimizer(model.parameters(), in_backward=True)
    for _ in range(3):
        optimizer.step_with_autodiff((model(rbe.randn(4, width)) ** 2).mean())


def dense(width: int, depth: int) -> None:
    import torch

    model = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(depth)))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        (model(torch.randn(4, width)) ** 2).mean().backward()
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["packed", "dense"])
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--depth", type=int, default=3)
    args = parser.parse_args()
    run = packed if args.kind == "packed" else dense
    run(64, 2)
    before = peak()
    run(args.width, args.depth)
    print(json.dumps({"kind": args.kind, "weights": args.width**2 * args.depth, "bytes": peak() - before}))


if __name__ == "__main__":
    main()
