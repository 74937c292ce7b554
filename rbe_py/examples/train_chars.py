"""Train a character model with packed and with dense weights on a text file, side by side, and sample from it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import rbe
from _report import Run, fit, side_by_side
from _text import Choose, conclude, options, read
from rbe import nn

CONTEXT = 16


def build(characters: int, width: int, packed: bool, code: str) -> nn.Module:
    """Return a network: 16 characters of 32 numbers each, two hidden layers with batch norm, one output for each character."""
    linear = partial(nn.RBELinear, code=code) if packed else nn.Linear
    return nn.Sequential(
        nn.Embedding(characters, 32), nn.Flatten(),
        linear(CONTEXT * 32, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
        linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, characters),
    )  # fmt: skip


def samples(codes: "np.ndarray[Any, Any]", at: "np.ndarray[Any, Any]") -> tuple[rbe.RBETensor, rbe.RBETensor]:
    """Return the contexts that begin at the positions `at`, and the characters that follow them."""
    return rbe.tensor(codes[at[:, None] + np.arange(CONTEXT)]), rbe.tensor(codes[at + CONTEXT])


def batches(codes: "np.ndarray[Any, Any]", size: int, seed: int) -> Iterator[tuple[rbe.RBETensor, rbe.RBETensor]]:
    """Yield random contexts endlessly."""
    rng = np.random.default_rng(seed)
    while True:
        yield samples(codes, rng.integers(0, len(codes) - CONTEXT, size))


def validation_loss(model: nn.Module, codes: "np.ndarray[Any, Any]", count: int = 20_000) -> float:
    """Return the mean loss (nats) over evenly spaced contexts of held-out text."""
    model.eval()
    at = np.linspace(0, len(codes) - CONTEXT - 1, min(count, len(codes) - CONTEXT)).astype(np.int64)
    total = 0.0
    with rbe.no_grad():
        for i in range(0, len(at), 2000):
            x, y = samples(codes, at[i : i + 2000])
            total += rbe.nn.functional.cross_entropy(model(x), y, reduction="sum").item()
    model.train()
    return total / len(at)


def write(model: nn.Module, codes: list[int], length: int, choose: Choose) -> list[int]:
    """Return `codes` continued by `length` characters."""
    codes = [0] * CONTEXT + codes
    for _ in range(length):
        codes.append(choose(model(rbe.tensor([codes[-CONTEXT:]]))))
    return codes[CONTEXT:]


def main() -> None:
    """Train, compare, sample, save."""
    parser = options(__doc__, 256, 512)
    parser.add_argument("--code", choices=("levels", "cycle"), default="levels", help="what the bits of packed weights mean")
    args = parser.parse_args()
    text = read(parser, args, CONTEXT)
    split = len(text.codes) * 9 // 10
    train_codes, held_out = text.codes[:split], text.codes[split:]

    def train(packed: bool, seed: int) -> Run:
        rbe.manual_seed(seed)
        run = Run("packed" if packed else "dense", build(len(text.characters), args.width, packed, args.code))
        p = run.model.parameters()
        optimizer = (
            rbe.optim.HybridOptimizer(p, lr=args.lr, evidence=args.evidence, seed=seed)
            if packed
            else rbe.optim.Adam(p, lr=args.lr)
        )
        schedule = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
        fit(run, batches(train_codes, args.batch, seed), args.steps, optimizer, schedule)
        run.score = validation_loss(run.model, held_out)
        return run

    runs = side_by_side(train, range(args.seed, args.seed + args.seeds), "validation loss", ".3f")
    conclude(args, text, "chars", runs, write)


if __name__ == "__main__":
    main()
