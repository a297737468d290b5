"""The patch Transformer of time series: each channel by itself, cut into short overlapping patches.

A patch of P steps becomes one token, W p + b; with positions added, the tokens of a channel pass an encoder that all
channels share: x ← x + attention(norm(x)), x ← x + W₂ gelu(W₁ norm(x)). Pooled: the mean over the patches, the channels
side by side. Nie et al. 2022, "A time series is worth 64 words" (arXiv 2211.14730); the size `classic` has the widths
of its supervised network. Attention sees P/2 times fewer steps, each with a meaning of its own, and the data of all
channels teach one encoder: it wins on long series, of which it makes short ones, and where channels behave alike; it
loses where what tells the classes apart lies between the channels, which meet in the head only.

`instance_norm` takes mean and spread out of every channel of an item, as the paper does for forecasts; it is off here,
since the level of a series often tells its class. A patch is real where it holds a real step that no earlier one does;
what lies beyond the end in it is zero, the mean of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.attention import SelfAttention
from triarch.layers.backbone import Backbone
from triarch.layers.geometry import series_patch
from triarch.layers.norm import SequenceBatchNorm
from triarch.layers.pool import mean
from triarch.layers.position import AddPosition, sinusoidal
from triarch.layers.sight import View
from triarch.models.registry import Architecture

SMALLEST_VARIANCE = 1e-5


@dataclass(frozen=True)
class Config:
    """Settings of `patchtst`; hidden_dim is the width inside the feed-forward part.

    Sinusoidal positions are brought to a mean of 0 and a deviation of 0.1, as in the paper's published code.
    """

    dim: int = 32
    depth: int = 2
    num_heads: int = 2
    hidden_dim: int = 128
    norm: Literal["batch", "layer"] = "batch"
    norm_first: bool = True
    position: Literal["learned", "sinusoidal"] = "learned"
    instance_norm: bool = False
    channels: Literal["flatten", "average"] = "flatten"
    dropout: float = 0.1


class PatchNorm(nn.Module):
    """Batch or layer normalisation of tokens (B T D)."""

    def __init__(self, kind: Literal["batch", "layer"], dim: int) -> None:
        super().__init__()
        self.norm = SequenceBatchNorm(dim) if kind == "batch" else nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Same shape; `mask` (B T) is True where a token is real."""
        batch = isinstance(self.norm, SequenceBatchNorm)
        normed: Tensor = self.norm(x.transpose(1, 2), mask).transpose(1, 2) if batch else self.norm(x)
        return normed


class Block(nn.Module):
    """Attention and a feed-forward part, each on a residual path."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention_norm = PatchNorm(config.norm, config.dim)
        self.attention = SelfAttention(config.dim, config.num_heads)
        self.feed_norm = PatchNorm(config.norm, config.dim)
        self.widen = nn.Linear(config.dim, config.hidden_dim)
        self.narrow = nn.Linear(config.hidden_dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B T D) → (B T D)."""
        view = View(bias=None if mask is None else mask[:, None, None])
        attended, _ = self.attention(self.attention_norm(x, mask) if self.norm_first else x, view)
        x = x + self.dropout(attended)
        if not self.norm_first:
            x = self.attention_norm(x, mask)
        fed = self.narrow(F.gelu(self.widen(self.feed_norm(x, mask) if self.norm_first else x)))
        x = x + self.dropout(fed)
        return x if self.norm_first else self.feed_norm(x, mask)


class PatchPosition(AddPosition):
    """Where a patch stands, added to it (B T D)."""

    def __init__(self, position: Literal["learned", "sinusoidal"], dim: int, num_patches: int) -> None:
        super().__init__(position, dim, num_patches)
        waves = sinusoidal(torch.arange(num_patches, device="cpu"), dim)
        self.centre, self.spread = waves.mean().item(), waves.std().item()

    def forward(self, x: Tensor, places: Tensor, mask: Tensor | None) -> Tensor:
        """Add to `x` (B T D) the positions of its patches, `places` (T); `mask` (B T) is True where real."""
        if self.position == "learned":
            return super().forward(x, places, mask)
        waves = (sinusoidal(places, self.dim) - self.centre) / (10 * self.spread)
        return x + waves.to(x.dtype)


class PatchTST(Backbone):
    """Sequence features: those of all channels side by side, or their average, for each patch."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.instance_norm, self.flatten = config.instance_norm, config.channels == "flatten"
        self.patch, self.stride = series_patch(spec.max_len)
        self.embed = nn.Linear(self.patch, config.dim)
        self.position = PatchPosition(config.position, config.dim, self.num_patches(spec.max_len))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        dim = config.dim * (spec.in_channels if self.flatten else 1)
        self.shape = FeatureShape("sequence", dim, self.stride, dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T C) → values (B T' D), T' patches."""
        num_channels = x.shape[2]
        patches, mask = self._cut(x, mask)
        seen = None if mask is None else mask.repeat_interleave(num_channels, dim=0)
        places = torch.arange(patches.shape[2], device=x.device)
        values = self.dropout(self.position(self.embed(patches.flatten(0, 1)), places, seen))
        for block in self.blocks:
            values = block(values, seen)
        values = values.unflatten(0, (-1, num_channels))
        values = values.transpose(1, 2).flatten(2) if self.flatten else values.mean(dim=1)
        return Features(values, mask, "sequence", mean(values, mask)), None

    def num_patches(self, steps: int) -> int:
        """As many as are needed to hold all of the `steps`."""
        return 1 + ceil(max(0, steps - self.patch) / self.stride)

    def _cut(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B T C) → patches (B C T' P) and which of them are real, (B T')."""
        if self.instance_norm:
            x = standardise(x, mask)
        if mask is not None:
            x = x * mask[..., None].to(x.dtype)
        num_patches = self.num_patches(x.shape[1])
        end = self.patch + (num_patches - 1) * self.stride
        patches = F.pad(x.transpose(1, 2), (0, end - x.shape[1])).unfold(2, self.patch, self.stride)
        if mask is not None:
            held_before = self.patch + self.stride * torch.arange(-1, num_patches - 1, device=x.device)
            held_before[0] = 0
            mask = held_before < mask.sum(dim=1, keepdim=True)
        return patches, mask


def standardise(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B T C), with mean 0 and variance 1 of the real steps of each channel of each item."""
    centred = x - mean(x, mask)[:, None]
    return centred / (mean(centred.square(), mask)[:, None] + SMALLEST_VARIANCE).sqrt()


ARCHITECTURE = Architecture(
    family="transformer",
    config=Config,
    backbone=PatchTST,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 4, "num_heads": 4, "hidden_dim": 256},
        "classic": {"dim": 128, "depth": 3, "num_heads": 16, "hidden_dim": 256},
        "tiny": {"dim": 192, "depth": 6, "num_heads": 6, "hidden_dim": 768},
        "small": {"dim": 384, "depth": 12, "num_heads": 6, "hidden_dim": 1536},
        "base": {"dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 3072},
    },
    learning_rates=(5e-4, 5e-3),
    lacks={
        "image": "it cuts channels of values over time; `encoder` reads patches of images",
        "text": "tokens are no values that a patch could hold; `encoder` reads text",
    },
)
