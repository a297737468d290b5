"""The plain convolutional network: convolve, pool, repeat, then one fully connected layer.

Each stage is pool(relu(conv(x))) with 3-wide kernels and a pooling of two; what remains, at most 8 x 8 positions, is
flattened into relu(W x + b). LeCun et al. 1998, "Gradient-based learning applied to document recognition". The size
`classic` is the textbook's: 32 and 64 channels, 128 hidden units. It wins where data is scarce, patterns are local and
time is short: small pictures above all. On text and series it convolves along the steps and takes the greatest and the
mean response of all positions, so that any length fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.convolution import zero_padding
from triarch.layers.embed import Embed
from triarch.layers.geometry import num_poolings
from triarch.layers.pool import maximum, mean
from triarch.models.registry import Architecture

MAX_GRID = 8


@dataclass(frozen=True)
class Config:
    """Settings of `plain`; a 3x3 kernel and max pooling are the textbook's."""

    channels: tuple[int, ...] = (8, 16)
    hidden_dim: int = 32
    kernel_size: int = 3
    pooling: Literal["max", "average"] = "max"
    dropout: float = 0.1


class Plain(Backbone):
    """Grid features of images, sequence features of text and series."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.num_poolings = num_poolings(spec, len(config.channels))
        image = spec.modality == "image"
        self.embed = None if image else Embed(spec, None, token_dim=config.channels[0])
        first = self.embed.dim if self.embed else spec.in_channels
        widths = (first, *config.channels)
        conv = nn.Conv2d if image else nn.Conv1d
        self.convs = nn.ModuleList(
            conv(before, after, config.kernel_size, padding="same") for before, after in zip(widths, config.channels)
        )
        summary = 2 * config.channels[-1]
        if image:
            rows, columns = (min(MAX_GRID, _halved(side, self.num_poolings)) for side in spec.shape[1:])
            self.grid = rows, columns
            summary = config.channels[-1] * self.grid[0] * self.grid[1]
        self.hidden = nn.Linear(summary, config.hidden_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.shape = FeatureShape(
            kind="grid" if image else "sequence",
            dim=config.channels[-1],
            stride=2**self.num_poolings,
            pooled_dim=config.hidden_dim,
        )

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B C Y X) → values (B D Y' X'); (B T) or (B T C) → values (B T' D)."""
        if self.embed is None:
            values = self._stages(x, None)[0]
            summary = F.adaptive_avg_pool2d(values, self.grid).flatten(1)
            return Features(values, None, "grid", self._summarise(summary)), None
        values, mask = self._stages(self.embed(x).transpose(1, 2), mask)
        values = values.transpose(1, 2)
        summary = torch.cat((maximum(values, mask), mean(values, mask)), dim=-1)
        return Features(values, mask, "sequence", self._summarise(summary)), None

    def _stages(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for number, conv in enumerate(self.convs):
            x = F.relu(conv(zero_padding(x, mask)))
            if number < self.num_poolings:
                x, mask = halve(x, mask, self.pooling)
        return x, mask

    def _summarise(self, summary: Tensor) -> Tensor:
        made: Tensor = self.dropout(F.relu(self.hidden(summary)))
        return made


def halve(x: Tensor, mask: Tensor | None, pooling: Literal["max", "average"]) -> tuple[Tensor, Tensor | None]:
    """Pool pairs (B C T) → (B C ⌈T/2⌉), or squares (B C Y X); an edge of one, or beside padding, is its own pair."""
    if x.ndim == 4:
        return (F.max_pool2d if pooling == "max" else F.avg_pool2d)(x, 2, ceil_mode=True), None
    if mask is None:
        return (F.max_pool1d if pooling == "max" else F.avg_pool1d)(x, 2, ceil_mode=True), None
    weight = mask[:, None].to(x.dtype)
    share = F.avg_pool1d(weight, 2, ceil_mode=True)
    if pooling == "average":
        x = F.avg_pool1d(x * weight, 2, ceil_mode=True) / share.clamp(min=0.5)
    else:  # x is not negative after relu, so zeros never win over a real step
        x = F.max_pool1d(x * weight, 2, ceil_mode=True)
    return x, share[:, 0] > 0


def _halved(side: int, times: int) -> int:
    for _ in range(times):
        side = (side + 1) // 2
    return side


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=Plain,
    sizes={
        "nano": {},
        "micro": {"channels": (16, 32), "hidden_dim": 96},
        "classic": {"channels": (32, 64), "hidden_dim": 128},
        "tiny": {"channels": (64, 128, 256), "hidden_dim": 256},
        "small": {"channels": (128, 256, 512), "hidden_dim": 2048},
    },
    learning_rates=(1e-3, 1e-2),
)
