"""Train a transformer on the characters of a text file, packed (and dense too, with `--dense`), and sample from it."""

import rbe
from _text import Choose, compare, read, sequence_options
from rbe import nn

HEADS = 4
WARM_UP = 100  # steps


class Block(nn.Module):
    """Attention to earlier positions and two linear maps, each after layer norm and added to its input."""

    def __init__(self, width: int, packed: bool) -> None:
        super().__init__()
        linear = nn.RBELinear if packed else nn.Linear
        attention = nn.RBEMultiheadAttention if packed else nn.MultiheadAttention
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = attention(width, HEADS, batch_first=True)
        self.up, self.down = linear(width, 4 * width), linear(4 * width, width)

    def forward(self, x: rbe.RBETensor, cache: nn.KeyValueCache | None) -> rbe.RBETensor:
        """Map (N, T, width) to the same shape."""
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False, is_causal=True, cache=cache)[0]
        z: rbe.RBETensor = self.down(self.up(self.norm2(x)).squared_relu())
        return x + z


class GPT(nn.Module):
    """Embeddings of characters and positions, blocks, layer norm and a linear map to logits."""

    def __init__(self, characters: int, width: int, layers: int, context: int, packed: bool) -> None:
        super().__init__()
        self.context = context
        self.character, self.position = nn.Embedding(characters, width), nn.Embedding(context, width)
        for table in (self.character, self.position):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, packed) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, codes: rbe.RBETensor, caches: list[nn.KeyValueCache] | None = None) -> rbe.RBETensor:
        """Map codes (N, T) to logits (N · T, characters); with caches they follow the cached positions."""
        start = caches[0].length if caches else 0
        x = self.character(codes) + self.position(rbe.arange(start, start + codes.shape[1]))
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        logits: rbe.RBETensor = self.out(self.norm(x))
        return logits.reshape(-1, self.out.out_features)

    def write(self, codes: list[int], length: int, choose: Choose) -> list[int]:
        """Return `codes` continued by `length` characters; with caches only the newest position is computed."""
        codes, wanted, fresh = list(codes), len(codes) + length, codes[-self.context :]
        caches = [nn.KeyValueCache() for _ in self.blocks]
        while len(codes) < wanted:
            if caches[0].length + len(fresh) > self.context:  # restart with the last half of the window
                caches, fresh = [nn.KeyValueCache() for _ in self.blocks], codes[-(self.context // 2 or 1) :]
            logits = self(rbe.tensor([fresh]), caches)
            fresh = [choose(logits[-1:])]
            codes += fresh
        return codes


def main() -> None:
    """Train, compare, sample, save."""
    parser = sequence_options(__doc__, 128, 2)
    args = parser.parse_args()
    if args.width % HEADS:
        parser.error(f"--width {args.width} is not divisible by {HEADS} heads")
    text = read(parser, args, args.context)
    characters = len(text.characters)
    compare(args, text, "gpt", lambda packed: GPT(characters, args.width, args.layers, args.context, packed), WARM_UP)


if __name__ == "__main__":
    main()
