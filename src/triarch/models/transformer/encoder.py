"""The Transformer encoder: every step looks at every other.

x ← x + attention(norm(x)), x ← x + W₂ gelu(W₁ norm(x)), with softmax(q kᵀ/√H) v in each head. Vaswani et al. 2017,
"Attention is all you need" (arXiv 1706.03762), normalised before each part (Xiong et al. 2020, arXiv 2002.04745)
unless `norm_first` is off. It wins with much data, or after pretraining, and where far-apart steps belong together;
from scratch on little data a convolution's built-in locality is hard to beat. Causal, it looks back only and goes step
by step.
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
from triarch.layers.attention import AttentionState, Cache, SelfAttention
from triarch.layers.backbone import Backbone
from triarch.layers.embed import Embed
from triarch.layers.feed import MLP, Activation
from triarch.layers.geometry import ImageOrder
from triarch.layers.pack import pack
from triarch.layers.pool import first, last, mean
from triarch.layers.position import AddPosition, Position
from triarch.layers.sight import Sight, View
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `encoder`; hidden_dim is the width inside the feed-forward part.

    BERT (Devlin et al. 2018, arXiv 1810.04805) has learned positions, no `norm_first`, and `embed_norm`: its input is
    normalised too. Its `kinds` tell the texts of a pair apart; what is read here is of the first kind. `feed` is the
    activation between the two matrices, `embed_scale` what embeddings are multiplied by, and `pool` makes the summary:
    the mean, the first step, or a class token before it. Dropout acts on the residual paths only: on attention's
    weights it would cost the fast kernels.
    """

    dim: int = 32
    depth: int = 2
    num_heads: int = 2
    hidden_dim: int = 128
    feed: Activation = "gelu"
    position: Position = "learned"
    pool: Literal["mean", "class", "first"] = "mean"
    causal: bool = False
    norm_first: bool = True
    embed_norm: bool = False
    embed_scale: float = 1.0
    eps: float = 1e-5
    kinds: int = 0
    image: ImageOrder = "patches"
    dropout: float = 0.1


class Block(nn.Module):
    """Attention and a feed-forward part, each on a residual path."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.attention = SelfAttention(config.dim, config.num_heads)
        self.feed_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.feed = MLP(config.dim, config.hidden_dim, activation=config.feed)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, view: View, cache: Cache | None = None) -> tuple[Tensor, Cache | None]:
        """(B T D) → (B T D), and the cache with these steps in it."""
        attended, cache = self.attention(self.attention_norm(x) if self.norm_first else x, view, cache)
        x = x + self.dropout(attended)
        if not self.norm_first:
            x = self.attention_norm(x)
        x = x + self.dropout(self.feed(self.feed_norm(x) if self.norm_first else x))
        return (x if self.norm_first else self.feed_norm(x)), cache


class Encoder(Backbone):
    """Sequence features.

    Raises:
        ValueError: causal with a class token, which would have to see the future.
    """

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        if config.causal and config.pool == "class":
            raise ValueError("a causal encoder has no class token: pool must be 'mean', its summary is the last step")
        self.causal = config.causal
        self.summary = last if config.causal else first if config.pool == "first" else mean
        self.sight = Sight(config.causal, config.position, config.num_heads, config.dim // config.num_heads)
        self.embed = Embed(spec, config.dim, image=config.image, scale=config.embed_scale)
        self.class_token = nn.Parameter(torch.zeros(config.dim)) if config.pool == "class" else None
        self.position = AddPosition(config.position, config.dim, self.embed.max_len + (self.class_token is not None))
        self.kinds = nn.Parameter(0.02 * torch.randn(config.kinds, config.dim)) if config.kinds else None
        self.embed_norm = nn.LayerNorm(config.dim, eps=config.eps) if config.embed_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=config.eps) if config.norm_first else nn.Identity()
        self.shape = FeatureShape("sequence", config.dim, self.embed.stride, config.dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T), (B T C) or (B C Y X) → values (B T D)."""
        values = self.embed(x)
        if isinstance(state, AttentionState):
            values, state = self._chunk(values, mask, state)
            return Features(values, mask, "sequence", last(values, mask)), state
        seen = mask
        if self.class_token is not None:
            values = torch.cat((self.class_token.expand(len(values), 1, -1), values), dim=1)
            seen = None if mask is None else F.pad(mask, (1, 0), value=True)
        packed = pack(seen, self.shape.dim)
        if packed is None:
            places = torch.arange(values.shape[1], device=values.device)
            entered, view = self._enter(values, places, seen), self.sight(seen, places)
        else:
            entered, view = self._enter(packed.flat(values), packed.places, None), self.sight.packed(packed)
        for block in self.blocks:
            entered, _ = block(entered, view)
        values = self.norm(entered)
        if packed is not None and seen is not None:
            values = packed.padded(values, seen)
        if self.class_token is not None:
            return Features(values[:, 1:], mask, "sequence", values[:, 0]), None
        return Features(values, mask, "sequence", self.summary(values, mask)), None

    def _enter(self, values: Tensor, places: Tensor, mask: Tensor | None) -> Tensor:
        """What the first block gets, (B T D)."""
        placed = self.position(values if self.kinds is None else values + self.kinds[0], places, mask)
        entered: Tensor = self.dropout(self.embed_norm(placed))
        return entered

    def _chunk(self, values: Tensor, mask: Tensor | None, state: AttentionState) -> tuple[Tensor, AttentionState]:
        places, slots = state.places(values.shape[1]), state.slots(values.shape[1], mask)
        values = self._enter(values, places, mask)
        view = self.sight(mask, places, slots)
        caches = []
        for block, cache in zip(self.blocks, state.caches):
            values, cache = block(values, view, cache)
            caches.append(cache)
        return self.norm(values), state.after(slots, caches)

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> AttentionState:
        """An empty cache."""
        if not self.causal:
            super().start(batch_size, device)
        sight = self.sight
        return AttentionState.start(batch_size, len(self.blocks), sight.num_heads, sight.head_dim, device, capacity)


ARCHITECTURE = Architecture(
    family="transformer",
    config=Config,
    backbone=Encoder,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 4, "num_heads": 4, "hidden_dim": 256},
        "tiny": {"dim": 192, "depth": 6, "num_heads": 6, "hidden_dim": 768},
        "small": {"dim": 384, "depth": 12, "num_heads": 6, "hidden_dim": 1536},
        "base": {"dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 3072},
        "large": {"dim": 1024, "depth": 24, "num_heads": 16, "hidden_dim": 4096},
    },
    learning_rates=(3e-4, 3e-3),
    causal={"causal": True},
    masked={"position": "rotary"},
)
