"""Train a recurrent network on the characters of a text file, packed (and dense too, with `--dense`), and sample from it."""

import rbe
from _text import Choose, compare, read, sequence_options
from rbe import nn

WARM_UP = 100  # steps


class CharacterLSTM(nn.Module):
    """An embedding of characters, LSTM layers, and a linear map to logits."""

    def __init__(self, characters: int, width: int, layers: int, packed: bool) -> None:
        super().__init__()
        self.character = nn.Embedding(characters, 64)
        self.lstm = (nn.RBELSTM if packed else nn.LSTM)(64, width, layers, batch_first=True)
        self.out = nn.Linear(width, characters)

    def forward(self, codes: rbe.RBETensor) -> rbe.RBETensor:
        """Map codes (N, T) to logits (N · T, characters)."""
        states, _ = self.lstm(self.character(codes))
        logits: rbe.RBETensor = self.out(states)
        return logits.reshape(-1, self.out.out_features)

    def write(self, codes: list[int], length: int, choose: Choose) -> list[int]:
        """Return `codes` continued by `length` characters; the state carries the context."""
        codes, fresh, state = list(codes), codes, None
        for _ in range(length):
            states, state = self.lstm(self.character(rbe.tensor([fresh])), state)
            fresh = [choose(self.out(states[:, -1]))]
            codes += fresh
        return codes


def main() -> None:
    """Train, compare, sample, save."""
    parser = sequence_options(__doc__, 256, 1)
    args = parser.parse_args()
    text = read(parser, args, args.context)
    characters = len(text.characters)
    compare(args, text, "lstm", lambda packed: CharacterLSTM(characters, args.width, args.layers, packed), WARM_UP)


if __name__ == "__main__":
    main()
