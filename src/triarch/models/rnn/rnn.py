"""The simple recurrent network: one hidden vector, rewritten at every step.

h_t = tanh(W x_t + U h_{t-1} + b). Elman 1990, "Finding structure in time". The baseline of all recurrences: constant
memory and the least arithmetic for a step, but its gradient fades with distance, so it wins only where the answer is
close by and every microsecond counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone, keeping
from triarch.layers.cross import Score
from triarch.layers.embed import Embed
from triarch.layers.geometry import ImageOrder
from triarch.layers.recurrence import Recurrence, RecurrentState
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `rnn`; dim is the width of one direction, depth the number of layers.

    context_dim is the width of a context that it attends to, with scores as `attention` says; None: it attends to none.
    """

    dim: int = 64
    depth: int = 1
    directions: int = 2
    context_dim: int | None = None
    attention: Score = "dot"
    image: ImageOrder = "rows"
    dropout: float = 0.1


class RNN(Backbone):
    """Sequence features: the outputs of the last layer; pooled: its hidden state at each row's true end."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.embed = Embed(spec, None, token_dim=config.dim, image=config.image)
        self.layers = Recurrence(
            "rnn", self.embed.dim, config.dim, config.depth, config.directions, config.dropout, config.context_dim,
            config.attention,
        )  # fmt: skip
        dim = config.directions * config.dim
        self.shape = FeatureShape("sequence", dim, self.embed.stride, dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T), (B T C) or (B C Y X) → values (B T directions·D)."""
        memory = self.seen(state, context)
        values, summary, state = self.layers(self.embed(x), mask, state, memory)
        return Features(values, mask, "sequence", summary), keeping(state, memory)

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> RecurrentState:
        """A hidden state of zeros."""
        if self.layers.directions == 2:
            super().start(batch_size, device)
        return self.layers.start(batch_size, device)


ARCHITECTURE = Architecture(
    family="rnn",
    config=Config,
    backbone=RNN,
    sizes={
        "nano": {},
        "micro": {"dim": 128, "depth": 2},
        "tiny": {"dim": 384, "depth": 2},
        "small": {"dim": 1280, "depth": 3},
    },
    learning_rates=(3e-4, 3e-3),
    causal={"directions": 1},
)
