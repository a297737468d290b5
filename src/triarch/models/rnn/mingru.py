"""The minimal GRU: its gates see the input only, so all steps' gates are computed at once.

h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ g(V x_t), z_t = σ(U x_t), with g(c) = c + 1/2 where c ≥ 0, else σ(c). Feng et al.
2024, "Were RNNs all we needed?" (arXiv 2410.01201). Blocks: x ← x + minGRU(conv(norm(x))), the convolution short,
causal and depthwise, and, where `hidden_dim` is not 0, x ← x + W₂ gelu(W₁ norm(x)). What is left of the recurrence is
linear: a step of training takes a fraction of the LSTM's time at equal width, in constant memory going step by step.
But what a layer has seen cannot decide what it keeps, so tasks that need that, parity for one, are the LSTM's and the
GRU's.
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
from triarch.layers.convolution import ShortConv
from triarch.layers.embed import Embed
from triarch.layers.gated_scan import gated_scan
from triarch.layers.geometry import ImageOrder
from triarch.layers.pool import both_ends, last, lengths
from triarch.layers.residual import BlockState, Memory, Mixer, Residual, Residuals, both_ways
from triarch.layers.scan import at_end
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `mingru`; a kernel_size of 1 leaves the convolution out, a hidden_dim of 0 the feed-forward part."""

    dim: int = 48
    depth: int = 2
    kernel_size: int = 4
    hidden_dim: int = 0
    directions: int = 2
    image: ImageOrder = "rows"
    dropout: float = 0.1


class MinGRU(Mixer):
    """A short convolution and the recurrence, in one direction."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dim = config.dim
        # Without a bias: the gates have one.
        self.conv = ShortConv(config.dim, config.kernel_size, bias=False) if config.kernel_size > 1 else None
        self.gates = nn.Linear(config.dim, 2 * config.dim)

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """(B T D) → (B T D); remembers the state and the convolution's last inputs."""
        hidden, inputs = before or (None, None)
        h = gated_scan(self.gates(self.conv(x, inputs) if self.conv else x), hidden)
        if hidden is None or inputs is None:
            return h, None
        steps = lengths(x, mask)
        kept = self.conv.remember(x, steps, inputs) if self.conv else inputs
        return h, (at_end(h, steps, hidden), kept)

    def start(self, batch_size: int, device: torch.device | str) -> Memory:
        """Zeros."""
        hidden = torch.zeros(batch_size, self.dim, device=device)
        return hidden, torch.zeros(batch_size, self.conv.reach if self.conv else 0, self.dim, device=device)


class MinGRUs(Backbone):
    """Sequence features; pooled: the last step's and, read backwards too, also the first step's."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.directions = config.directions
        self.embed = Embed(spec, config.dim, image=config.image)
        norm = partial(nn.LayerNorm, config.dim)
        self.blocks = Residuals(
            [
                Residual(norm, both_ways(partial(MinGRU, config), config.directions), _feed(config), config.dropout)
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


def _feed(config: Config) -> nn.Module | None:
    if config.hidden_dim == 0:
        return None
    return nn.Sequential(nn.Linear(config.dim, config.hidden_dim), nn.GELU(), nn.Linear(config.hidden_dim, config.dim))


ARCHITECTURE = Architecture(
    family="rnn",
    config=Config,
    backbone=MinGRUs,
    sizes={
        "nano": {},
        "micro": {"dim": 144},
        "tiny": {"dim": 384, "depth": 4},
        "small": {"dim": 1024, "depth": 5},
        "base": {"dim": 1792, "depth": 7},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"directions": 1},
)
