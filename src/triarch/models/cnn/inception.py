"""The Inception network of time series: kernels of three lengths side by side, from a few steps to dozens.

Block: relu(norm([W₁ * Bx, W₂ * Bx, W₃ * Bx, P maxpool₃(x)])), where the bottleneck B narrows x before the long kernels
of 39, 19 and 9 steps, and P is of one step, as B is; after every third block the input of the three is added through a
convolution of one step and a norm. Pooled: the mean over time. Fawaz et al. 2019, "InceptionTime" (arXiv 1909.04939),
whose network is the size `classic`; its ensemble of five of them is not built here. The kernels are 40, 20 and 10 in
the paper, here odd, so that they look to both sides alike, and no longer than the series. It wins on series whose
patterns have several lengths, shapes and bursts above all, and is the deep network to beat there; it loses where two
far-apart events must be put in relation, and to smaller networks where time is short.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.convolution import zero_padding
from triarch.layers.embed import Embed
from triarch.layers.geometry import halved_kernels
from triarch.layers.norm import SequenceBatchNorm
from triarch.layers.pool import mean
from triarch.models.registry import Architecture

BRANCHES = 4
RESIDUAL_EVERY = 3


@dataclass(frozen=True)
class Config:
    """Settings of `inception`.

    channels is the width of each of the four branches and of the bottleneck, depth the number of blocks, kernel_size
    the longest kernel; the others are a half and a quarter of it.
    """

    channels: int = 8
    depth: int = 6
    kernel_size: int = 39
    dropout: float = 0.0


class Block(nn.Module):
    """Four branches side by side; without biases, so that zeros stay zeros until the norm."""

    def __init__(self, in_dim: int, channels: int, kernel_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.bottleneck = _conv(in_dim, channels, 1) if in_dim > 1 else nn.Identity()
        width = channels if in_dim > 1 else 1
        self.convs = nn.ModuleList(_conv(width, channels, size) for size in kernel_sizes)
        self.pooled = _conv(in_dim, channels, 1)
        self.norm = SequenceBatchNorm(BRANCHES * channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B C T) → (B 4·channels T)."""
        narrow = self.bottleneck(zero_padding(x, mask))
        branches = [conv(narrow) for conv in self.convs] + [self.pooled(greatest_near(x, mask))]
        return F.relu(self.norm(torch.cat(branches, dim=1), mask))


class Shortcut(nn.Module):
    """The way around three blocks."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.conv = _conv(in_dim, dim, 1)
        self.norm = SequenceBatchNorm(dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B C T) → (B D T)."""
        passed: Tensor = self.norm(self.conv(x), mask)
        return passed


class Inception(Backbone):
    """Sequence features."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        dim = BRANCHES * config.channels
        self.embed = Embed(spec, None, token_dim=dim)
        kernel_sizes = halved_kernels(self.embed.max_len, config.kernel_size)
        widths = [self.embed.dim] + [dim] * config.depth
        self.blocks = nn.ModuleList(Block(width, config.channels, kernel_sizes) for width in widths[:-1])
        self.shortcuts = nn.ModuleList(
            Shortcut(widths[first], dim) for first in range(0, config.depth - RESIDUAL_EVERY + 1, RESIDUAL_EVERY)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.shape = FeatureShape("sequence", dim, 1, dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T) or (B T C) → values (B T D)."""
        before = values = self.embed(x).transpose(1, 2)
        for number, block in enumerate(self.blocks):
            values = block(values, mask)
            if number % RESIDUAL_EVERY == RESIDUAL_EVERY - 1:
                before = values = F.relu(values + self.shortcuts[number // RESIDUAL_EVERY](before, mask))
        values = values.transpose(1, 2)
        return Features(values, mask, "sequence", self.dropout(mean(values, mask))), None


def greatest_near(x: Tensor, mask: Tensor | None) -> Tensor:
    """The greatest real value among a step and its two neighbours: (B C T) → (B C T), zeros where no step is real."""
    if mask is None:
        return F.max_pool1d(x, kernel_size=3, stride=1, padding=1)
    unreal = ~mask[:, None]
    greatest = F.max_pool1d(x.masked_fill(unreal, float("-inf")), kernel_size=3, stride=1, padding=1)
    return greatest.masked_fill(unreal, 0.0)


def _conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Conv1d:
    conv = nn.Conv1d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.xavier_uniform_(conv.weight)
    return conv


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=Inception,
    sizes={
        "nano": {},
        "micro": {"channels": 20},
        "classic": {"channels": 32},
        "tiny": {"channels": 64},
        "small": {"channels": 208},
    },
    learning_rates=(1e-3, 1e-2),
    lacks={"image": "its kernels run along time; `plain` reads grids"},
)
