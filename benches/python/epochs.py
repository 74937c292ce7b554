"""Compare the training steps of the examples' networks, packed and dense, with the same networks in torch with fused Adam.

Packed networks run with their products in int8 ("int8") and in float32 ("packed"); "bridge" is torch's network with packed
layers (`rbe.torch`), in int8. All run alternately, in blocks of steps, on random data of the examples' sizes and with the same
number of threads. The first step of a block, with cold caches and sleeping threads, is not counted. Prints the median step and
its parts, the processor time of all threads (more reliable on a shared machine), the peak memory of training, less that of the
imports, and the number of steps of an epoch.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rbe
import torch
import twins
from layers import PAUSE
from machine import cpu
from rbe import nn
from rbe.torch import HybridOptimizer, pack_

sys.path.append(str(Path(__file__).resolve().parents[2] / "rbe_py" / "examples"))
import train_convnet
import train_digits
import train_gpt
import train_lstm

SIDE, IMAGES, CLASSES = 28, 60_000, 10
CHARACTERS, CONTEXT, TEXT = 65, 64, 1_003_854  # of tiny-Shakespeare's first nine tenths
Parts = tuple[float, float, float, float]  # seconds of forward, backward and update, and processor time of all


@dataclass
class Example:
    """A network of the examples, its twin, and the data of a step."""

    build: Callable[[bool], nn.Module]  # packed or dense
    twin: Callable[[], torch.nn.Module]
    batch: int
    epoch: int  # steps of an epoch
    images: bool
    context: int = 0  # characters of a sample
    dense: str = "Adam"  # optimiser of dense parameters, as in the example

    def data(self) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        if self.images:
            x = rng.standard_normal((self.batch, 1, SIDE, SIDE)).astype(np.float32)
            return x, rng.integers(0, CLASSES, self.batch)
        return rng.integers(0, CHARACTERS, (self.batch, self.context)), rng.integers(0, CHARACTERS, self.batch * self.context)


def image(build: Callable[[bool], nn.Module], twin: Callable[[], torch.nn.Module]) -> Example:
    return Example(build, twin, 100, IMAGES // 100, True)


def text(
    build: Callable[[bool], nn.Module], twin: Callable[[], torch.nn.Module], batch: int = 32, context: int = CONTEXT
) -> Example:
    return Example(build, twin, batch, TEXT // (batch * context), False, context, "AdamW")


def gpt(width: int, layers: int, context: int, batch: int) -> Example:
    return text(
        lambda p: train_gpt.GPT(CHARACTERS, width, layers, context, p),
        lambda: twins.GPT(CHARACTERS, width, layers, context, train_gpt.HEADS),
        batch,
        context,
    )


EXAMPLES = {
    "digits": image(lambda p: train_digits.build(SIDE * SIDE, 256, p), lambda: twins.digits(SIDE, 256)),
    "convnet": image(lambda p: train_convnet.build(SIDE, 32, 128, p), lambda: twins.convnet(SIDE, 32, 128)),
    "lstm": text(lambda p: train_lstm.CharacterLSTM(CHARACTERS, 256, 1, p), lambda: twins.LSTM(CHARACTERS, 256, 1)),
    "gpt": gpt(128, 2, CONTEXT, 32),
    "gpt512": gpt(512, 4, 128, 8),
}


def stepper(
    model: Any, optimizer: Any, loss_of: Callable[..., Any], x: Any, y: Any, precision: str = "float32"
) -> Callable[[], Parts]:
    def step() -> Parts:
        rbe.set_packed_matmul_precision(precision)
        processor = time.process_time()
        optimizer.zero_grad()
        start = time.perf_counter()
        loss = loss_of(model(x), y)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        optimizer.step()
        done = time.perf_counter()
        return forward - start, backward - forward, done - backward, time.process_time() - processor

    return step


# Packed or dense, and the precision of the products of packed weights.
NETWORKS = {
    "int8": (True, "int8"),
    "packed": (True, "float32"),
    "dense": (False, "float32"),
    "bridge": (True, "int8"),
    "torch": (False, "float32"),
}


def contender(example: Example, name: str, evidence: str) -> Callable[[], Parts]:
    """Return a function that makes a step with one of `NETWORKS`."""
    x, y = example.data()
    rbe.manual_seed(0)
    torch.manual_seed(0)
    packed, precision = NETWORKS[name]
    if name in ("bridge", "torch"):
        twin = example.twin()
        if packed:
            pack_(twin)
            optimizer = HybridOptimizer(twin, evidence=evidence)
        else:
            optimizer = getattr(torch.optim, example.dense)(twin.parameters(), lr=2e-3, fused=True)
        return stepper(twin, optimizer, torch.nn.functional.cross_entropy, torch.tensor(x), torch.tensor(y), precision)
    model = example.build(packed)
    p = model.parameters()
    optimizer = rbe.optim.HybridOptimizer(p, evidence=evidence) if packed else getattr(rbe.optim, example.dense)(p, lr=2e-3)
    return stepper(model, optimizer, nn.functional.cross_entropy, rbe.tensor(x), rbe.tensor(y), precision)


def resident(field: str) -> int:
    """Return a size of this process in bytes: VmRSS, the resident set, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def print_peak(example: Example, name: str, evidence: str) -> None:
    """Print how many bytes a network's training takes at its peak. For a process that has done nothing else."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of the imports does not count
    before = resident("VmRSS")
    step = contender(example, name, evidence)
    for _ in range(3):
        step()
    print(resident("VmHWM") - before)


def peak(args: argparse.Namespace, model: str, network: str) -> float:
    """Return the peak memory of training in MB, measured in a process of its own."""
    options = ["--models", model, "--peak", network, "--threads", str(args.threads), "--evidence", args.evidence]
    ran = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
    return int(ran.stdout) / 1e6


def measure(example: Example, evidence: str, blocks: int, steps: int) -> dict[str, np.ndarray]:
    """Return the parts (blocks * steps, 4) of each contender's steps."""
    runs = {name: contender(example, name, evidence) for name in NETWORKS}
    times: dict[str, list[Parts]] = {name: [] for name in runs}
    for _ in range(blocks):
        for name, step in runs.items():
            time.sleep(PAUSE)
            times[name] += [step() for _ in range(steps + 1)][1:]
    return {name: np.array(parts) for name, parts in times.items()}


def operations(example: Example, evidence: str, steps: int) -> str:
    """Return a table of the operations of some steps with products in int8."""
    step = contender(example, "int8", evidence)
    step()
    with rbe.profiler.profile() as taken:
        for _ in range(steps):
            step()
    return taken.table()


def rows(times: dict[str, np.ndarray], blocks: int, megabytes: dict[str, float]) -> list[str]:
    """Return a line for each contender, with ratios of the blocks' medians and their quartiles, and peak memory."""
    steps = {name: parts[:, :3].sum(1) for name, parts in times.items()}
    medians = {name: np.median(s.reshape(blocks, -1), 1) for name, s in steps.items()}
    lines = []
    for name, parts in times.items():
        low, middle, high = np.quantile(medians["torch"] / medians[name], [0.25, 0.5, 0.75])
        forward, backward, update, processor = 1e3 * np.median(parts, 0)
        ratio = f"{middle:5.2f} ({low:.2f}–{high:.2f})"
        step = 1e3 * np.median(steps[name])
        parts_of_step = f"{step:8.1f} {forward:8.1f} {backward:9.1f} {update:7.1f} {processor:10.1f}"
        lines.append(f"{name:>8} {parts_of_step}   {ratio:>18} {megabytes[name]:8.1f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(EXAMPLES), default=list(EXAMPLES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=8, help="blocks of each network")
    parser.add_argument("--steps", type=int, default=8, help="steps of a block")
    parser.add_argument("--evidence", choices=["exact", "int8"], default="int8", help="number type of flip scores")
    parser.add_argument("--profile", action="store_true", help="list the operations of a block with products in int8 instead")
    parser.add_argument("--peak", choices=list(NETWORKS), help="print the bytes that training takes at its peak instead")
    parser.add_argument("--smoke", action="store_true", help="run one step once, without measuring")
    args = parser.parse_args()
    if args.smoke:
        args.blocks = args.steps = 1
    rbe.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    if args.peak:
        print_peak(EXAMPLES[args.models[0]], args.peak, args.evidence)
        return
    setting = f"{rbe.isa()}, {args.threads} threads, {args.evidence} evidence, torch {torch.__version__}"
    print(f"{cpu()}, {setting}; milliseconds, medians")
    for name in args.models:
        example = EXAMPLES[name]
        print(f"\n{name}: batch {example.batch}, {example.epoch} steps an epoch")
        if args.profile:
            print(operations(example, args.evidence, args.steps), flush=True)
            continue
        times = measure(example, args.evidence, args.blocks, args.steps)
        megabytes = {network: peak(args, name, network) for network in NETWORKS}
        head = f"{'step':>8} {'forward':>8} {'backward':>9} {'update':>7} {'processor':>10}"
        print(f"{'':>8} {head}   torch's step/this {'peak MB':>8}")
        print("\n".join(rows(times, args.blocks, megabytes)), flush=True)


if __name__ == "__main__":
    main()
