"""Time the training of the example's convolutional network, packed and dense, beside the same network in torch.

All run in turns, in blocks of steps, on random images of MNIST's size with one number of threads; the first step of a block
does not count. Prints the median step, the processor time of a step (which says more where the machine has other work), and
what an epoch of 60 000 images takes at the mean step.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rbe
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "rbe_py" / "examples"))
from train_convnet import build

SIDE, CHANNELS, HIDDEN, IMAGES = 28, 32, 128, 60_000
Step = Callable[[], None]


def ours(packed: bool, x: np.ndarray, y: np.ndarray) -> Step:
    rbe.manual_seed(0)
    model = build(SIDE, CHANNELS, HIDDEN, packed)
    parameters = model.parameters()
    optimizer = rbe.optim.HybridOptimizer(parameters) if packed else rbe.optim.Adam(parameters, lr=2e-3)
    loss_of, images, labels = rbe.nn.CrossEntropyLoss(), rbe.tensor(x), rbe.tensor(y)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(images), labels).backward()
        optimizer.step()

    return step


def theirs(x: np.ndarray, y: np.ndarray) -> Step:
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False), nn.BatchNorm2d(CHANNELS), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(CHANNELS, 2 * CHANNELS, 3, padding=1, bias=False), nn.BatchNorm2d(2 * CHANNELS), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * CHANNELS * (SIDE // 4) ** 2, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
    loss_of, images, labels = nn.CrossEntropyLoss(), torch.tensor(x), torch.tensor(y)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(images), labels).backward()
        optimizer.step()

    return step


def block(step: Step, steps: int) -> list[tuple[float, float]]:
    """Seconds, passed and of the processor, of each step but the first, which finds cold caches and parked threads."""
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter(), time.process_time()
        step()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=10, help="turns of each network")
    parser.add_argument("--steps", type=int, default=10, help="steps of a turn")
    args = parser.parse_args()
    rbe.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((args.batch, 1, SIDE, SIDE)).astype(np.float32), rng.integers(0, 10, args.batch)
    kinds = {"rbe packed": ours(True, x, y), "rbe dense": ours(False, x, y), "torch dense": theirs(x, y)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(args.blocks):
        for name, step in kinds.items():
            times[name] += block(step, args.steps)
    print(f"batch {args.batch}, {args.threads} threads, {rbe.isa()}")
    for name, pairs in times.items():
        passed, processor = np.array(pairs).T
        step, work, epoch = 1e3 * np.median(passed), 1e3 * np.median(processor), np.mean(passed) * IMAGES / args.batch
        print(f"{name:>12}: median step {step:7.1f} ms, of the processor {work:7.1f} ms, epoch {epoch:6.1f} s")


if __name__ == "__main__":
    main()
