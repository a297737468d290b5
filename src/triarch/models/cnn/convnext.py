"""The modernised residual network: a Transformer's block with a depthwise convolution in the place of attention.

Each block is x ← x + γ ∘ W₂ gelu(W₁ norm(depthwise 7x7(x))) with a fourfold inner width and a learned scale γ for each
channel; stages shrink their input by kernels that do not overlap. Liu et al. 2022, "A ConvNet for the 2020s"
(arXiv 2201.03545). Photographs begin, as there, with patches of 4x4; small images with finer ones, down to a 3x3
convolution of stride 1. On text and series it is one-dimensional. Rows of a batch never meet in its layer
normalisation, so it trains at any batch size. On ImageNet it equals Transformers of its size; it wins where data and
training time are plentiful, and loses, as all local kernels do, where far-apart steps decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.channels import Channels, as_features, every, mean_of_places
from triarch.layers.convolution import zero_padding
from triarch.layers.geometry import strides
from triarch.layers.norm import ChannelNorm
from triarch.layers.stochastic_depth import StochasticDepth, rates
from triarch.models.registry import Architecture

EPS = 1e-6


@dataclass(frozen=True)
class Config:
    """Settings of `convnext`: channels and blocks of each stage; γ begins at `scale`.

    Dropout leaves out whole blocks, the later ones more often.
    """

    channels: tuple[int, ...] = (16, 32)
    depths: tuple[int, ...] = (2, 2)
    kernel_size: int = 7
    scale: float = 0.1
    dropout: float = 0.0


class Block(nn.Module):
    """A depthwise convolution and a feed-forward part, on a residual path."""

    def __init__(self, image: bool, dim: int, config: Config, dropout: float) -> None:
        super().__init__()
        conv = nn.Conv2d if image else nn.Conv1d
        self.depthwise = conv(dim, dim, config.kernel_size, padding="same", groups=dim)
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.widen = nn.Linear(dim, 4 * dim)
        self.narrow = nn.Linear(4 * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), config.scale))
        self.drop = StochasticDepth(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B C Y X) or (B C T) → the same shape."""
        made = self.depthwise(zero_padding(x, mask)).movedim(1, -1)
        made = self.scale * self.narrow(F.gelu(self.widen(self.norm(made))))
        added: Tensor = x + self.drop(made.movedim(-1, 1))
        return added


class Shrink(nn.Module):
    """A convolution whose kernels lie side by side: (B C Y X) or (B C T) → each `stride`-th place.

    Args:
        kernel_size: places that it looks at where nothing shrinks.
    """

    def __init__(self, image: bool, in_channels: int, channels: int, stride: int, kernel_size: int) -> None:
        super().__init__()
        self.stride = stride
        conv = nn.Conv2d if image else nn.Conv1d
        if stride > 1:
            self.conv = conv(in_channels, channels, stride, stride)
        else:
            self.conv = conv(in_channels, channels, kernel_size, padding="same")

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The same kind and its mask; what a last kernel lacks at an edge is filled up with zeros."""
        x = zero_padding(x, mask)
        edges = [edge for side in reversed(x.shape[2:]) for edge in (0, -side % self.stride)]
        if any(edges):
            x = F.pad(x, edges)
        return self.conv(x), every(mask, self.stride)


class Stage(nn.Module):
    """Blocks of one width; all stages but the first shrink what they are given."""

    def __init__(
        self, image: bool, in_channels: int, channels: int, stride: int | None, config: Config, dropouts: list[float]
    ) -> None:
        super().__init__()
        self.norm = ChannelNorm(in_channels, eps=EPS) if stride else None
        self.shrink = Shrink(image, in_channels, channels, stride, 1) if stride else None
        self.blocks = nn.ModuleList(Block(image, channels, config, dropout) for dropout in dropouts)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B C Y X) or (B C T) → the same kind and its mask."""
        if self.norm is not None and self.shrink is not None:
            x, mask = self.shrink(self.norm(x), mask)
        for block in self.blocks:
            x = block(x, mask)
        return x, mask


class ConvNeXt(Backbone):
    """Grid features of images, sequence features of text and series."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        if not len(config.channels) == len(config.depths) > 0:
            raise ValueError(f"channels {config.channels} and depths {config.depths} have an entry for each stage")
        if config.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is odd, not {config.kernel_size}")
        dim = config.channels[-1]
        halvings = strides(spec, [2] * (len(config.channels) + 1))
        patch = halvings[0] * halvings[1]
        self.input = Channels(spec, token_dim=config.channels[0])
        image = self.input.image
        self.stem = Shrink(image, self.input.dim, config.channels[0], patch, 3)
        self.stem_norm = ChannelNorm(config.channels[0], eps=EPS)
        self.stages = nn.ModuleList(
            Stage(image, before, after, stride, config, dropouts)
            for before, after, stride, dropouts in zip(
                config.channels[:1] + config.channels,
                config.channels,
                (None, *halvings[2:]),
                rates(config.dropout, config.depths),
            )
        )
        self.norm = nn.LayerNorm(dim, eps=EPS)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        self.shape = FeatureShape("grid" if image else "sequence", dim, prod((patch, *halvings[2:])), dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B C Y X) → values (B D Y' X'); (B T) or (B T C) → values (B T' D)."""
        x, mask = self.stem(self.input(x), mask)
        x = self.stem_norm(x)
        for stage in self.stages:
            x, mask = stage(x, mask)
        return as_features(x, mask, self.norm(mean_of_places(x, mask))), None


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=ConvNeXt,
    sizes={
        "nano": {},
        "micro": {"channels": (24, 48, 96), "depths": (2, 2, 2)},
        "tiny": {"channels": (40, 80, 160, 320), "depths": (2, 2, 6, 2)},
        "small": {"channels": (96, 192, 384, 768), "depths": (3, 3, 9, 3)},
        "base": {"channels": (128, 256, 512, 1024), "depths": (3, 3, 27, 3)},
    },
    learning_rates=(5e-4, 5e-3),
)
