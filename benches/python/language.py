"""Time the training of the examples' language models, packed and dense, beside the same models in torch.

All run in turns, in blocks of steps, on random characters; the first step of a block does not count. Seconds are those the
processor worked for the process, so that other processes of the machine weigh less: with several threads, of all together.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rbe
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "rbe_py" / "examples"))
from train_gpt import GPT, HEADS
from train_lstm import CharacterLSTM

CHARACTERS, CONTEXT, BATCH = 65, 64, 32
Step = Callable[[], list[float]]  # seconds of the forward pass, the backward pass and the update
TF, tnn = torch.nn.functional, torch.nn


class Block(tnn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = tnn.LayerNorm(width), tnn.LayerNorm(width)
        self.qkv, self.merge = tnn.Linear(width, 3 * width), tnn.Linear(width, width)
        self.up, self.down = tnn.Linear(width, 4 * width), tnn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        seen = TF.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.merge(seen.transpose(1, 2).reshape(n, t, width))
        return x + self.down(self.up(self.norm2(x)).relu().square())


class TorchGPT(tnn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.character, self.position = tnn.Embedding(CHARACTERS, width), tnn.Embedding(CONTEXT, width)
        self.blocks = tnn.Sequential(*(Block(width) for _ in range(layers)))
        self.norm, self.out = tnn.LayerNorm(width), tnn.Linear(width, CHARACTERS)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        x = self.character(codes) + self.position(torch.arange(codes.shape[1]))
        return self.out(self.norm(self.blocks(x))).reshape(-1, CHARACTERS)


class TorchLSTM(tnn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.character, self.lstm = tnn.Embedding(CHARACTERS, 64), tnn.LSTM(64, width, layers, batch_first=True)
        self.out = tnn.Linear(width, CHARACTERS)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(self.character(codes))[0]).reshape(-1, CHARACTERS)


def stepper(model: Any, optimizer: Any, loss_of: Callable[..., Any], tensor: Callable[..., Any]) -> Step:
    rng = np.random.default_rng(0)
    x, y = (tensor(rng.integers(0, CHARACTERS, shape)) for shape in ((BATCH, CONTEXT), BATCH * CONTEXT))

    def step() -> list[float]:
        optimizer.zero_grad()
        times = [time.process_time()]
        loss = loss_of(model(x), y)
        times.append(time.process_time())
        loss.backward()
        times.append(time.process_time())
        optimizer.step()
        return list(np.diff([*times, time.process_time()]))

    return step


def ours(model: rbe.nn.Module, packed: bool) -> Step:
    p = model.parameters()
    optimizer: Any = rbe.optim.HybridOptimizer(p) if packed else rbe.optim.AdamW(p, lr=2e-3)
    return stepper(model, optimizer, rbe.nn.functional.cross_entropy, rbe.tensor)


def theirs(model: tnn.Module) -> Step:
    return stepper(model, torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True), TF.cross_entropy, torch.tensor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--model", choices=["gpt", "lstm"], default="gpt")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=5, help="turns of each model")
    parser.add_argument("--steps", type=int, default=6, help="steps of a turn")
    args = parser.parse_args()
    rbe.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    if args.model == "gpt":
        own: Any = [GPT(CHARACTERS, args.width, args.layers, CONTEXT, packed) for packed in (True, False)]
        other: tnn.Module = TorchGPT(args.width, args.layers)
    else:
        own = [CharacterLSTM(CHARACTERS, args.width, args.layers, packed) for packed in (True, False)]
        other = TorchLSTM(args.width, args.layers)
    kinds = {"rbe packed": ours(own[0], True), "rbe dense": ours(own[1], False), "torch dense": theirs(other)}
    times: dict[str, list[list[float]]] = {name: [] for name in kinds}
    for _ in range(args.blocks):
        for name, step in kinds.items():
            times[name] += [step() for _ in range(args.steps + 1)][1:]
    print(f"{args.model}, width {args.width}, {args.layers} layers, {args.threads} threads, {rbe.isa()}")
    for name, found in times.items():
        parts = 1e3 * np.median(found, 0)
        text = ", ".join(f"{what} {ms:.1f}" for what, ms in zip(("forward", "backward", "update"), parts, strict=True))
        print(f"{name:>12}: median step {1e3 * np.median(np.sum(found, 1)):7.1f} ms of processor time ({text})")


if __name__ == "__main__":
    main()
