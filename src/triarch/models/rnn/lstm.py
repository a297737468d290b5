"""The long short-term memory: a cell that gates keep, open and forget.

i, f, o = σ(W x_t + U h_{t-1} + b), c_t = f ⊙ c_{t-1} + i ⊙ tanh(W x_t + U h_{t-1} + b), h_t = o ⊙ tanh(c_t).
Hochreiter, Schmidhuber 1997, "Long short-term memory", with the forget gates of Gers et al. 2000. The cell carries
gradients over hundreds of steps: it wins on sequences whose order and memory matter, on little data and in constant
memory; it loses time, since its steps cannot run at once.
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
    """Settings of `lstm`; dim is the width of one direction, depth the number of layers.

    context_dim is the width of a context that it attends to, with scores as `attention` says; None: it attends to none.
    """

    dim: int = 32
    depth: int = 1
    directions: int = 2
    context_dim: int | None = None
    attention: Score = "dot"
    image: ImageOrder = "rows"
    dropout: float = 0.1


class LSTM(Backbone):
    """Sequence features: the outputs of the last layer; pooled: its hidden state at each row's true end."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.embed = Embed(spec, None, token_dim=config.dim, image=config.image)
        self.layers = Recurrence(
            "lstm", self.embed.dim, config.dim, config.depth, config.directions, config.dropout, config.context_dim,
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
        """A hidden state and a cell of zeros."""
        if self.layers.directions == 2:
            super().start(batch_size, device)
        return self.layers.start(batch_size, device)


ARCHITECTURE = Architecture(
    family="rnn",
    config=Config,
    backbone=LSTM,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 2},
        "tiny": {"dim": 192, "depth": 2},
        "small": {"dim": 640, "depth": 3},
        "base": {"dim": 1280, "depth": 3},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"directions": 1},
)
