"""The real-gated linear recurrent unit and the block around it (De et al. 2024, arXiv 2402.19427).

h_t = a_t ⊙ h_{t-1} + √(1 - a_t²) ⊙ i_t ⊙ x_t with a_t = exp(-8 r_t softplus(Λ)), r_t = σ(W_r x_t + b) and
i_t = σ(W_i x_t + b), whose matrices are block-diagonal. At the first place, where there is no past to keep the balance
with, the root is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triarch.layers.convolution import ShortConv
from triarch.layers.pool import lengths
from triarch.layers.residual import Memory, Mixer
from triarch.layers.scan import at_end, scan

SHARPNESS = 8.0
STEEPEST = 1000.0


class RGLRU(nn.Module):
    """The unit.

    Args:
        dim: D, a multiple of `num_heads`.
        num_heads: N, blocks of the gates.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim {dim} is not a multiple of num_heads {num_heads}")
        width = dim // num_heads
        self.weight = nn.Parameter(torch.empty(num_heads, width, 2 * width))
        self.bias = nn.Parameter(torch.zeros(num_heads, 2 * width))
        self.decay = nn.Parameter(torch.empty(dim))
        nn.init.normal_(self.weight, std=width**-0.5)
        # softplus(Λ) = -log a, with a² drawn evenly from 0.9² to 0.999².
        a = torch.empty(dim).uniform_(0.9**2, 0.999**2).sqrt()
        self.decay.data.copy_((1 / a - 1).log())

    def forward(self, x: Tensor, places: Tensor, before: Tensor | None = None) -> Tensor:
        """All states.

        Args:
            x: (B T D).
            places: (B T), the positions of the steps.
            before: (B D), the state before the first step; None: zeros.

        Returns:
            (B T D).
        """
        heads = x.unflatten(-1, (len(self.weight), -1))
        gates = (torch.einsum("btnh,nhk->btnk", heads, self.weight) + self.bias).sigmoid()
        keep, enter = (gate.flatten(2) for gate in gates.chunk(2, dim=-1))
        exponent = keep * (-SHARPNESS * F.softplus(self.decay))
        root: Tensor = BoundedRoot.apply(-torch.expm1(2 * exponent))  # type: ignore[no-untyped-call]
        root = torch.where(places[..., None] == 0, 1.0, root)
        return scan(exponent.exp(), x * enter * root, before)


class BoundedRoot(torch.autograd.Function):
    """√x whose slope is never above `STEEPEST`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = grad / (4 * x).clamp(min=STEEPEST**-2).sqrt()
        return slope


class RecurrentMixer(Mixer):
    """Griffin's recurrent block: out(gelu(W x) ⊙ RG-LRU(conv(V x)))."""

    def __init__(self, dim: int, num_heads: int, kernel_size: int) -> None:
        super().__init__()
        self.gate, self.enter, self.out = (nn.Linear(dim, dim) for _ in range(3))
        self.conv = ShortConv(dim, kernel_size)
        self.unit = RGLRU(dim, num_heads)

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """(B T D) → (B T D); remembers the state and the convolution's last inputs."""
        hidden, inputs = before or (None, None)
        entered = self.enter(x)
        h = self.unit(self.conv(entered, inputs), places, hidden)
        after = None
        if hidden is not None and inputs is not None:
            steps = lengths(x, mask)
            after = at_end(h, steps, hidden), self.conv.remember(entered, steps, inputs)
        return self.out(F.gelu(self.gate(x), approximate="tanh") * h), after

    def start(self, batch_size: int, device: torch.device | str) -> Memory:
        """Zeros."""
        dim = self.conv.in_channels
        hidden = torch.zeros(batch_size, dim, device=device)
        return hidden, torch.zeros(batch_size, self.conv.reach, dim, device=device)
