"""The command line of the examples, with one-line error messages."""

import argparse
import math
from pathlib import Path

import rbe


def positive(text: str) -> int:
    """Return an integer of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def rate(text: str) -> float:
    """Return a finite number of at least 0, for argparse."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{value} is no rate: a number of at least 0")
    return value


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Help with default values."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def common(description: str | None, batch: int) -> argparse.ArgumentParser:
    """Return a parser of the options that all examples share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=Help)
    parser.add_argument("--batch", type=positive, default=batch, help="samples in a step")
    parser.add_argument("--lr", type=rate, default=2e-3, help="learning rate of dense parameters")
    parser.add_argument("--evidence", choices=("int8", "exact"), default="int8", help="number type of flip scores")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument("--seeds", type=positive, default=1, help="number of seeds; the table gives the means")
    parser.add_argument("--threads", type=positive, default=rbe.get_num_threads(), help="threads of the kernels")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the model and the picture")
    return parser


def prepare(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Set the number of threads and create the folder of the results."""
    try:
        rbe.set_num_threads(args.threads)
        args.out.mkdir(parents=True, exist_ok=True)
    except rbe.ConfigError as e:
        parser.error(f"--threads: {e}")
    except OSError as e:
        parser.error(f"--out: {e}")
