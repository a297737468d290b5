"""The part of a block that works on each step alone, with a gate."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class GatedFeedForward(nn.Module):
    """W₃ (gelu(W₁ x) ⊙ W₂ x) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.gate, self.widen = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim)
        self.narrow = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        made: Tensor = self.narrow(F.gelu(self.gate(x), approximate="tanh") * self.widen(x))
        return made
