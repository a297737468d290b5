"""Griffin: a recurrence that carries far and attention that looks up nearby, by turns.

Of three blocks two mix the steps by a gated linear recurrence (that of `rglru`) and one by causal attention to the last
`window` steps, with one key and value for all queries and rotary positions; each is followed by a gated feed-forward
part: x ← x + mix(norm(x)), x ← x + W₃ (gelu(W₁ x) ⊙ W₂ x). De et al. 2024, "Griffin: mixing gated linear recurrences
with local attention" (arXiv 2402.19427). Its state does not grow, so it is for long sequences, where a Transformer's
cache and time do; on short ones an encoder that looks both ways has the advantage, since this one is always causal.
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
from triarch.layers.local_attention import LocalAttention
from triarch.layers.pool import last
from triarch.layers.residual import BlockState, Mixer, Residual, Residuals
from triarch.layers.rglru import RecurrentMixer
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `griffin`; every third of its `depth` blocks is attention, over `window` steps."""

    dim: int = 32
    depth: int = 3
    num_heads: int = 2
    hidden_dim: int = 64
    window: int = 32
    kernel_size: int = 4
    image: ImageOrder = "patches"
    dropout: float = 0.1


class Griffin(Backbone):
    """Sequence features; pooled: the last step's."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.embed = Embed(spec, config.dim, image=config.image)
        norm = partial(nn.RMSNorm, config.dim, eps=1e-6)
        self.blocks = Residuals(
            [
                Residual(
                    norm,
                    _mixer(config, attends=number % 3 == 2),
                    GeGLU(config.dim, config.hidden_dim),
                    config.dropout,
                )
                for number in range(config.depth)
            ],
            norm(),
        )
        self.shape = FeatureShape("sequence", config.dim, self.embed.stride, config.dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T), (B T C) or (B C Y X) → values (B T D)."""
        values, state = self.blocks(self.embed(x), mask, state)
        return Features(values, mask, "sequence", last(values, mask)), state

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> BlockState:
        """Zeros and empty windows."""
        return self.blocks.start(batch_size, device)


def _mixer(config: Config, attends: bool) -> Mixer:
    if attends:
        return LocalAttention(config.dim, config.num_heads, config.window)
    return RecurrentMixer(config.dim, config.num_heads, config.kernel_size)


ARCHITECTURE = Architecture(
    family="hybrid",
    config=Config,
    backbone=Griffin,
    sizes={
        "nano": {},
        "micro": {"dim": 80, "num_heads": 4, "hidden_dim": 160},
        "tiny": {"dim": 192, "depth": 6, "num_heads": 4, "hidden_dim": 576, "window": 64},
        "small": {"dim": 448, "depth": 9, "num_heads": 8, "hidden_dim": 1344, "window": 64},
        "base": {"dim": 800, "depth": 12, "num_heads": 10, "hidden_dim": 2400, "window": 128},
    },
    learning_rates=(1e-3, 1e-2),
    causal={},
)
