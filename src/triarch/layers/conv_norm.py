"""Convolution, batch normalisation, activation: the unit of convolutional networks, and chains of it."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.layers.channels import every
from triarch.layers.convolution import zero_padding
from triarch.layers.norm import batch_norm, normalise

Padding = Literal["symmetric", "tensorflow"]


class ConvNorm(nn.Module):
    """activation(norm(convolution)) of a grid (B C Y X) or a sequence (B C T); each `stride`-th place is kept.

    Args:
        image: a grid.
        activation: may work in place; None: the identity.
        padding: zeros around the edges. Symmetric: place i of the output looks around place stride·i of the input.
            TensorFlow's "SAME" adds no more than are needed, one more at the end than at the beginning if they are odd;
            on a padded sequence that would depend on its longest row, so it is for grids.
        eps: of the normalisation.
    """

    def __init__(
        self,
        image: bool,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[[Tensor], Tensor] | None = torch.relu_,
        padding: Padding = "symmetric",
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.activation = kernel_size, stride, activation
        self.same = padding == "tensorflow" and stride > 1
        before, after = (kernel_size - 1) // 2, kernel_size // 2
        even = before == after and not self.same
        self.edges = () if even else (before, after) * (2 if image else 1)
        kind = nn.Conv2d if image else nn.Conv1d
        self.conv = kind(
            in_channels, out_channels, kernel_size, stride, before if even else 0, groups=groups, bias=False
        )
        self.norm = batch_norm(image, out_channels, eps)
        fan_out = self.conv.weight[:, 0].numel() // groups
        nn.init.normal_(self.conv.weight, std=sqrt(2 / fan_out))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B C Y X) or (B C T), mask (B T) → the same kind, and its mask."""
        if self.kernel_size > 1:
            x = zero_padding(x, mask)
        if self.edges:
            x = F.pad(x, self._same(x) if self.same else self.edges)
        mask = every(mask, self.stride)
        x = normalise(self.norm, self.conv(x), mask)
        return x if self.activation is None else self.activation(x), mask

    def _same(self, x: Tensor) -> tuple[int, ...]:
        edges: list[int] = []
        for side in reversed(x.shape[2:]):
            total = max((ceil(side / self.stride) - 1) * self.stride + self.kernel_size - side, 0)
            edges += (total // 2, total - total // 2)
        return tuple(edges)


class Chain(nn.ModuleList):
    """One after another, modules that take a tensor with its mask and give another with its own."""

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B C Y X) or (B C T), mask (B T) → the same kind, and its mask."""
        for module in self:
            x, mask = module(x, mask)
        return x, mask
