"""Residual paths left out at random while training (Huang et al. 2016, arXiv 1603.09382)."""

from __future__ import annotations

from itertools import accumulate

from torch import Tensor, nn
from torch.nn import functional as F


class StochasticDepth(nn.Module):
    """Leaves a path (B …) out for a share `rate` of the rows, and weighs it more for the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        if self.rate == 0 or not self.training:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], *[1] * (x.ndim - 1)), self.rate)


def rates(most: float, depths: tuple[int, ...]) -> list[list[float]]:
    """The rate of each block of each stage: from 0 for the first, in equal steps, up to `most` for the last."""
    last = max(1, sum(depths) - 1)
    starts = accumulate(depths, initial=0)
    return [[most * (start + block) / last for block in range(depth)] for start, depth in zip(starts, depths)]
