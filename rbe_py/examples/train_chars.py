"""Train a character model with packed and with dense weights on a text file, side by side, and sample from it."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rbe
from _report import STOPPED, Run, fit, picture, positive, side_by_side, table
from rbe import nn

CONTEXT = 16


def build(characters: int, width: int, packed: bool) -> nn.Module:
    """Return 16 characters of 32 numbers each, two hidden layers with batch norm, one output a character."""
    linear = nn.RBELinear if packed else nn.Linear
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
    """Yield random contexts without end."""
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


def sample(model: nn.Module, text: rbe.data.Text, start: str, length: int, seed: int) -> str:
    """Return text that the model continues from `start`."""
    model.eval()
    rng = np.random.default_rng(seed)
    known = [text.characters.find(c) for c in start]
    codes = [0] * CONTEXT + [c for c in known if c >= 0]
    with rbe.no_grad():
        for _ in range(length):
            p = model(rbe.tensor([codes[-CONTEXT:]])).double().softmax().numpy()[0]
            codes.append(int(rng.choice(len(p), p=p / p.sum())))
    return text.decode(codes[CONTEXT:])


def main() -> None:
    """Train, compare, sample, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", required=True, help="a text file")
    parser.add_argument("--steps", type=positive, default=2000)
    parser.add_argument("--batch", type=positive, default=256)
    parser.add_argument("--width", type=positive, default=512)
    parser.add_argument("--lr", type=float, default=2e-3, help="rate of dense parameters")
    parser.add_argument("--evidence", choices=("int8", "exact"), default="int8", help="numbers of the evidence for the bits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=positive, default=1, help="number of seeds; the table gives the means")
    parser.add_argument("--start", default="ROMEO:", help="what the sample begins with")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the model and the picture")
    args = parser.parse_args()
    try:
        text = rbe.data.Text(args.data)
    except rbe.FormatError as e:
        parser.error(str(e))
    if len(text.codes) < 1000:
        parser.error(f"{args.data} has {len(text.codes)} characters; at least 1000 are needed")
    args.out.mkdir(parents=True, exist_ok=True)
    split = len(text.codes) * 9 // 10
    train_codes, held_out = text.codes[:split], text.codes[split:]

    def train(packed: bool, seed: int) -> Run:
        rbe.manual_seed(seed)
        run = Run("packed" if packed else "dense", build(len(text.characters), args.width, packed))
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

    path = args.out / "chars.safetensors"
    rbe.save(path, runs[0].model.state_dict(), {"characters": text.characters, "width": str(args.width)})
    figure = args.out / "chars.png"
    picture(figure, runs, "characters")
    print("\n" + table(runs, "validation nats", ".3f"))
    print(f"\nthe packed model writes:\n{sample(runs[0].model, text, args.start, 400, args.seed)}\n")
    print(f"saved {path} ({path.stat().st_size:,} bytes); picture: {figure}")
    if runs[-1].stopped:
        raise SystemExit(STOPPED)


if __name__ == "__main__":
    main()
