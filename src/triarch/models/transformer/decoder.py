"""The causal decoder: every step looks at itself and the past, as in GPT, Llama and Mistral.

x ← x + attention(norm(x)), x ← x + feed(norm(x)). The defaults are Llama's (Touvron et al. 2023, arXiv 2302.13971):
rotary positions, RMS norm, swiglu, no biases. Learned positions, layer norm, gelu and biases make it GPT-2 (Radford et
al. 2019, "Language models are unsupervised multitask learners"); `bias` "qkv" makes it Qwen2 (arXiv 2407.10671), a
`window` Mistral (Jiang et al. 2023, arXiv 2310.06825); without `norm_first` each part is normalised after it, as in
Marian (Junczys-Dowmunt et al. 2018, arXiv 1804.00344). It wins where a sequence is to be continued, and with much data;
to classify what is known as a whole, an encoder sees both sides. With a window its memory does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.attention import AttentionState, Bias, Cache, SelfAttention
from triarch.layers.backbone import Backbone, keeping
from triarch.layers.cross import CrossAttention, Memory, layer
from triarch.layers.dropout import Dropout
from triarch.layers.embed import Embed
from triarch.layers.feed import MLP, SwiGLU
from triarch.layers.geometry import ImageOrder
from triarch.layers.norm import RMSNorm
from triarch.layers.pack import Pack, pack
from triarch.layers.pool import last
from triarch.layers.position import UNSCALED, AddPosition, Position, Rotary
from triarch.layers.sight import Sight, View
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `decoder`.

    hidden_dim is the width inside the feed-forward part, num_kv_heads None is num_heads, head_dim None is
    dim / num_heads, eps None what the norm has; embeddings are multiplied by embed_scale; context_dim is the width of a
    context that it attends to; None: it attends to none.
    """

    dim: int = 32
    depth: int = 2
    num_heads: int = 2
    num_kv_heads: int | None = None
    head_dim: int | None = None
    hidden_dim: int = 96
    embed_scale: float = 1.0
    position: Position = "rotary"
    rotary: Rotary = UNSCALED
    norm: Literal["rms", "layer"] = "rms"
    norm_first: bool = True
    eps: float | None = None
    feed: Literal["swiglu", "gelu", "silu", "relu"] = "swiglu"
    bias: Bias = "none"
    window: int | None = None
    context_dim: int | None = None
    image: ImageOrder = "patches"
    dropout: float = 0.1

    def feed_forward(self) -> nn.Module:
        """The part of a block that works on each step alone, untrained."""
        biased = self.bias == "all"
        if self.feed == "swiglu":
            return SwiGLU(self.dim, self.hidden_dim, biased)
        return MLP(self.dim, self.hidden_dim, biased, "gelu-tanh" if self.feed == "gelu" else self.feed)


class Block(nn.Module):
    """Attention, to a context too where there is one, and a feed-forward part, each on a residual path."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention_norm = _norm(config)
        self.attention = SelfAttention(
            config.dim, config.num_heads, config.head_dim, num_kv_heads=config.num_kv_heads, bias=config.bias
        )
        self.cross_norm: nn.Module | None = None
        self.cross: CrossAttention | None = None
        if config.context_dim is not None:
            self.cross_norm = _norm(config)
            self.cross = CrossAttention(
                config.dim, config.context_dim, config.num_heads, config.bias != "none", config.bias == "all"
            )
        self.feed_norm = _norm(config)
        self.feed = config.feed_forward()
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, view: View, cache: Cache | None = None, memory: Memory = ()
    ) -> tuple[Tensor, Cache | None]:
        """(B T D) → (B T D), and the cache with these steps in it."""
        if not self.norm_first:
            return self._normed_after(x, view, cache, memory)
        attended, cache = self.attention(self.attention_norm(x), view, cache)
        x = x + self.dropout(attended)
        if memory and self.cross is not None and self.cross_norm is not None:
            x = x + self.dropout(self.cross(self.cross_norm(x), memory))
        return x + self.dropout(self.feed(self.feed_norm(x))), cache

    def _normed_after(self, x: Tensor, view: View, cache: Cache | None, memory: Memory) -> tuple[Tensor, Cache | None]:
        attended, cache = self.attention(x, view, cache)
        x = self.attention_norm(x + self.dropout(attended))
        if memory and self.cross is not None and self.cross_norm is not None:
            x = self.cross_norm(x + self.dropout(self.cross(x, memory)))
        return self.feed_norm(x + self.dropout(self.feed(x))), cache


class Decoder(Backbone):
    """Sequence features; pooled: the last real step."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        head_dim = config.head_dim or config.dim // config.num_heads
        self.sight = Sight(True, config.position, config.num_heads, head_dim, config.window, config.rotary)
        self.num_kv_heads = config.num_kv_heads or config.num_heads
        self.embed = Embed(spec, config.dim, image=config.image, scale=config.embed_scale)
        self.position = AddPosition(config.position, config.dim, self.embed.max_len)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config) if config.norm_first else nn.Identity()
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
        if state is None and context is None and mask is not None and (packed := pack(mask, self.shape.dim)):
            values = packed.padded(self._packed(values, packed), mask)
            return Features(values, mask, "sequence", last(values, mask)), None
        width = values.shape[1]
        before = state if isinstance(state, AttentionState) else None
        places = torch.arange(width, device=values.device) if before is None else before.places(width)
        values = self.dropout(self.position(values, places, mask))
        slots = None if before is None else before.slots(width, mask)
        view = self.sight(mask, places, slots)
        memory = self.seen(state, context)
        caches = []
        for number, block in enumerate(self.blocks):
            values, cache = block(
                values, view, None if before is None else before.caches[number], layer(memory, number)
            )
            caches.append(cache)
        values = self.norm(values)
        after = None if before is None or slots is None else before.after(slots, caches)
        return Features(values, mask, "sequence", last(values, mask)), keeping(after, memory)

    def _packed(self, values: Tensor, packed: Pack) -> Tensor:
        """(B T D) → (1 M D)."""
        values = self.dropout(self.position(packed.flat(values), packed.places, None))
        view = self.sight.packed(packed)
        for block in self.blocks:
            values, _ = block(values, view)
        made: Tensor = self.norm(values)
        return made

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> AttentionState:
        """An empty cache."""
        sight = self.sight
        return AttentionState.start(
            batch_size, len(self.blocks), self.num_kv_heads, sight.head_dim, device, capacity, sight.window
        )


def _norm(config: Config) -> nn.Module:
    if config.norm == "rms":
        return RMSNorm(config.dim, eps=config.eps or 1e-6)
    return nn.LayerNorm(config.dim, eps=config.eps or 1e-5)


ARCHITECTURE = Architecture(
    family="transformer",
    config=Config,
    backbone=Decoder,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 4, "num_heads": 4, "hidden_dim": 176},
        "tiny": {"dim": 192, "depth": 6, "num_heads": 6, "hidden_dim": 512},
        "small": {"dim": 384, "depth": 12, "num_heads": 6, "hidden_dim": 1024},
        "base": {"dim": 768, "depth": 12, "num_heads": 12, "hidden_dim": 2048},
        "large": {"dim": 1024, "depth": 24, "num_heads": 16, "hidden_dim": 2736},
    },
    learning_rates=(5e-4, 8e-3),
    causal={},
)
