"""Shared code of the examples on handwritten digits: data, training, comparison of networks."""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import rbe
from _options import common, positive, prepare
from _report import STOPPED, Run, fit, picture, side_by_side, table
from rbe import nn

Data = tuple[rbe.RBETensor, rbe.RBETensor]
SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
Build = Callable[[int, bool], nn.Module]  # takes the images' side and whether weights are packed


def bundled() -> tuple[Data, Data]:
    """Return scikit-learn's 8x8 digits, (N, 1, 8, 8): 1437 to train, 360 to test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = (digits.images[order, None] / 8.0 - 1.0).astype(np.float32)
    y = digits.target[order].astype(np.int64)
    split = len(y) * 4 // 5
    return (rbe.tensor(x[:split]), rbe.tensor(y[:split])), (rbe.tensor(x[split:]), rbe.tensor(y[split:]))


def mnist(folder: str) -> tuple[Data, Data]:
    """Return MNIST from idx files, plain or gzipped, (N, 1, 28, 28): 60000 to train, 10000 to test."""

    def part(stem: str) -> Data:
        images = rbe.data.read_idx(rbe.data.find_idx(folder, f"{stem}-images-idx3-ubyte"))
        labels = rbe.data.read_idx(rbe.data.find_idx(folder, f"{stem}-labels-idx1-ubyte"))
        x = (images[:, None].astype(np.float32) / 255.0 - 0.1307) / 0.3081
        return rbe.tensor(x), rbe.tensor(labels.astype(np.int64))

    return part("train"), part("t10k")


def accuracy(model: nn.Module, data: Data) -> float:
    """Return the percentage of samples classified as labelled."""
    model.eval()
    x, y = data
    with rbe.no_grad():
        hits = sum(int((model(x[i : i + 500]).argmax(1) == y[i : i + 500]).sum()) for i in range(0, len(y), 500))
    model.train()
    return 100.0 * hits / len(y)


def batches(data: Data, size: int, seed: int) -> Iterator[Data]:
    """Yield shuffled batches without end."""
    loader = rbe.data.DataLoader(rbe.data.TensorDataset(*data), size, shuffle=True, drop_last=True, seed=seed)
    while True:
        yield from loader


def train(build: Build, packed: bool, train_set: Data, test_set: Data, args: argparse.Namespace, seed: int) -> Run:
    """Train one model and evaluate it."""
    rbe.manual_seed(seed)
    run = Run("packed" if packed else "dense", build(train_set[0].shape[-1], packed))
    parameters = run.model.parameters()
    optimizer = (
        rbe.optim.HybridOptimizer(parameters, lr=args.lr, evidence=args.evidence, seed=seed)
        if packed
        else rbe.optim.Adam(parameters, lr=args.lr)
    )
    per_epoch = len(train_set[1]) // args.batch
    steps = args.epochs * per_epoch
    schedule = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def after(step: int) -> str | None:
        return f"test {accuracy(run.model, test_set):.2f} %" if (step + 1) % per_epoch == 0 else None

    fit(run, batches(train_set, args.batch, seed), steps, optimizer, schedule, after)
    run.score = accuracy(run.model, test_set)
    return run


def options(description: str | None, epochs: int) -> argparse.ArgumentParser:
    """Return a parser of the common options; `epochs` is the default for MNIST."""
    parser = common(description, 100)
    parser.add_argument("--data", help="folder of MNIST's four idx files (default: the 8x8 digits that come with scikit-learn)")
    parser.add_argument(
        "--epochs", type=positive, help=f"passes over the data (default: {epochs} for MNIST, {6 * epochs} for the small set)"
    )
    parser.set_defaults(full_epochs=epochs)
    return parser


def compare(parser: argparse.ArgumentParser, args: argparse.Namespace, name: str, build: Build, dense: bool = True) -> None:
    """Train packed and dense networks, print a table, draw a picture, save the packed model and load it again."""
    try:
        train_set, test_set = mnist(args.data) if args.data else bundled()
    except rbe.FormatError as e:
        parser.error(f"{e}; --data may be left out, or names the folder of MNIST's four idx files, which are at {SOURCE}")
    except ModuleNotFoundError as e:
        parser.error(
            f"{e}: install scikit-learn, or name the folder of MNIST's four idx files, which are at {SOURCE}, by --data"
        )
    args.epochs = args.epochs or args.full_epochs * (1 if args.data else 6)
    if args.batch > len(train_set[1]):
        parser.error(f"--batch {args.batch}: there are {len(train_set[1])} samples")
    prepare(parser, args)

    def one(packed: bool, seed: int) -> Run:
        return train(build, packed, train_set, test_set, args, seed)

    seeds = range(args.seed, args.seed + args.seeds)
    runs = side_by_side(one, seeds, "test accuracy", ".2f", (True, False) if dense else (True,))

    path = args.out / f"{name}.safetensors"
    before = accuracy(runs[0].model, test_set)
    rbe.save(path, runs[0].model.state_dict())
    again = build(train_set[0].shape[-1], True)
    again.load_state_dict(rbe.load(path))
    after = accuracy(again, test_set)
    figure = args.out / f"{name}.png"
    picture(figure, runs, "handwritten digits")
    print()
    print(table(runs, "test accuracy %", ".2f"))
    print(
        f"\nsaved {path} ({path.stat().st_size:,} bytes), reloaded: {after:.2f} % (before: {before:.2f} %)\npicture: {figure}"
    )
    if after != before:
        raise SystemExit("the reloaded model differs from the saved one")
    if runs[-1].stopped:
        raise SystemExit(STOPPED)
