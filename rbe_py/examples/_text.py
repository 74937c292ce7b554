"""Shared code of the language models of characters: windows of a text, training, comparison, command line."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import rbe
from _options import common, positive, prepare, rate
from _report import STOPPED, Run, fit, picture, side_by_side, table
from rbe.optim import lr_scheduler

Codes = np.ndarray[Any, Any]
Choose = Callable[[rbe.RBETensor], int]  # draws a character's code from logits (1, characters)
Write = Callable[[Any, list[int], int, Choose], list[int]]  # continues codes by a number of characters
SOURCE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def windows(codes: Codes, at: Codes, context: int) -> tuple[rbe.RBETensor, rbe.RBETensor]:
    """Return the windows (N, context) from the positions `at`, and the character after each place of them (N · context)."""
    places = at[:, None] + np.arange(context)
    return rbe.tensor(codes[places]), rbe.tensor(codes[places + 1].reshape(-1))


def batches(codes: Codes, size: int, context: int, seed: int) -> Iterator[tuple[rbe.RBETensor, rbe.RBETensor]]:
    """Yield random windows endlessly."""
    rng = np.random.default_rng(seed)
    while True:
        yield windows(codes, rng.integers(0, len(codes) - context, size), context)


def validation_loss(model: rbe.nn.Module, codes: Codes, context: int, count: int = 1000) -> float:
    """Return the mean loss (nats) over all positions of evenly spaced windows of held-out text."""
    model.eval()
    at = np.linspace(0, len(codes) - context - 1, min(count, len(codes) - context)).astype(np.int64)
    total = 0.0
    with rbe.no_grad():
        for i in range(0, len(at), 100):
            x, y = windows(codes, at[i : i + 100], context)
            total += rbe.nn.functional.cross_entropy(model(x), y, reduction="sum").item()
    model.train()
    return total / (len(at) * context)


def chooser(seed: int) -> Choose:
    """Return a function that draws a character's code from the softmax of logits."""
    rng = np.random.default_rng(seed)

    def choose(logits: rbe.RBETensor) -> int:
        p = logits.double().softmax().numpy()[0]
        return int(rng.choice(len(p), p=p / p.sum()))

    return choose


def options(description: str | None, batch: int, width: int) -> argparse.ArgumentParser:
    """Return a parser of the common options."""
    parser = common(description, batch)
    parser.add_argument("--data", required=True, help="a text file, such as tiny-Shakespeare")
    parser.add_argument("--width", type=positive, default=width, help="width of the hidden layers")
    parser.add_argument("--steps", type=positive, default=2000, help="training steps")
    parser.add_argument("--start", default="ROMEO:", help="beginning of the sample")
    return parser


def sequence_options(description: str | None, width: int, layers: int) -> argparse.ArgumentParser:
    """Return a parser for a model of windows of any length."""
    parser = options(description, 32, width)
    parser.add_argument("--dense", action="store_true", help="train the dense model too, side by side")
    parser.add_argument("--only-dense", action="store_true", help="train the dense model alone")
    parser.add_argument("--layers", type=positive, default=layers, help="layers of the model")
    parser.add_argument("--context", type=positive, default=64, help="characters of a window")
    parser.add_argument("--lr-hi", type=rate, default=0.05, help="rate of the packed weights' bits")
    parser.add_argument("--lr-lo", type=rate, default=0.03, help="rate of the packed weights' level parameters")
    return parser


def read(parser: argparse.ArgumentParser, args: argparse.Namespace, context: int) -> rbe.data.Text:
    """Return the text, of at least 20 contexts, and apply the other common options."""
    try:
        text = rbe.data.Text(args.data)
    except rbe.FormatError as e:
        parser.error(f"{e}; --data takes a text file, such as tiny-Shakespeare, which is at {SOURCE}")
    if len(text.codes) < 20 * context:
        parser.error(f"{args.data} has {len(text.codes)} characters; at least {20 * context} are needed")
    prepare(parser, args)
    return text


def conclude(args: argparse.Namespace, text: rbe.data.Text, name: str, runs: list[Run], write: Write, **facts: str) -> None:
    """Save the first model, draw a picture, and print a table and a sample of the model's text."""
    model = runs[0].model.eval()
    path, figure = args.out / f"{name}.safetensors", args.out / f"{name}.png"
    rbe.save(path, model.state_dict(), {"characters": text.characters, "width": str(args.width), **facts})
    picture(figure, runs, name)
    print("\n" + table(runs, "validation nats", ".3f"))
    known = [c for c in (text.characters.find(c) for c in args.start) if c >= 0] or [0]
    with rbe.no_grad():
        written = text.decode(write(model, known, 400, chooser(args.seed)))
    print(f"\nthe {runs[0].name} model writes:\n{written}\n")
    print(f"saved {path} ({path.stat().st_size:,} bytes); picture: {figure}")
    if runs[-1].stopped:
        raise SystemExit(STOPPED)


def compare(args: argparse.Namespace, text: rbe.data.Text, name: str, build: Callable[[bool], Any], warm_up: int) -> None:
    """Train the model `build(packed)` with every seed, evaluate, sample and save."""
    split = len(text.codes) * 9 // 10
    train_codes, held_out = text.codes[:split], text.codes[split:]

    def train(packed: bool, seed: int) -> Run:
        rbe.manual_seed(seed)
        run = Run("packed" if packed else "dense", build(packed))
        p = run.model.parameters()
        optimizer: Any = (
            rbe.optim.HybridOptimizer(p, lr=args.lr, lr_hi=args.lr_hi, lr_lo=args.lr_lo, evidence=args.evidence, seed=seed)
            if packed
            else rbe.optim.AdamW(p, lr=args.lr)
        )
        warm = min(warm_up, args.steps // 10)
        schedule: Any = lr_scheduler.CosineAnnealingLR(optimizer, max(args.steps - warm, 1))
        if warm:
            rise = lr_scheduler.LinearLR(optimizer, 1 / warm, total_iters=warm)
            schedule = lr_scheduler.SequentialLR(optimizer, [rise, schedule], [warm])
        fit(run, batches(train_codes, args.batch, args.context, seed), args.steps, optimizer, schedule)
        run.score = validation_loss(run.model, held_out, args.context)
        return run

    kinds = (False,) if args.only_dense else (True, False) if args.dense else (True,)
    runs = side_by_side(train, range(args.seed, args.seed + args.seeds), "validation loss", ".3f", kinds)
    conclude(args, text, name, runs, lambda model, *rest: model.write(*rest), layers=str(args.layers))
