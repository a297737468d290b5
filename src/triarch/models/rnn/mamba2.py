"""Mamba-2: a linear recurrence that decides at every step what to keep, and is trained as if it were attention.

Blocks x ← x + mixer(norm(x)). The mixer widens x to twice its width, convolves it with the last few steps and runs, in
each head, h_t = exp(a dt_t) h_{t-1} + dt_t x_t b_tᵀ, y_t = h_t c_t + d x_t, where dt, b and c too are made of the
input; then it projects norm(y ⊙ silu(gate)) back. Dao, Gu 2024, "Transformers are SSMs" (arXiv 2405.21060). Training
takes time in proportion to the length, and a further step constant memory: it wins on long sequences, where attention
grows too dear and an LSTM too slow. It loses where a state of fixed size cannot hold what will be asked for: exact
copies from far back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.convolution import ShortConv
from triarch.layers.embed import Embed
from triarch.layers.geometry import ImageOrder
from triarch.layers.norm import RMSNorm
from triarch.layers.pool import last, lengths, mean
from triarch.layers.residual import BlockState, Memory, Mixer, Residual, Residuals, both_ways
from triarch.layers.ssd import ssd
from triarch.models.registry import Architecture

EPS = 1e-5


@dataclass(frozen=True)
class Config:
    """Settings of `mamba2`: heads are head_dim wide, and a state holds state_dim numbers for each of these widths.

    The heads of a group share b and c. dt_limits, where there are any, bound dt.
    """

    dim: int = 32
    depth: int = 2
    head_dim: int = 16
    state_dim: int = 16
    num_groups: int = 1
    kernel_size: int = 4
    dt_limits: tuple[float, float] | None = None
    directions: int = 2
    image: ImageOrder = "patches"
    dropout: float = 0.1


class SSM(Mixer):
    """A short convolution and the recurrence, gated, in one direction."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        hidden_dim, self.groups = 2 * config.dim, config.num_groups
        if hidden_dim % (config.head_dim * config.num_groups):
            raise ValueError(
                f"2·dim = {hidden_dim} is no multiple of head_dim·num_groups = {config.head_dim}·{config.num_groups}"
            )
        num_heads = hidden_dim // config.head_dim
        self.state_shape = (num_heads, config.head_dim, config.state_dim)
        self.widths = (hidden_dim, config.num_groups * config.state_dim, config.num_groups * config.state_dim)
        self.dt_limits = config.dt_limits
        self.gate = nn.Linear(config.dim, hidden_dim, bias=False)
        self.enter = nn.Linear(config.dim, sum(self.widths), bias=False)
        self.dt = nn.Linear(config.dim, num_heads)
        self.conv = ShortConv(sum(self.widths), config.kernel_size)
        self.log_a = nn.Parameter(torch.empty(num_heads).uniform_(1, 16).log())
        self.d = nn.Parameter(torch.ones(num_heads))
        self.norms = nn.ModuleList(RMSNorm(hidden_dim // self.groups, eps=EPS) for _ in range(self.groups))
        self.leave = nn.Linear(hidden_dim, config.dim, bias=False)
        dt = torch.empty(num_heads).uniform_(log(1e-3), log(1e-1)).exp()
        self.dt.bias = nn.Parameter(dt + (-(-dt).expm1()).log())  # of which softplus makes dt

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """(B T D) → (B T D); remembers the states of the heads and the convolution's last inputs."""
        state, inputs = before or self.start(len(x), x.device)
        entering = self.enter(x)
        u, b, c = F.silu(self.conv(entering, inputs)).split(self.widths, dim=-1)
        dt = F.softplus(self.dt(x))
        if self.dt_limits:
            dt = dt.clamp(*self.dt_limits)
        if mask is not None:
            dt = dt * mask[..., None]
        u = u.unflatten(-1, (len(self.d), -1))
        b, c = (part.unflatten(-1, (self.groups, -1)) for part in (b, c))
        y, state = ssd(u, dt, -self.log_a.exp(), b, c, self.d, state)
        gated = (F.silu(self.gate(x)) * y.flatten(2)).chunk(self.groups, dim=-1)
        normed = [norm(part) for norm, part in zip(self.norms, gated)]
        y = self.leave(normed[0] if self.groups == 1 else torch.cat(normed, dim=-1))
        return y, (state, self.conv.remember(entering, lengths(x, mask), inputs)) if before else None

    def start(self, batch_size: int, device: torch.device | str) -> Memory:
        """Zeros."""
        state = torch.zeros(batch_size, *self.state_shape, device=device)
        return state, torch.zeros(batch_size, self.conv.reach, sum(self.widths), device=device)


class Mamba2(Backbone):
    """Sequence features; pooled: the last step's or, read backwards too, the mean."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.directions = config.directions
        self.embed = Embed(spec, config.dim, image=config.image)
        norm = partial(RMSNorm, config.dim, eps=EPS)
        mixer = partial(both_ways, partial(SSM, config), config.directions)
        self.blocks = Residuals([Residual(norm, mixer(), None, config.dropout) for _ in range(config.depth)], norm())
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
        pooled = (last if self.directions == 1 else mean)(values, mask)
        return Features(values, mask, "sequence", pooled), state

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> BlockState:
        """Zeros."""
        if self.directions == 2:
            super().start(batch_size, device)
        return self.blocks.start(batch_size, device)


ARCHITECTURE = Architecture(
    family="rnn",
    config=Config,
    backbone=Mamba2,
    sizes={
        "nano": {},
        "micro": {"dim": 64, "depth": 4, "head_dim": 32, "state_dim": 32},
        "tiny": {"dim": 192, "depth": 4, "head_dim": 64, "state_dim": 64},
        "small": {"dim": 512, "depth": 6, "head_dim": 64, "state_dim": 128},
        "base": {"dim": 768, "depth": 12, "head_dim": 64, "state_dim": 128},
    },
    learning_rates=(1e-3, 1e-2),
    causal={"directions": 1},
)
