"""Where a step stands: four ways to tell attention.

- sinusoidal (Vaswani et al. 2017, arXiv 1706.03762): fixed waves added to the input, sines and cosines in turn, or as
  Marian has them in halves of the width;
- learned (Gehring et al. 2017, arXiv 1705.03122): a vector for each place added to the input;
- rotary (Su et al. 2021, arXiv 2104.09864): queries and keys are turned by an angle that grows with the place;
- alibi (Press et al. 2022, arXiv 2108.12409): scores sink linearly with distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import tau
from typing import Literal

import torch
from torch import Tensor, nn

Position = Literal["sinusoidal", "sinusoidal-halves", "learned", "rotary", "alibi"]


@dataclass(frozen=True)
class Rotary:
    """How fast rotary positions turn: width i of H/2 by base^(-2i/H) a step.

    Attributes:
        factor: places are divided by it, so that what was trained on short texts reads longer ones (Chen et al. 2023,
            arXiv 2306.15595).
        trained: the length of those short texts, where only what turns slowly is slowed down (Llama 3.1, Grattafiori
            et al. 2024, arXiv 2407.21783): what turns less than `slow` times in it by `factor`, what turns more than
            `fast` times not at all, what is between by something between.
    """

    base: float = 10_000.0
    factor: float = 1.0
    trained: int | None = None
    slow: float = 1.0
    fast: float = 4.0

    def frequency(self, head_dim: int, device: torch.device) -> Tensor:
        """The angle of a step (H/2)."""
        made = 1.0 / self.base ** (torch.arange(0, head_dim - 1, 2, device=device, dtype=torch.float32) / head_dim)
        if self.trained is None:
            return made / self.factor
        fast = ((self.trained * made / tau - self.slow) / (self.fast - self.slow)).clamp(0, 1)
        return fast * made + (1 - fast) * made / self.factor


UNSCALED = Rotary()


class AddPosition(nn.Module):
    """Sinusoidal or learned positions, added to (B T D); nothing for the other two.

    Args:
        max_len: places that can be learned.
    """

    def __init__(self, position: Position, dim: int, max_len: int) -> None:
        super().__init__()
        self.position, self.dim, self.max_len = position, dim, max_len
        if position == "learned":
            self.table = nn.Parameter(torch.empty(max_len, dim))
            nn.init.normal_(self.table, std=0.02)

    def forward(self, x: Tensor, places: Tensor, mask: Tensor | None) -> Tensor:
        """Add to `x` (B T D) the positions of its steps, `places` (T) or (B T); `mask` (B T) is True where real.

        Raises:
            ValueError: positions are learned and a real step is beyond them.
        """
        if self.position in ("sinusoidal", "sinusoidal-halves"):
            return x + sinusoidal(places, self.dim, self.position == "sinusoidal-halves").to(x.dtype)
        if self.position == "learned":
            if places.ndim == 2 or len(places) > self.max_len:
                beyond = places >= self.max_len
                if not places.is_meta and (beyond if mask is None else beyond & mask).any():
                    raise ValueError(f"the sequence is longer than the {self.max_len} places that were learned")
                places = places.clamp(max=self.max_len - 1)
            return x + self.table[places]
        return x


def places_of(module: nn.Module) -> int | None:
    """The places that it has for steps, where their positions are learned; None: there is no end to them."""
    parts = (part for part in module.modules() if isinstance(part, AddPosition) and part.position == "learned")
    return min((part.max_len for part in parts), default=None)


def sinusoidal(places: Tensor, dim: int, halves: bool = False) -> Tensor:
    """Waves (… D) of the places (…): sines at even, cosines at odd positions of the width, or in `halves` of it."""
    half = (dim + 1) // 2
    frequency = 10_000.0 ** (-torch.arange(half, device=places.device, dtype=torch.float32) * 2 / dim)
    angle = places[..., None].float() * frequency
    if halves:
        return torch.cat((angle.sin(), angle.cos()), dim=-1)[..., :dim]
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)[..., :dim]


def sinusoidal_grid(rows: int, columns: int, dim: int, device: torch.device) -> Tensor:
    """Waves (Y·X D) of the places of a grid, read row by row: half of the width tells the row, half the column."""
    row = sinusoidal(torch.arange(rows, device=device), dim // 2)
    column = sinusoidal(torch.arange(columns, device=device), dim - dim // 2)
    return torch.cat((row[:, None].expand(-1, columns, -1), column.expand(rows, -1, -1)), dim=-1).flatten(0, 1)


def rotary(places: Tensor, head_dim: int, settings: Rotary = UNSCALED) -> tuple[Tensor, Tensor]:
    """Cosines and sines (… T 1 H/2) of the angles by which `rotate` turns the steps at `places` (… T)."""
    angle = places[..., None, None].float() * settings.frequency(head_dim, places.device)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys (B T N H) by the angles of their places; H is even.

    Halves are paired, as in Llama: width i with width i + H/2.
    """
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def alibi_slopes(num_heads: int, device: torch.device) -> Tensor:
    """How fast the scores of each head sink with distance: 2^(-8/N), 2^(-16/N), … (N)."""
    return 2.0 ** (-8.0 / num_heads * torch.arange(1, num_heads + 1, device=device, dtype=torch.float32))
