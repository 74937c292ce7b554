"""The networks of the examples, written in torch."""

from typing import Any

import torch
from torch import nn


def digits(side: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(side * side, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, 10),
    )  # fmt: skip


def convnet(side: int, channels: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(2 * channels), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * channels * (side // 4) ** 2, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, 10),
    )  # fmt: skip


class LSTM(nn.Module):
    def __init__(self, characters: int, width: int, layers: int) -> None:
        super().__init__()
        self.character, self.lstm = nn.Embedding(characters, 64), nn.LSTM(64, width, layers, batch_first=True)
        self.out = nn.Linear(width, characters)

    def forward(self, codes: torch.Tensor) -> Any:
        return self.out(self.lstm(self.character(codes))[0]).reshape(-1, self.out.out_features)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.merge(seen.transpose(1, 2).reshape(n, t, width))
        return x + self.down(self.up(self.norm2(x)).relu().square())


class GPT(nn.Module):
    def __init__(self, characters: int, width: int, layers: int, context: int, heads: int) -> None:
        super().__init__()
        self.character, self.position = nn.Embedding(characters, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, codes: torch.Tensor) -> Any:
        x = self.character(codes) + self.position(torch.arange(codes.shape[1]))
        return self.out(self.norm(self.blocks(x))).reshape(-1, self.out.out_features)
