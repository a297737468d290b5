"""Multi-head self-attention, with groups of heads that share keys, and a cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.state import State
from triarch.layers.cache import Slots
from triarch.layers.pack import Pack
from triarch.layers.position import rotate
from triarch.layers.sight import View

Bias = Literal["all", "qkv", "none"]
Cache = tuple[Tensor, Tensor]


@dataclass
class AttentionState(State):
    """Keys and values of the steps so far: for each layer (B N S H), in the order of `Slots`.

    A pass writes into them: who wants to go back takes a snapshot, or cuts.

    Attributes:
        reached: the foremost position.
        even: whether all rows stand there.
        window: how many steps are kept; None: all.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    reached: int = 0
    even: bool = True
    window: int | None = None

    @classmethod
    def start(
        cls,
        batch_size: int,
        depth: int,
        num_kv_heads: int,
        head_dim: int,
        device: torch.device | str,
        capacity: int | None = None,
        window: int | None = None,
    ) -> AttentionState:
        """Empty caches with room for `capacity` steps; without, or beyond, they grow by doubling."""
        size = min(capacity or 0, window or capacity or 0)
        keys, values = (
            tuple(torch.zeros(batch_size, num_kv_heads, size, head_dim, device=device) for _ in range(depth))
            for _ in "kv"
        )
        return cls(torch.zeros(batch_size, dtype=torch.long, device=device), keys, values, window=window)

    @property
    def held(self) -> int:
        """Steps that are kept of the foremost row."""
        return min(self.reached, self.window or self.reached)

    @property
    def caches(self) -> list[Cache]:
        """Keys and values of each layer."""
        return list(zip(self.keys, self.values))

    def places(self, width: int) -> Tensor:
        """The places of the next `width` steps: (B T), or (1 T) where all rows stand at one."""
        return self._position[:, None] + torch.arange(width, device=self.position.device)

    def slots(self, width: int, mask: Tensor | None) -> Slots:
        """Where the next `width` steps go; the caches are made large enough."""
        size = self.keys[0].shape[2]
        needed = min(self.reached + width, self.window or self.reached + width)
        if size < needed:
            size = max(needed, min(2 * size, self.window or 2 * size))
            self.keys, self.values = (tuple(_grown(part, size) for part in cache) for cache in (self.keys, self.values))
        steps = None if mask is None else mask.sum(dim=1)
        return Slots(self._position, steps, width, self.reached, self.even, size, self.window)

    def after(self, slots: Slots, caches: Sequence[Cache]) -> AttentionState:
        """The state when each row has moved on by its real steps and the layers hold `caches`."""
        keys, values = (tuple(part) for part in zip(*caches))
        if slots.steps is None:
            reached = self.reached + slots.width
            return AttentionState(self.position + slots.width, keys, values, reached, self.even, self.window)
        return AttentionState(self.position, keys, values, window=self.window)._moved(self.position + slots.steps)

    def rows(self, index: Tensor) -> AttentionState:
        """As every state's."""
        picked = super().rows(index)
        return picked if self.even else picked._moved(picked.position)

    def can_cut(self, steps: int) -> bool:
        """Unless a window will have been written over."""
        return self.window is None or self.reached + steps <= self.keys[0].shape[2]

    def cut(self, position: Tensor) -> None:
        """Forget each row's steps from `position` (B) on."""
        self._moved(position)

    @property
    def _position(self) -> Tensor:
        """(B), or (1) where one says it for all."""
        return self.position[:1] if self.even else self.position

    def _moved(self, position: Tensor) -> AttentionState:
        """This state with its rows at `position`."""
        self.position = position
        self.reached = int(position.max())
        self.even = int(position.min()) == self.reached
        return self


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
            cache: keys and values (B N S H) of the steps so far, with room for those of `x`.

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
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        if cache is not None and view.slots is not None:
            (k, keys), (v, values) = (view.slots.put(held, new) for held, new in zip(cache, (k, v)))
            cache = keys, values
        made = self._attend(q, k, v, view) if view.pack is None else self._each(q, k, v, view, view.pack)
        return self.out(made.transpose(1, 2).flatten(2)), cache

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, view: View) -> Tensor:
        grouped = self.num_kv_heads != self.num_heads
        return F.scaled_dot_product_attention(q, k, v, attn_mask=view.bias, is_causal=view.causal, enable_gqa=grouped)

    def _each(self, q: Tensor, k: Tensor, v: Tensor, view: View, pack: Pack) -> Tensor:
        """(1 N M H), sequences of one length together, each with itself."""
        made = []
        sizes = [rows * steps for rows, steps in pack.groups]
        for (rows, steps), *parts in zip(pack.groups, *(part.split(sizes, dim=2) for part in (q, k, v))):
            query, key, value = (part[0].unflatten(1, (rows, steps)).transpose(0, 1) for part in parts)
            bias = None if view.bias is None else view.bias[..., :steps, :steps]
            attended = self._attend(query, key, value, replace(view, bias=bias))
            made.append(attended.transpose(0, 1).flatten(1, 2)[None])
        return torch.cat(made, dim=2)


def _grown(cache: Tensor, size: int) -> Tensor:
    """(B N S H) with more slots."""
    grown = cache.new_zeros(cache.shape[0], cache.shape[1], size, cache.shape[3])
    grown[:, :, : cache.shape[2]] = cache
    return grown
