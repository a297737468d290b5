"""Attention to the nearest past steps only, with one key and value for all heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.layers.convolution import latest
from triarch.layers.pool import lengths
from triarch.layers.position import rotary, rotate
from triarch.layers.residual import Memory, Mixer


class LocalAttention(Mixer):
    """Causal multi-query attention (Shazeer 2019, arXiv 1911.02150) within a window.

    Rotary positions turn the first half of each head; the other half tells content alone.

    Args:
        dim: D, a multiple of four times `num_heads`.
        window: steps that a step sees, itself included.
    """

    def __init__(self, dim: int, num_heads: int, window: int) -> None:
        super().__init__()
        if dim % (4 * num_heads):
            raise ValueError(f"dim {dim} is not a multiple of four times num_heads {num_heads}")
        self.num_heads, self.head_dim, self.window = num_heads, dim // num_heads, window
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, self.head_dim, bias=False)
        self.v = nn.Linear(dim, self.head_dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """(B T D) → (B T D); remembers the window's keys and values, (B window-1 H) each."""
        turn = rotary(places, self.head_dim // 2)
        q = _turn(self.q(x).unflatten(-1, (self.num_heads, -1)), turn).transpose(1, 2)
        k, v = _turn(self.k(x)[:, :, None], turn)[:, :, 0], self.v(x)
        after = None
        if before is not None:
            k, v = (torch.cat((held, new), dim=1) for held, new in zip(before, (k, v)))
            steps = lengths(x, mask)
            after = latest(k, steps, self.window - 1), latest(v, steps, self.window - 1)
        # The last T of the keys are those of `x`; those before the first place were never filled.
        num_steps, num_keys = x.shape[1], k.shape[1]
        behind = torch.arange(num_keys - num_steps, num_keys, device=x.device)[:, None]
        behind = behind - torch.arange(num_keys, device=x.device)
        seen = (behind >= 0) & (behind < self.window) & (behind <= places[..., None])
        k, v = (part[:, None].expand(-1, self.num_heads, -1, -1) for part in (k, v))
        made = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])
        return self.out(made.transpose(1, 2).flatten(2)), after

    def start(self, batch_size: int, device: torch.device | str) -> Memory:
        """An empty window."""
        empty = torch.zeros(batch_size, self.window - 1, self.head_dim, device=device)
        return empty, empty


def _turn(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the first half of the width of (B T N H)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((rotate(first, *turn), second), dim=-1)
