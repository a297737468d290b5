"""The temporal convolutional network: residual blocks of dilated convolutions.

Block i, of dilation 2^i: y = relu(x + f(f(x))) with f = dropout(relu(conv(·))) and weight-normalised kernels, so
depth n sees 1 + 2(k-1)(2^n - 1) steps. Bai, Kolter, Koltun 2018, "An empirical evaluation of generic convolutional and
recurrent networks for sequence modeling" (arXiv 1803.01271). It wins on series and on text where the pattern is within
reach, at a recurrence's accuracy and a convolution's speed. Causal, it looks back only and summarises by the last step,
as in the paper; else it looks to both sides and summarises by the mean. Where there is a context, attention to it
follows each block, x ← x + attention(norm(x)), as in Gehring et al. 2017 (arXiv 1705.03122).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone, keeping
from triarch.layers.convolution import SequenceConv
from triarch.layers.cross import CrossAttention, Memory, layer
from triarch.layers.embed import Embed
from triarch.layers.geometry import ImageOrder
from triarch.layers.pool import last, lengths, mean
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `tcn`; depth is the number of blocks, context_dim the width of a context to attend to, if any."""

    dim: int = 32
    depth: int = 4
    kernel_size: int = 3
    causal: bool = False
    context_dim: int | None = None
    image: ImageOrder = "rows"
    dropout: float = 0.1


@dataclass
class TCNState(State):
    """The last inputs of every convolution, (B C reach) each."""

    inputs: tuple[Tensor, ...]


class Block(nn.Module):
    """Two dilated convolutions and a residual path."""

    def __init__(self, in_dim: int, dim: int, dilation: int, config: Config) -> None:
        super().__init__()
        self.first = SequenceConv(in_dim, dim, config.kernel_size, dilation, config.causal)
        self.second = SequenceConv(dim, dim, config.kernel_size, dilation, config.causal)
        for conv in (self.first, self.second):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            weight_norm(conv)
        self.residual = nn.Conv1d(in_dim, dim, 1) if in_dim != dim else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.cross_norm = None if config.context_dim is None else nn.LayerNorm(dim)
        self.cross = None if config.context_dim is None else CrossAttention(dim, config.context_dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        before: tuple[Tensor, ...] = (),
        steps: Tensor | None = None,
        memory: Memory = (),
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B C T) → (B D T), and what both convolutions remember where `before` says what they did."""
        after: list[Tensor] = []
        made = x
        for number, conv in enumerate((self.first, self.second)):
            held = before[number] if before else None
            if held is not None and steps is not None:
                after.append(conv.remember(made, steps, held))
            made = self.dropout(F.relu(conv(made, mask, held)))
        x = F.relu(self.residual(x) + made)
        if memory and self.cross is not None and self.cross_norm is not None:
            steps_last = x.transpose(1, 2)
            x = (steps_last + self.dropout(self.cross(self.cross_norm(steps_last), memory))).transpose(1, 2)
        return x, tuple(after)


class TCN(Backbone):
    """Sequence features."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.causal = config.causal
        self.embed = Embed(spec, None, token_dim=config.dim, image=config.image)
        widths = [self.embed.dim] + [config.dim] * config.depth
        self.blocks = nn.ModuleList(
            Block(before, after, 2**number, config) for number, (before, after) in enumerate(zip(widths, widths[1:]))
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
        memory = self.seen(state, context)
        values = self.embed(x).transpose(1, 2)
        if isinstance(state, TCNState):
            values, state = self._chunk(values, mask, state, memory)
        else:
            for number, block in enumerate(self.blocks):
                values, _ = block(values, mask, memory=layer(memory, number))
        values = values.transpose(1, 2)
        pooled = (last if self.causal else mean)(values, mask)
        return Features(values, mask, "sequence", pooled), keeping(state, memory)

    def _chunk(self, values: Tensor, mask: Tensor | None, state: TCNState, memory: Memory) -> tuple[Tensor, TCNState]:
        steps = lengths(values.transpose(1, 2), mask)
        inputs: tuple[Tensor, ...] = ()
        for number, block in enumerate(self.blocks):
            values, after = block(values, mask, state.inputs[2 * number : 2 * number + 2], steps, layer(memory, number))
            inputs += after
        return values, TCNState(state.position + steps, inputs)

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> TCNState:
        """Zeros."""
        if not self.causal:
            super().start(batch_size, device)
        convs = [conv for conv in self.modules() if isinstance(conv, SequenceConv)]
        return TCNState(
            position=torch.zeros(batch_size, dtype=torch.long, device=device),
            inputs=tuple(torch.zeros(batch_size, conv.in_channels, conv.reach, device=device) for conv in convs),
        )


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=TCN,
    sizes={
        "nano": {},
        "micro": {"dim": 80, "depth": 5},
        "tiny": {"dim": 192, "depth": 6},
        "small": {"dim": 640, "depth": 8},
        "base": {"dim": 1280, "depth": 9},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"causal": True},
)
