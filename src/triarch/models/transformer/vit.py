"""The vision Transformer: a picture is a sequence of patches, and every patch looks at every other.

x ← x + attention(norm(x)), x ← x + W₂ gelu(W₁ norm(x)). Dosovitskiy et al. 2020, "An image is worth 16x16 words" (arXiv
2010.11929): `stem` "patches" and `pool` "class". The defaults are for training from scratch on little data: a few
strided convolutions in place of the patches (Xiao et al. 2021, arXiv 2106.14881), and the mean of all patches as the
summary (Beyer et al. 2022, arXiv 2205.01580, who also take fixed waves of row and column for positions: "sincos2d").
It wins with much data, or after pretraining; on small data a convolutional network is hard to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, prod
from typing import Literal

import torch
from torch import Tensor, nn

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.attention import SelfAttention
from triarch.layers.backbone import Backbone
from triarch.layers.dropout import Dropout
from triarch.layers.embed import Embed
from triarch.layers.feed import MLP
from triarch.layers.geometry import patch_grid, patch_side
from triarch.layers.position import sinusoidal_grid
from triarch.layers.sight import View
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `vit`; hidden_dim is the width inside the feed-forward part."""

    dim: int = 32
    depth: int = 3
    num_heads: int = 2
    hidden_dim: int = 96
    stem: Literal["patches", "convolution"] = "convolution"
    position: Literal["learned", "sincos2d"] = "learned"
    pool: Literal["mean", "class"] = "mean"
    dropout: float = 0.1


class Stem(nn.Sequential):
    """Convolutions that halve the picture until a position is a patch: (B C Y X) → (B T D)."""

    def __init__(self, in_channels: int, dim: int, side: int) -> None:
        halvings = round(log2(side))
        widths = [in_channels, *(max(1, dim >> number) for number in reversed(range(halvings)))]
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(dim, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Positions are read row by row."""
        for layer in self:
            x = layer(x)
        return x.flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Attention and a feed-forward part, each on a residual path."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.attention = SelfAttention(config.dim, config.num_heads)
        self.feed_norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.feed = MLP(config.dim, config.hidden_dim)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B T D) → (B T D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), View())[0])
        x = x + self.dropout(self.feed(self.feed_norm(x)))
        return x


class ViT(Backbone):
    """Grid features: one position for each patch."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        channels, rows, columns = spec.shape
        side, self.grid = patch_side(rows, columns), patch_grid(rows, columns)
        self.embed: nn.Module = (
            Embed(spec, config.dim) if config.stem == "patches" else Stem(channels, config.dim, side)
        )
        self.class_token = nn.Parameter(torch.zeros(config.dim)) if config.pool == "class" else None
        self.position = None
        if config.position == "learned":
            self.position = nn.Parameter(torch.empty(prod(self.grid) + (config.pool == "class"), config.dim))
            nn.init.trunc_normal_(self.position, std=0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.shape = FeatureShape("grid", config.dim, side, config.dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B C Y X) → values (B D Y' X')."""
        values = self.embed(x)
        if self.position is None:
            values = values + sinusoidal_grid(*self.grid, values.shape[2], values.device).to(values.dtype)
        if self.class_token is not None:
            values = torch.cat((self.class_token.expand(len(values), 1, -1), values), dim=1)
        if self.position is not None:
            values = values + self.position
        values = self.dropout(values)
        for block in self.blocks:
            values = block(values)
        values = self.norm(values)
        pooled = values.mean(dim=1) if self.class_token is None else values[:, 0]
        if self.class_token is not None:
            values = values[:, 1:]
        return Features(values.transpose(1, 2).unflatten(-1, self.grid), None, "grid", pooled), None


ARCHITECTURE = Architecture(
    family="transformer",
    config=Config,
    backbone=ViT,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 4, "num_heads": 4, "hidden_dim": 256},
        "tiny": {"dim": 192, "depth": 9, "num_heads": 3, "hidden_dim": 768},
        "small": {"dim": 384, "depth": 12, "num_heads": 6, "hidden_dim": 1536},
        "base": {"dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 3072},
        "large": {"dim": 1024, "depth": 24, "num_heads": 16, "hidden_dim": 4096},
    },
    learning_rates=(5e-4, 8e-3),
    lacks={
        "text": "its patches are of pictures; encoder and decoder read text",
        "series": "its patches are of pictures; encoder and decoder read series",
    },
)
