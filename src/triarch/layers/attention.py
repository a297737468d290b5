"""Multi-head self-attention with padding, causality, positions and a cache of keys and values."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.layers.position import Position, alibi_slopes, rotate


class SelfAttention(nn.Module):
    """softmax(q·kᵀ / √H) v over N heads (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        dim: D, a multiple of `num_heads`.
        causal: a step attends to itself and the past.
        position: rotary and alibi act here; the other two were added to the input.
    """

    def __init__(self, dim: int, num_heads: int, causal: bool, position: Position) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim {dim} is not a multiple of num_heads {num_heads}")
        if position == "rotary" and dim // num_heads % 2:
            raise ValueError(f"rotary positions need an even width of a head, not {dim // num_heads}")
        self.num_heads, self.causal, self.position = num_heads, causal, position
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, cache: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Attend.

        Args:
            x: (B T D).
            mask: (B T), True where a step is real.
            places: (T), the positions of the steps; with a cache (B T).
            cache: keys and values (B S N H) of the steps so far; row b holds its own `places[b, 0]` of them.

        Returns:
            (B T D), and the cache with the steps of `x` in it where one was given.
        """
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).unbind(2)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        if self.position == "rotary":
            q, k = rotate(q, places), rotate(k, places)
        if cache is not None:
            cache = _write(cache, k, v, places)
            k, v = (part.transpose(1, 2) for part in cache)
        bias = self._bias(mask, places, k.shape[2], cached=cache is not None)
        made = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=self.causal and bias is None)
        return self.out(made.transpose(1, 2).flatten(2)), cache

    def _bias(self, mask: Tensor | None, places: Tensor, num_keys: int, cached: bool) -> Tensor | None:
        """What is added to the scores, or what may be seen; None where `is_causal` says it all.

        Padding stands on the right, so a causal step never sees it. What lies in a cache beyond a row's true end is
        overwritten by the row's next steps before any of them could see it.
        """
        key_places = torch.arange(num_keys, device=places.device) if cached else places
        distance = places[..., :, None] - key_places
        if distance.ndim == 3:
            distance = distance[:, None]
        seen = None
        if self.causal and (cached or self.position == "alibi"):
            seen = distance >= 0
        elif not self.causal and mask is not None:
            seen = mask[:, None, None]
        if self.position != "alibi":
            return seen
        slopes = alibi_slopes(self.num_heads, places.device)[:, None, None]
        bias = -slopes * distance.abs()
        return bias if seen is None else torch.where(seen, bias, float("-inf"))


def _write(cache: tuple[Tensor, Tensor], k: Tensor, v: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Put the keys and values (B N T H) of the steps at `places` (B T) into the cache, grown as it must."""
    needed = int(places.max()) + 1
    index = places[..., None, None].expand(-1, -1, k.shape[1], k.shape[3])

    def put(held: Tensor, new: Tensor) -> Tensor:
        held = F.pad(held, (0, 0, 0, 0, 0, max(0, needed - held.shape[1])))
        return held.scatter(1, index, new.transpose(1, 2))

    return put(cache[0], k), put(cache[1], v)
