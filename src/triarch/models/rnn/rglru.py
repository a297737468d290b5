"""The real-gated linear recurrent unit: a diagonal recurrence that decides step by step how long it remembers.

h_t = a_t ⊙ h_{t-1} + √(1 - a_t²) ⊙ i_t ⊙ x_t, a_t = exp(-8 r_t softplus(Λ)), with gates r and i of the input alone.
Blocks, as in the paper's Hawk: x ← x + out(gelu(W x) ⊙ unit(conv(V x))), x ← x + W₃ (gelu(W₁ x) ⊙ W₂ x), each
normalised before. De et al. 2024, "Griffin: mixing gated linear recurrences with local attention" (arXiv 2402.19427).
It carries numbers over hundreds of steps in constant memory and without a product of matrices from step to step, which
is what long sequences want; what it cannot do well is look up exactly what stood far back: `griffin` adds attention for
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.embed import Embed
from triarch.layers.feed import GeGLU
from triarch.layers.geometry import ImageOrder
from triarch.layers.pool import both_ends, last
from triarch.layers.residual import BlockState, Residual, Residuals, both_ways
from triarch.layers.rglru import RecurrentMixer
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `rglru`; num_heads cuts the gates into blocks, hidden_dim is the width of the feed-forward part."""

    dim: int = 32
    depth: int = 2
    num_heads: int = 2
    hidden_dim: int = 64
    kernel_size: int = 4
    directions: int = 2
    image: ImageOrder = "rows"
    dropout: float = 0.1


class Hawk(Backbone):
    """Sequence features; pooled: the last step's and, read backwards too, also the first step's."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.directions = config.directions
        self.embed = Embed(spec, config.dim, image=config.image)
        norm = partial(nn.RMSNorm, config.dim, eps=1e-6)
        mixer = partial(RecurrentMixer, config.dim, config.num_heads, config.kernel_size)
        self.blocks = Residuals(
            [
                Residual(
                    norm,
                    both_ways(mixer, config.directions),
                    GeGLU(config.dim, config.hidden_dim),
                    config.dropout,
                )
                for _ in range(config.depth)
            ],
            norm(),
        )
        self.shape = FeatureShape("sequence", config.dim, self.embed.stride, config.directions * config.dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T), (B T C) or (B C Y X) → values (B T D)."""
        values, state = self.blocks(self.embed(x), mask, state)
        pooled = (last if self.directions == 1 else both_ends)(values, mask)
        return Features(values, mask, "sequence", pooled), state

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> BlockState:
        """Zeros."""
        if self.directions == 2:
            super().start(batch_size, device)
        return self.blocks.start(batch_size, device)


ARCHITECTURE = Architecture(
    family="rnn",
    config=Config,
    backbone=Hawk,
    sizes={
        "nano": {},
        "micro": {"dim": 80, "num_heads": 4, "hidden_dim": 160},
        "tiny": {"dim": 256, "depth": 3, "num_heads": 4, "hidden_dim": 768},
        "small": {"dim": 512, "depth": 5, "num_heads": 8, "hidden_dim": 1536},
        "base": {"dim": 896, "depth": 7, "num_heads": 8, "hidden_dim": 2688},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"directions": 1},
)
