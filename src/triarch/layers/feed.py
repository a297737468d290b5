"""The part of a Transformer's block that works on each step alone."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F


class MLP(nn.Module):
    """W₂ gelu(W₁ x) (Hendrycks, Gimpel 2016, arXiv 1606.08415).

    Args:
        approximate: "tanh" is GPT-2's gelu, "none" BERT's and ViT's.
    """

    def __init__(
        self, dim: int, hidden_dim: int, bias: bool = True, approximate: Literal["none", "tanh"] = "none"
    ) -> None:
        super().__init__()
        self.approximate = approximate
        self.widen = nn.Linear(dim, hidden_dim, bias=bias)
        self.narrow = nn.Linear(hidden_dim, dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        made: Tensor = self.narrow(F.gelu(self.widen(x), approximate=self.approximate))
        return made


class GeGLU(nn.Module):
    """W₃ (gelu(W₁ x) ⊙ W₂ x) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.gate, self.widen = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim)
        self.narrow = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        made: Tensor = self.narrow(F.gelu(self.gate(x), approximate="tanh") * self.widen(x))
        return made


class SwiGLU(nn.Module):
    """W₂ (silu(W_g x) ⊙ W_u x) (Shazeer 2020, arXiv 2002.05202); W_g and W_u lie in one matrix, in this order."""

    def __init__(self, dim: int, hidden_dim: int, bias: bool = False) -> None:
        super().__init__()
        self.widen = nn.Linear(dim, 2 * hidden_dim, bias=bias)
        self.narrow = nn.Linear(hidden_dim, dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        gate, up = self.widen(x).chunk(2, dim=-1)
        made: Tensor = self.narrow(F.silu(gate) * up)
        return made
