"""Train the same network with packed and with dense weights on handwritten digits, side by side."""

from _digits import compare, options
from _options import positive
from rbe import nn


def build(inputs: int, hidden: int, packed: bool) -> nn.Module:
    """Return a network with two hidden layers and batch norm; all three linear layers packed, or all dense."""
    linear = nn.RBELinear if packed else nn.Linear
    return nn.Sequential(
        nn.Flatten(),
        linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        linear(hidden, 10),
    )  # fmt: skip


def main() -> None:
    """Train, compare, save, reload."""
    parser = options(__doc__, 10)
    parser.add_argument("--hidden", type=positive, default=256, help="units of a hidden layer")
    args = parser.parse_args()
    compare(parser, args, "digits", lambda side, packed: build(side * side, args.hidden, packed))


if __name__ == "__main__":
    main()
