"""The gated recurrent unit: a hidden vector, rewritten only as far as its gates let it.

r, z = σ(W x_t + U h_{t-1} + b), n = tanh(W x_t + b + r ⊙ (U h_{t-1} + b)), h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}. Cho et al.
2014, "Learning phrase representations using RNN encoder–decoder" (arXiv 1406.1078), with the reset gate behind the
product, as in torch. Three quarters of the LSTM's parameters and one vector of state instead of two: it wins on short
sequences and little data, where it is often level with the LSTM; like it, it loses time to its one step after another.
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
    """Settings of `gru`; dim is the width of one direction, depth the number of layers.

    context_dim is the width of a context that it attends to, with scores as `attention` says; None: it attends to none.
    """

    dim: int = 40
    depth: int = 1
    directions: int = 2
    context_dim: int | None = None
    attention: Score = "dot"
    image: ImageOrder = "rows"
    dropout: float = 0.1


class GRU(Backbone):
    """Sequence features: the outputs of the last layer; pooled: its hidden state at each row's true end."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.embed = Embed(spec, None, token_dim=config.dim, image=config.image)
        self.layers = Recurrence(
            "gru", self.embed.dim, config.dim, config.depth, config.directions, config.dropout, config.context_dim,
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
    backbone=GRU,
    sizes={
        "nano": {},
        "micro": {"dim": 72, "depth": 2},
        "tiny": {"dim": 224, "depth": 2},
        "small": {"dim": 736, "depth": 3},
        "base": {"dim": 1472, "depth": 3},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"directions": 1},
)
