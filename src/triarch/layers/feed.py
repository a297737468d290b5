"""The part of a Transformer's block that works on each step alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["gelu", "gelu-tanh", "silu", "relu"]
ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu, "gelu-tanh": partial(F.gelu, approximate="tanh"), "silu": F.silu, "relu": F.relu,
}  # fmt: skip


class MLP(nn.Module):
    """W₂ f(W₁ x), with f gelu (Hendrycks, Gimpel 2016, arXiv 1606.08415) or another.

    Args:
        activation: f; "gelu-tanh" is GPT-2's, "gelu" BERT's and ViT's, "silu" and "relu" Marian's.
    """

    def __init__(self, dim: int, hidden_dim: int, bias: bool = True, activation: Activation = "gelu") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.widen = nn.Linear(dim, hidden_dim, bias=bias)
        self.narrow = nn.Linear(hidden_dim, dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        made: Tensor = self.narrow(self.activation(self.widen(x)))
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
