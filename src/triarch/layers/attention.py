"""Multi-head self-attention, with groups of heads that share keys, and a cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.state import State
from triarch.layers.position import rotate
from triarch.layers.sight import View

Bias = Literal["all", "qkv", "none"]
Cache = tuple[Tensor, Tensor]


@dataclass
class AttentionState(State):
    """Keys and values of the steps so far: for each layer (B S N H), each row's latest step last."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    @classmethod
    def start(
        cls, batch_size: int, depth: int, num_kv_heads: int, head_dim: int, device: torch.device | str
    ) -> AttentionState:
        """Empty caches."""
        empty = torch.zeros(batch_size, 0, num_kv_heads, head_dim, device=device)
        return cls(torch.zeros(batch_size, dtype=torch.long, device=device), (empty,) * depth, (empty,) * depth)

    @property
    def held(self) -> int:
        """S."""
        return self.keys[0].shape[1]

    @property
    def caches(self) -> list[Cache]:
        """Keys and values of each layer."""
        return list(zip(self.keys, self.values))

    def after(self, steps: Tensor, caches: Sequence[Cache]) -> AttentionState:
        """The state when each row has moved on by `steps` (B) and the layers hold `caches`."""
        return AttentionState(self.position + steps, *(tuple(part) for part in zip(*caches)))


class SelfAttention(nn.Module):
    """softmax(q·kᵀ / √H) v over N heads (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        dim: D.
        head_dim: H; None: D / N.
        num_kv_heads: heads of keys and values, each for N / num_kv_heads queries (Ainslie et al. 2023,
            arXiv 2305.13245); None: N.
        bias: of all projections, of those to queries, keys and values only, or of none.
    """

    def __init__(
        self, dim: int, num_heads: int, head_dim: int | None = None, num_kv_heads: int | None = None, bias: Bias = "all"
    ) -> None:
        super().__init__()
        if head_dim is None and dim % num_heads:
            raise ValueError(f"dim {dim} is not a multiple of num_heads {num_heads}")
        if num_kv_heads is not None and num_heads % num_kv_heads:
            raise ValueError(f"num_heads {num_heads} is not a multiple of num_kv_heads {num_kv_heads}")
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads or num_heads
        self.head_dim = head_dim or dim // num_heads
        width = (num_heads + 2 * self.num_kv_heads) * self.head_dim
        self.qkv = nn.Linear(dim, width, bias=bias != "none")
        self.out = nn.Linear(num_heads * self.head_dim, dim, bias=bias == "all")
        nn.init.xavier_uniform_(self.qkv.weight)
        for layer in (self.qkv, self.out):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, view: View, cache: Cache | None = None) -> tuple[Tensor, Cache | None]:
        """Attend.

        Args:
            x: (B T D).
            view: who sees whom, from `Sight`.
            cache: keys and values (B S N H) of the steps so far.

        Returns:
            (B T D), and the cache with the steps of `x` in it where one was given.
        """
        turned = self.num_heads + self.num_kv_heads
        qkv = self.qkv(x).unflatten(-1, (turned + self.num_kv_heads, self.head_dim))
        if view.turn is None:
            q, k, v = qkv.split((self.num_heads, self.num_kv_heads, self.num_kv_heads), dim=2)
        else:
            qk, v = qkv.split((turned, self.num_kv_heads), dim=2)
            q, k = rotate(qk, *view.turn).split((self.num_heads, self.num_kv_heads), dim=2)
        if cache is not None:
            k, v = torch.cat((cache[0], k), dim=1), torch.cat((cache[1], v), dim=1)
            cache = _keep(k, view.kept), _keep(v, view.kept)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        grouped = self.num_kv_heads != self.num_heads
        made = F.scaled_dot_product_attention(q, k, v, attn_mask=view.bias, is_causal=view.causal, enable_gqa=grouped)
        return self.out(made.transpose(1, 2).flatten(2)), cache


def _keep(held: Tensor, kept: Tensor | None) -> Tensor:
    """Of the keys or values (B S N H) those numbered `kept` (B S')."""
    return held if kept is None else held.take_along_dim(kept[..., None, None], dim=1)
