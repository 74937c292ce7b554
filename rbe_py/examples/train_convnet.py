"""Train a small convolutional network with packed filters on handwritten digits, and with `--dense` its dense twin too."""

from _digits import compare, options
from _options import positive
from rbe import nn


def build(side: int, channels: int, hidden: int, packed: bool) -> nn.Module:
    """Return two convolutions and two linear layers with batch norm for images (N, 1, side, side); all four packed, or none.

    Only the last layer has a bias, because batch norm would subtract it.
    """
    conv, linear = (nn.RBEConv2d, nn.RBELinear) if packed else (nn.Conv2d, nn.Linear)
    return nn.Sequential(
        conv(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2),
        conv(channels, 2 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(2 * channels), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        linear(2 * channels * (side // 4) ** 2, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        linear(hidden, 10),
    )  # fmt: skip


def main() -> None:
    """Train, compare, save, reload."""
    parser = options(__doc__, 8)
    parser.add_argument(
        "--channels", type=positive, default=32, help="filters of the first convolution; the second has twice as many"
    )
    parser.add_argument("--hidden", type=positive, default=128, help="units of the linear layer")
    parser.add_argument("--dense", action="store_true", help="train the dense twin too, side by side")
    args = parser.parse_args()
    compare(parser, args, "convnet", lambda side, packed: build(side, args.channels, args.hidden, packed), dense=args.dense)


if __name__ == "__main__":
    main()
