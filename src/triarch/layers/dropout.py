"""Dropout that draws two random bytes for an element, where torch's draws a whole number for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Module):
    """While training, sets a share p of the elements to zero and scales up the others (Srivastava et al. 2014).

    Args:
        p: at least 0 and below 1, to within 1/131072.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout is at least 0 and below 1, not {p}")
        self.p = p
        self.dropped = min(round(p * LEVELS), LEVELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        if not self.training or not self.dropped:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        level = words.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (level >= self.dropped - LEVELS // 2).to(x.dtype)
        return x * kept.mul_(LEVELS / (LEVELS - self.dropped))

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"p={self.p}"
