"""Attention to a context: what a decoder reads of its source, in three ways.

- multi-head (Vaswani et al. 2017, arXiv 1706.03762), for Transformers, and with one head for convolutions, after each
  block (Gehring et al. 2017, "Convolutional sequence to sequence learning", arXiv 1705.03122);
- additive (Bahdanau et al. 2015, arXiv 1409.0473) and dot-product (Luong et al. 2015, arXiv 1508.04025), for
  recurrences.

A context is read once: keys and values are made of it before the first step and kept in the state.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.types import Features

Memory = tuple[Tensor, ...]
Score = Literal["additive", "dot"]
A_LAYER = 3


class Cross(nn.Module):
    """What attends to a context of S steps, which may be as wide as it likes."""

    def read(self, context: Features) -> Memory:
        """Keys (B S …), values (B S …) and which of them are real (B S)."""
        values = context.values
        real = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        return *self.keys_and_values(values), real if context.mask is None else context.mask

    def keys_and_values(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Of a context (B S D')."""
        raise NotImplementedError

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """(B T D) → (B T D), what each step takes from what was read."""
        raise NotImplementedError


class CrossAttention(Cross):
    """softmax(q·kᵀ / √H) v over N heads, with queries from the steps, keys and values from the context.

    Args:
        dim: D.
        context_dim: D', width of the context.
        bias: of the projections to queries, keys and values.
        out_bias: of that to the output.
    """

    def __init__(
        self, dim: int, context_dim: int, num_heads: int = 1, bias: bool = True, out_bias: bool = True
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(dim, dim, bias=bias)
        self.read_key_value = nn.Linear(context_dim, 2 * dim, bias=bias)
        self.out = nn.Linear(dim, dim, bias=out_bias)
        for part in (self.query.weight, *self.read_key_value.weight.data.chunk(2)):
            nn.init.xavier_uniform_(part)
        for layer in (self.query, self.read_key_value, self.out):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def keys_and_values(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """→ (B N S H) both."""
        keys, held = self.read_key_value(values).unflatten(-1, (2 * self.num_heads, -1)).transpose(1, 2).chunk(2, dim=1)
        return keys, held

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """(B T D) → (B T D)."""
        keys, values, real = memory
        query = self.query(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        made = F.scaled_dot_product_attention(query, keys, values, attn_mask=real[:, None, None])
        read: Tensor = self.out(made.transpose(1, 2).flatten(2))
        return read


class RecurrentAttention(Cross):
    """h ← tanh(W [c; h]), with c the mean of the context weighted by softmax of scores of h against its steps.

    The score is v·tanh(W_q h + W_k s), or h·(W_k s), which costs less: the additive one holds T·S·D numbers for a row.
    """

    def __init__(self, dim: int, context_dim: int, score: Score) -> None:
        super().__init__()
        self.key = nn.Linear(context_dim, dim, bias=score == "additive")
        self.query = nn.Linear(dim, dim, bias=False) if score == "additive" else None
        self.score = nn.Linear(dim, 1, bias=False) if score == "additive" else None
        self.join = nn.Linear(context_dim + dim, dim)

    def keys_and_values(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """→ (B S D), and the context itself."""
        return self.key(values), values

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """(B T D) → (B T D)."""
        _, values, real = memory
        share = self.scores(x, memory).masked_fill(~real[:, None], float("-inf")).softmax(dim=-1)
        return torch.tanh(self.join(torch.cat((share @ values, x), dim=-1)))

    def scores(self, x: Tensor, memory: Memory) -> Tensor:
        """(B T S)."""
        keys = memory[0]
        if self.query is None or self.score is None:
            return x @ keys.mT
        made: Tensor = self.score(torch.tanh(self.query(x)[:, :, None] + keys[:, None])).squeeze(-1)
        return made


def layer(memory: Memory, number: int) -> Memory:
    """What layer `number` reads, of what all layers do, one after the other."""
    return memory[A_LAYER * number : A_LAYER * (number + 1)]
