"""Print how many bits flip in ordinary steps after one gradient that is far too large: the table in design/format.md."""

import argparse

import rbe


def flips(before: int, spike: float | None, seed: int, steps: int = 300) -> tuple[int, int]:
    """Return the bits that flip in a step with a gradient of size `spike`, and in the ordinary steps after it."""
    rbe.manual_seed(seed)
    layer = rbe.RBELinear(64, 16)
    optimizer = rbe.optim.HybridOptimizer(layer.parameters(), seed=seed)

    def step(size: float) -> int:
        optimizer.zero_grad()
        layer(rbe.randn(4, 64)).backward(rbe.randn(4, 16) * size)
        optimizer.step()
        return optimizer.flips

    for _ in range(before):
        step(1.0)
    at_once = 0 if spike is None else step(spike)
    return at_once, sum(step(1.0) for _ in range(steps))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    befores = (0, 1, 10, 200)
    print("| size | " + " | ".join(f"after {n} steps: at once, in 300" for n in befores) + " |")
    print("|---" * (len(befores) + 1) + "|")
    for size in (None, 3.0, 10.0, 30.0, 1e2, 1e3, 1e6, 1e14, 1e20, 1e30, 1e37):
        means = []
        for before in befores:
            found = [flips(before, size, seed) for seed in seeds]
            means.append(", ".join(f"{sum(column) / len(found):.0f}" for column in zip(*found, strict=True)))
        print(f"| {'none' if size is None else f'{size:g}'} | " + " | ".join(means) + " |")


if __name__ == "__main__":
    main()
